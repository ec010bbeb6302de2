"""What the file has stored and what is counted from its rows make one whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stress.model.record import Flag, Record
from stress.model.run import MOST_BLOCKS, RunEnd
from stress.store import RunWriter
from stress.store.counts import Counts
from stress.store.schema import FIRST_BLOCK_NS

SECOND = FIRST_BLOCK_NS


@pytest.fixture
def counts_of() -> Iterator[Callable[[Path], Counts]]:
    opened: list[sqlite3.Connection] = []

    def make(path: Path) -> Counts:
        connection = sqlite3.connect(path)
        opened.append(connection)
        return Counts(connection, dict(connection.execute("SELECT key, value FROM meta")))

    yield make
    for connection in opened:
        connection.close()


def test_rows_after_the_mark_are_counted_with_the_stored_ones(
    tmp_path: Path,
    open_writer: Callable[..., RunWriter],
    make_record: Callable[..., Record],
    counts_of: Callable[[Path], Counts],
) -> None:
    """Counts are stored with every tenth commit; then two more batches come."""
    writer = open_writer()
    for number in range(12):
        writer.add_records([make_record(number * 1000)])
        writer.commit(number)
    with closing(sqlite3.connect(tmp_path / "run.db")) as run:
        stored = run.execute("SELECT sum(count) FROM cell").fetchone()
    counts = counts_of(tmp_path / "run.db")
    cells = counts.cells
    writer.close()

    assert stored == (10,)
    assert {(cell.block, cell.count) for cell in cells} == {(block, 1) for block in range(12)}
    assert {chain: seen for chain, (seen, *_) in counts.by_chain().items()} == {1: 12}


def test_stored_blocks_are_merged_when_the_run_grows_long(
    tmp_path: Path,
    open_writer: Callable[..., RunWriter],
    make_record: Callable[..., Record],
    completed: Callable[[int], RunEnd],
    counts_of: Callable[[Path], Counts],
) -> None:
    writer = open_writer()
    for second in (0, 1, 2, 3, 999, 1000, 3999):
        writer.add_records([make_record(second * 1000)])
        for _ in range(10):
            writer.commit(1)
    writer.finish(completed(7))
    counts = counts_of(tmp_path / "run.db")

    assert counts.block_ns == 4 * SECOND
    assert {cell.block: cell.count for cell in counts.cells} == {0: 4, 249: 1, 250: 1, 999: 1}
    assert max(cell.block for cell in counts.cells) < MOST_BLOCKS


def test_a_reader_widens_the_blocks_for_rows_that_are_not_counted_yet(
    tmp_path: Path,
    open_writer: Callable[..., RunWriter],
    make_record: Callable[..., Record],
    counts_of: Callable[[Path], Counts],
) -> None:
    writer = open_writer()
    writer.add_records([make_record(0), make_record(3000)])
    for _ in range(10):
        writer.commit(2)
    writer.add_records([make_record(1_500_000)])
    writer.close()
    counts = counts_of(tmp_path / "run.db")

    assert counts.block_ns == 2 * SECOND
    assert {cell.block: cell.count for cell in counts.cells} == {0: 1, 1: 1, 750: 1}


def test_flags_alone_make_no_cell(
    write_run: Callable[..., Path],
    make_record: Callable[..., Record],
    counts_of: Callable[[Path], Counts],
) -> None:
    path = write_run([make_record(0), make_record(2, flags=Flag.WARM_UP)])
    (cell,) = counts_of(path).cells

    assert (cell.count, cell.outcome, cell.resumed, cell.stage) == (2, "ok", False, 5)


def test_a_chain_is_seen_from_its_first_to_its_last_start(
    write_run: Callable[..., Path],
    make_record: Callable[..., Record],
    counts_of: Callable[[Path], Counts],
    started_ns: int,
) -> None:
    path = write_run(
        [make_record(7), make_record(3, alpn="h2"), make_record(9, chain=None, outcome="reset")]
    )

    span = (started_ns + 3_000_000, started_ns + 7_000_000)
    assert counts_of(path).by_chain() == {1: (2, *span)}


@pytest.mark.parametrize("width", ["0", "-5", "x"])
def test_marks_that_make_no_sense_are_refused(width: str) -> None:
    connection = sqlite3.connect(":memory:")
    with pytest.raises(ValueError, match=r">= 1|Expected int, got str"):
        Counts(connection, {"block_ns": width, "counted": "0", "started_ns": "0"})
    connection.close()
