"""Statements are kept until they are committed, whatever comes between."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from stress.errors import RecordError
from stress.store.catalog import Journal, Statement


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    connection = sqlite3.connect(path, isolation_level=None, timeout=0.05)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE number (n INTEGER PRIMARY KEY)")
    journal = Journal(path, connection)
    yield journal
    journal.close()


def numbers(path: Path) -> list[int]:
    """What another connection sees."""
    connection = sqlite3.connect(path)
    found = [n for (n,) in connection.execute("SELECT n FROM number ORDER BY n")]
    connection.close()
    return found


def insert(*values: int) -> list[Statement]:
    return [("INSERT INTO number VALUES (?)", [(value,) for value in values])]


def test_others_see_what_was_committed(path: Path, journal: Journal) -> None:
    journal.write(insert(1, 2))
    before = numbers(path)
    journal.commit()

    assert (before, numbers(path)) == ([], [1, 2])


def test_nothing_to_commit_is_no_error(path: Path, journal: Journal) -> None:
    journal.commit()
    journal.commit()

    assert numbers(path) == []


def test_a_lock_of_another_is_told_and_what_was_written_is_kept(
    path: Path, journal: Journal
) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordError, match=r"run\.db: another program holds a lock") as caught:
        journal.write(insert(1))
    with pytest.raises(RecordError):
        journal.write(insert(2))
    with pytest.raises(RecordError):
        journal.commit()
    other.close()
    journal.write(insert(3))
    journal.commit()

    assert numbers(path) == [1, 2, 3]
    assert caught.value.hint == "close what has it open"


def test_a_lock_is_waited_for_once(path: Path) -> None:
    """Each batch that comes afterwards would wait as long, and the run could not end."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=0.05)
    connection.execute("CREATE TABLE number (n INTEGER PRIMARY KEY)")
    journal = Journal(path, connection)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(RecordError):
        journal.write(insert(1))
    other.close()
    (patience_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    journal.commit()
    journal.close()

    assert patience_ms == 0
    assert numbers(path) == [1]


def test_a_commit_tries_again_what_failed(path: Path, journal: Journal) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordError):
        journal.write(insert(1))
    other.close()
    journal.commit()

    assert numbers(path) == [1]


def test_an_interruption_in_the_middle_leaves_no_half_batch(path: Path, journal: Journal) -> None:
    class Interrupted:
        """Rows of which the second is stopped by Ctrl-C."""

        def __init__(self) -> None:
            self.once = True

        def __iter__(self) -> Iterator[tuple[int]]:
            yield (1,)
            if self.once:
                self.once = False
                raise KeyboardInterrupt
            yield (2,)

        def __len__(self) -> int:
            return 2

    rows = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        journal.write([("INSERT INTO number VALUES (?)", rows)])  # type: ignore[list-item]  # acts like rows
    journal.commit()

    assert numbers(path) == [1, 2]


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_is_gone_is_told_at_the_commit(
    path: Path, journal: Journal, replaced: bool
) -> None:
    journal.write(insert(1))
    path.unlink()
    if replaced:
        path.touch()

    with pytest.raises(RecordError, match=r"run\.db was deleted or replaced"):
        journal.commit()


def test_closing_makes_one_file(path: Path, journal: Journal) -> None:
    journal.write(insert(1))
    journal.commit()
    journal.close()

    assert [found.name for found in path.parent.iterdir()] == ["run.db"]
    assert numbers(path) == [1]
