"""Records as columns of a run file: what was written is read, and damage is refused."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.errors import RunFileError, UsageError
from stress.model.record import RecordColumn, RecordSource, RecordTable
from stress.model.run import Records
from stress.store import open_run
from stress.store import records as store
from stress.store.export import Format, export_run
from stress.store.records import RecordsFile, write_records

BEGUN_NS = 1_796_000_000 * 10**9


def records(rows: list[tuple[int, int, int, int]], names: tuple[str, ...] = ("ok", "x")) -> Records:
    """Of block, outcome, count and code."""
    blocks, outcomes, counts, codes = (np.asarray(each) for each in zip(*rows, strict=True))
    table = RecordTable(
        blocks=blocks.astype(np.uint16).tobytes(),
        outcomes=outcomes.astype(np.uint8).tobytes(),
        names=names,
        counts=counts.astype(np.int64).tobytes(),
        columns=(RecordColumn("carrier", ("a", "=b"), codes.astype(np.uint8).tobytes(), 9),),
    )
    attempts = int(counts.sum())
    source = RecordSource(("r.csv",), "error != empty", len(rows), attempts, "time")
    return Records(
        source=source,
        started_ns=BEGUN_NS,
        ended_ns=BEGUN_NS + 10**10,
        block_ns=10**9,
        table=table,
        failing=((1, BEGUN_NS + 5, "x"),),
        notes=("a note",),
    )


ROWS = [(0, 0, 5, 1), (0, 1, 2, 2), (3, 0, 1, 0), (9, 1, 1, 1)]


def written(path: Path, made: Records) -> Path:
    write_records(path, made, assertions=("failing<50%",), versions={"python": "3"}, host="here")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "r.db", records(ROWS))


def test_what_was_written_is_read(file: Path) -> None:
    made = records(ROWS)

    with open_run(file) as run:
        facts, cube = run.facts(), run.cube()
        failing = list(run.failures(10))

        assert isinstance(run, RecordsFile)
        assert facts.records == made.source
        assert (facts.recorded, facts.started) == (9, 9)
        assert (facts.first_ns, facts.last_ns) == (BEGUN_NS, BEGUN_NS + 10**10)
        assert (facts.reasons, facts.plan.assertions) == (("a note",), ("failing<50%",))
        assert cube.records == made.table
        assert cube.block_ns == 10**9
        assert [(cell.block, cell.outcome, cell.count) for cell in cube.cells] == [
            *((0, "ok", 5), (0, "x", 2), (3, "ok", 1), (9, "x", 1)),
        ]
        assert [(one.id, one.due_ns, one.outcome) for one in failing] == [(1, BEGUN_NS + 5, "x")]
        assert (run.ports(), run.histograms(), run.chains(), run.addresses()) == ([], [], [], [])


COUNTED = st.tuples(
    st.integers(0, 999), st.integers(0, 1), st.integers(0, 1 << 40), st.integers(0, 2)
)


@given(rows=st.lists(COUNTED, min_size=1, max_size=30), part=st.integers(1, 7))
def test_rows_in_parts_come_back_whole(
    rows: list[tuple[int, int, int, int]], part: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path, usual = tmp_path_factory.mktemp("parts") / "r.db", store.PART
    store.PART = part
    try:
        written(path, records(rows))
        with open_run(path) as run:
            assert run.cube().records == records(rows).table
    finally:
        store.PART = usual


def test_an_export_has_a_row_for_each_row_and_is_harmless(file: Path, tmp_path: Path) -> None:
    with open_run(file) as run:
        export_run(run, Format.CSV, tmp_path / "r.csv")
        export_run(run, Format.PARQUET, tmp_path / "r.parquet")

        with pytest.raises(UsageError, match="without latencies"):
            export_run(run, Format.HLOG, tmp_path / "r.hlog")

    assert (tmp_path / "r.csv").read_text().splitlines() == [
        "time,outcome,attempts,carrier",
        "2026-11-30T00:53:20Z,ok,5,a",
        "2026-11-30T00:53:20Z,x,2,'=b",
        "2026-11-30T00:53:23Z,ok,1,",
        "2026-11-30T00:53:29Z,x,1,a",
    ]
    assert (tmp_path / "r.parquet").read_bytes()[:4] == b"PAR1"


def test_a_file_is_never_overwritten(file: Path) -> None:
    with pytest.raises(RunFileError, match="exists already"):
        written(file, records(ROWS))


def codes(of: int, body: bytes) -> Callable[[sqlite3.Connection], None]:
    def damage(db: sqlite3.Connection) -> None:
        db.execute("UPDATE record_part SET codes = ? WHERE of = ?", (zlib.compress(body), of))

    return damage


def described(before: str, after: str) -> Callable[[sqlite3.Connection], None]:
    def damage(db: sqlite3.Connection) -> None:
        (text,) = db.execute("SELECT value FROM meta WHERE key = 'records'").fetchone()
        assert before in text
        text = text.replace(before, after, 1)
        db.execute("UPDATE meta SET value = ? WHERE key = 'records'", [text])

    return damage


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (codes(0, b"\xff\xff" * 4), "a code has no value"),
        (codes(1, b"\2" * 4), "a code has no value"),
        (codes(3, b"\3" * 4), "a code has no value"),
        (codes(3, b"\1" * 3), "another length"),
        (codes(3, b"\0" * 100_000_000), "another length"),
        (codes(2, b"\xff" * 32), "fewer than no attempts"),
        (codes(2, b"\1" + b"\0" * 31), "not as many attempts"),
        (lambda db: db.execute("UPDATE record_part SET codes = x'ffffff' WHERE of = 3"), "read"),
        (lambda db: db.execute("DELETE FROM record_part WHERE of = 1"), "another length"),
        (lambda db: db.execute("UPDATE record_part SET part = 1 WHERE of = 1"), "another length"),
        (described('"rows":4,"names"', '"rows":900000000000,"names"'), "far more rows"),
        (described('"ok"', '"no"'), "first outcome is not ok"),
        (described('["ok","x"]', '["ok","cancelled"]'), "no failure"),
        (described('"source"', '"sauce"'), "missing required field"),
        (lambda db: db.execute("DROP TABLE record_part"), "no such table"),
    ],
)
def test_damage_is_refused(
    damage: Callable[[sqlite3.Connection], object], why: str, file: Path
) -> None:
    with closing(sqlite3.connect(file)) as db, db:
        damage(db)

    with pytest.raises(RunFileError, match=why):
        _read(file)


def _read(file: Path) -> None:
    with open_run(file) as run:
        run.facts()
        run.cube()
