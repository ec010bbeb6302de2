from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stress.model.plan import Address, Plan
from stress.model.record import Record
from stress.model.run import End, RunEnd
from stress.store import RunWriter, open_run
from stress.store.writer import copy_run, extent
from tests.store.conftest import STARTED_NS

MakeRecord = Callable[..., Record]


def written(path: Path, plan: Plan, records: list[Record], started: int) -> Path:
    writer = RunWriter(path, plan, started_ns=STARTED_NS, versions={}, host="here")
    writer.add_address(0, Address("127.0.0.1", 443))
    writer.add_records(records)
    writer.commit(started)
    writer.close()
    return path


def test_an_extent_is_above_all_that_began(
    tmp_path: Path, plan: Plan, make_record: MakeRecord
) -> None:
    late = STARTED_NS + 5_000_000_000
    records = [make_record(0), make_record(9, due_ns=late, started_ns=late)]

    with open_run(written(tmp_path / "a.db", plan, records, started=7)) as run:
        reached = extent(run)

    assert reached == (10, late)


def test_both_parts_are_one_run(tmp_path: Path, plan: Plan, make_record: MakeRecord) -> None:
    first = written(tmp_path / "a.db", plan, [make_record(n) for n in range(5)], started=6)
    writer = RunWriter(
        tmp_path / "b.db", plan, started_ns=STARTED_NS, versions={}, host="here", before=6
    )
    with open_run(first) as run:
        copied = list(run.records())
        copy_run(run, writer)
    more = [make_record(n) for n in range(6, 9)]
    writer.add_records(more)
    writer.commit(3)
    writer.finish(RunEnd(End.COMPLETED, STARTED_NS + 1, 3))

    with open_run(tmp_path / "b.db") as run:
        facts, rows = run.facts(), list(run.records())

    assert rows == [*copied, *more]
    assert (facts.started, facts.recorded, facts.end) == (9, 8, End.COMPLETED)


def test_how_long_it_stood_is_known_though_the_second_part_dies(
    tmp_path: Path, plan: Plan, make_record: MakeRecord
) -> None:
    path = tmp_path / "b.db"
    writer = RunWriter(path, plan, started_ns=STARTED_NS, versions={}, host="here", stood_ns=7)
    writer.add_address(0, Address("127.0.0.1", 443))
    writer.add_records([make_record(0)])
    writer.commit(1)
    writer.close()

    with open_run(path) as run:
        assert (run.facts().end, run.facts().stood_ns) == (End.UNFINISHED, 7)
