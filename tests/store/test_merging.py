"""Merging keeps every row, in the order of the ends, and counts anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from stress.model.record import Record
from stress.model.run import End, RunEnd, Vantage
from stress.store import open_run
from stress.store import tally as counting
from stress.store.catalog import Treatment
from stress.store.merging import MergePart, MergeWriter
from stress.store.tally import Columns, Tally
from tests.store.conftest import STARTED_NS, WriteRun

Make = Callable[..., Record]
AHEAD_NS = 3_000_000_000


def merged(
    path: Path, files: Sequence[Path], ahead_ns: Sequence[int], rows_at_once: int = 40_000
) -> Path:
    """The file into which these are merged, each a vantage."""
    runs = [open_run(file) for file in files]
    facts = [run.facts() for run in runs]
    vantages = [
        Vantage(file.stem, "here", one.started_ns, ("127.0.0.1",), {}, ("192.0.2.1",), ahead, 9)
        for file, one, ahead in zip(files, facts, ahead_ns, strict=True)
    ]
    starts = [one.started_ns - ahead for one, ahead in zip(facts, ahead_ns, strict=True)]
    writer = MergeWriter(
        path, facts[0].plan, started_ns=min(starts), versions={}, host="two", vantages=vantages
    )
    parts = [
        MergePart(run, file, start, [0, 1], [0, 1], [place], 2, ahead)
        for place, (run, file, start, ahead) in enumerate(
            zip(runs, files, starts, ahead_ns, strict=True)
        )
    ]
    writer.add_parts(runs[0].addresses(), parts, rows_at_once)
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


NUMBER = some.integers(-5, 130_000_000_000)
MAYBE = some.none() | NUMBER
ROW = some.tuples(
    *(some.just(0), some.just(0), some.integers(0, 5)),
    *(some.integers(-3, 3_000_000_000_000), some.integers(0, 9), some.none() | some.integers(1, 9)),
    *(MAYBE, MAYBE, MAYBE, NUMBER, MAYBE, some.integers(0, 9)),
)


@settings(max_examples=60, deadline=None)
@given(some.lists(some.lists(ROW, min_size=1, max_size=30), min_size=1, max_size=3))
def test_numpy_counts_as_plain_python_does(batches: list[list[tuple[int, ...]]]) -> None:
    plain, fast = Tally(list(Treatment)), Tally(list(Treatment))
    for rows in batches:
        columns = Columns.of(rows)
        plain.add(columns)
        fast._add_arrays(columns)

    assert len(batches[0]) < counting._WORTH_ARRAYS
    for name in ("block_ns", "cells", "first", "last", "ports", "failed_ports"):
        assert getattr(fast, name) == getattr(plain, name)
    for key, histogram in plain.latency.whole().items():
        other = fast.latency.whole()[key]
        assert (list(other.bins()), other.clamped) == (list(histogram.bins()), histogram.clamped)
    assert {k for k, _ in fast.latency.blocks()} == {k for k, _ in plain.latency.blocks()}


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
