"""Merging keeps every row, in the order of the ends, and counts anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from stress.measure import Histogram
from stress.model.record import Record
from stress.model.run import End, RunEnd, Vantage
from stress.store import open_run
from stress.store.merging import MergePart, MergeWriter, first_block_ns
from stress.store.tally import WHOLE_RUN
from tests.store.conftest import STARTED_NS, WriteRun

Make = Callable[..., Record]
AHEAD_NS = 3_000_000_000


def merged(
    path: Path,
    files: Sequence[Path],
    ahead_ns: Sequence[int],
    rows_at_once: int = 40_000,
    **thin: Any,
) -> Path:
    """The file into which these are merged, each a vantage."""
    runs = [open_run(file) for file in files]
    facts = [run.facts() for run in runs]
    vantages = [
        Vantage(file.stem, "here", one.started_ns, ("127.0.0.1",), {}, ("192.0.2.1",), ahead, 9)
        for file, one, ahead in zip(files, facts, ahead_ns, strict=True)
    ]
    starts = [one.started_ns - ahead for one, ahead in zip(facts, ahead_ns, strict=True)]
    spans = [(one.first_ns or 0, one.last_ns or 0) for one in facts]
    started_ns = first_block_ns(min(starts), max(last for _, last in spans))
    writer = MergeWriter(
        path, facts[0].plan, started_ns=started_ns, versions={}, host="two", vantages=vantages
    )
    parts = [
        MergePart(run, file, start, [0, 1], [0, 1], [place], 2, ahead, span)
        for place, (run, file, start, ahead, span) in enumerate(
            zip(runs, files, starts, ahead_ns, spans, strict=True)
        )
    ]
    writer.add_parts(runs[0].addresses(), parts, rows_at_once, **thin)
    rows = sum(one.recorded for one in facts)
    writer.finish(RunEnd(End.COMPLETED, STARTED_NS + 60_000_000_000, rows))
    for run in runs:
        run.close()
    return path


def ends(record: Record) -> int:
    return record.due_ns + record.total_ns


def test_every_row_is_there_in_the_order_of_the_ends_by_one_clock(
    write_run: WriteRun, make_record: Make, incomplete: Make, refused: Make, tmp_path: Path
) -> None:
    kinds = (make_record, make_record, incomplete, refused)
    one = [kinds[n % 4](n) for n in range(700)]
    late = [kinds[n % 3](n) for n in range(900)]
    late = [
        r._replace(due_ns=r.due_ns + AHEAD_NS, started_ns=r.started_ns + AHEAD_NS) for r in late
    ]
    late[5] = late[5]._replace(tcp_retransmits=3)
    files = [write_run(one, name="a"), write_run(late, name="b")]

    path = merged(tmp_path / "all.db", files, [0, AHEAD_NS])

    with open_run(path) as run:
        rows, facts = list(run.records()), run.facts()
        cells = sum(cell.count for cell in run.cube().cells)
        failures = list(run.failures(10_000))
    back = [
        r._replace(due_ns=r.due_ns - AHEAD_NS, started_ns=r.started_ns - AHEAD_NS) for r in late
    ]
    expected = [r._replace(id=r.id * 2, vantage=0) for r in one]
    expected += [r._replace(id=r.id * 2 + 1, vantage=1) for r in back]
    assert sorted(rows) == sorted(expected)
    assert [ends(r) for r in rows] == sorted(ends(r) for r in rows)
    assert (cells, facts.recorded, len(failures)) == (
        *(1_600, 1_600),
        sum(r.outcome in {"incomplete-chain", "refused"} for r in expected),
    )
    assert [v.name for v in facts.vantages] == ["a", "b"]
    assert facts.vantages[1].offset_ns == AHEAD_NS


def test_a_long_file_and_a_short_one_take_turns(
    write_run: WriteRun, make_record: Make, tmp_path: Path
) -> None:
    """Also where a file ends long before the other, and batches have a row or two."""
    files = [
        write_run([make_record(n) for n in range(40)], name="long"),
        write_run([make_record(n) for n in (3, 3, 17)], name="short"),
    ]

    path = merged(tmp_path / "all.db", files, [0, 0], rows_at_once=2)

    with open_run(path) as run:
        rows = list(run.records())
    assert len(rows) == 43
    assert [ends(r) for r in rows] == sorted(ends(r) for r in rows)


def answers(path: Path, good: int) -> dict[str, Any]:
    """All that a report reads of a run (`stress.model.run.Run`)."""
    with open_run(path) as run:
        facts = run.facts()
        cube = run.cube()
        return {
            "facts": replace(facts, name="", file=""),
            "addresses": run.addresses(),
            "chains": run.chains(),
            "verdicts": run.verdicts(),
            "cube": (cube.block_ns, list(cube.cells)),
            "ports": run.ports(),
            "histograms": sorted(
                (row.phase, row.good, row.block, row.clamped, *Histogram.decode(row.hdr).bins())
                for row in run.histograms()
                if row.block == WHOLE_RUN or Histogram.decode(row.hdr).count
            ),
            "width": run.histogram_block_ns(),
            "failures": list(run.failures(10_000)),
            "good": list(run.good(good)),
            "transcripts": list(run.transcripts()),
        }


@pytest.mark.parametrize("apart_ns", [0, 37_000_001, 190_000_000_000])
def test_without_the_rows_of_good_attempts_a_report_reads_the_same(
    write_run: WriteRun,
    make_record: Make,
    incomplete: Make,
    refused: Make,
    tmp_path: Path,
    apart_ns: int,
) -> None:
    """Also from small files that were made apart, of which one lasted 30 times as long."""
    kinds, good = (make_record, make_record, make_record, incomplete, make_record, refused), 60

    def rows(count: int, step: int, later_ns: int) -> list[Record]:
        made = [kinds[n % 6](n) for n in range(count)]
        return [
            one._replace(due_ns=due_ns, started_ns=due_ns + one.id % 7, total_ns=one.total_ns * 5)
            for one in made
            for due_ns in [one.due_ns + later_ns + one.id * step]
        ]

    files = [
        write_run(rows(700, 3_000_000, 0), name="a"),
        write_run(rows(900, 80_000_000, apart_ns), name="b", started_ns=STARTED_NS + apart_ns),
        write_run(rows(300, 1, 5), name="c"),
    ]
    whole = merged(tmp_path / "whole.db", files, [0, 0, 0], good=good)
    small = [
        merged(tmp_path / f"{file.stem}-small.db", [file], [0], thin=True, good=good)
        for file in files
    ]
    at_once = merged(tmp_path / "once.db", files, [0, 0, 0], thin=True, good=good)
    later = merged(tmp_path / "later.db", small, [0, 0, 0], good=good)

    expected = answers(whole, good)
    expected_facts = expected.pop("facts")
    for path in (at_once, later):
        found = answers(path, good)
        facts = found.pop("facts")
        assert found == expected
        assert replace(facts, vantages=()) == replace(expected_facts, vantages=())
        with open_run(path) as run:
            assert run.recorded == 1_900
            kept = [record for record in run.records() if record.outcome == "ok"]
            assert run.elsewhere == 1_900 - 633 - len(kept)
            assert len(expected["good"]) <= len(kept) < 200
    assert 20 < len(expected["good"]) < 120


SMALL = some.lists(
    some.tuples(some.integers(0, 90), some.integers(0, 9), some.integers(0, 2)),
    min_size=1,
    max_size=40,
)


@pytest.mark.slow
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(some.lists(SMALL, min_size=1, max_size=3), some.integers(1, 50), some.booleans())
def test_how_many_rows_are_read_at_once_makes_no_difference(
    write_run: WriteRun,
    make_record: Make,
    refused: Make,
    tmp_path: Path,
    parts: list[list[tuple[int, int, int]]],
    at_once: int,
    thin: bool,
) -> None:
    """Nor do rows that were due long before the ones above them, or took longer."""
    files = []
    for number, rows in enumerate(parts):
        made = [
            one._replace(due_ns=due_ns, started_ns=due_ns, total_ns=took * 900_000_000)
            for n, (due, took, kind) in enumerate(rows)
            for one in [(make_record, make_record, refused)[kind](n)]
            for due_ns in [STARTED_NS + due * 700_000_000]
        ]
        files.append(write_run(made, name=f"part-{number}"))

    def found(rows_at_once: int) -> tuple[Any, ...]:
        path = merged(
            tmp_path / "all.db", files, [0] * len(files), rows_at_once, thin=thin, good=10
        )
        with open_run(path) as run:
            rows = sorted(run.records())
        answer = answers(path, 10)
        for file in (path, *files) if rows_at_once == at_once else (path,):
            file.unlink()
        return rows, answer

    assert found(1_000) == found(at_once)


def test_a_part_that_names_what_it_does_not_have_is_damaged(
    write_run: WriteRun, make_record: Make
) -> None:
    with open_run(write_run([make_record(1)])) as run:
        part = MergePart(run, Path("x.db"), 0, [0], [0], [0], 2)

        with pytest.raises(ValueError, match=r"attempt_group.address is 7: there are 1"):
            part.renumbered(make_record(1, address=7))
        with pytest.raises(ValueError, match=r"attempt_group.client is 2: there are 2"):
            part.renumbered(replace_client(make_record(1)))


def replace_client(record: Record) -> Record:
    return record._replace(address=0, client=2)
