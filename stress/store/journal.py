"""Write statements to a run file, and keep them until they are committed.

A full disk, a lock or a deleted file loses nothing: what was written since the last commit is kept,
and written again before anything new once the problem is solved.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from stress.errors import RecordError

Statement = tuple[str, Sequence[tuple[object, ...]]]
"""SQL, and rows of values for it."""

_WHY = {
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space; what was committed is kept"),
    sqlite3.SQLITE_READONLY: ("it has become read-only", "make it writable again"),
    sqlite3.SQLITE_BUSY: ("another program holds a lock on it", "close what has it open"),
    sqlite3.SQLITE_LOCKED: ("another program holds a lock on it", "close what has it open"),
    sqlite3.SQLITE_IOERR: ("the system refused to write", "is the disk full or a quota reached?"),
    sqlite3.SQLITE_CORRUPT: ("another program changed it", "let no other program write to it"),
    sqlite3.SQLITE_NOTADB: ("another program changed it", "let no other program write to it"),
}


class Journal:
    """Executes statements in one transaction after another.

    Args:
        path: where the file is; it must lead to the same file at every commit.
        connection: in autocommit mode, the schema in place.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._identity = _identity(path)
        self._kept: list[Statement] = []
        self._broken = False

    def write(self, statements: Sequence[Statement]) -> None:
        """Execute statements; they are durable after the next commit.

        Raises:
            RecordError: it failed; the statements are kept and executed again with the next.
        """
        self._kept.extend(statements)
        self._execute(self._kept if self._broken else statements)

    def commit(self) -> None:
        """Make everything written so far durable.

        Raises:
            RecordError: it failed; everything since the last commit is kept.
        """
        if self._broken:
            self._execute(self._kept)
        if _identity(self._path) != self._identity:
            raise RecordError(
                f"the run file {self._path.name} was deleted or replaced while it was written",
                "leave the file in its place until the run has ended",
            )
        try:
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._failure(error) from error
        self._kept.clear()

    def fold(self) -> None:
        """Fold the log into the file. While readers have it open, the last to close does it."""
        with suppress(sqlite3.OperationalError):
            self._connection.execute("PRAGMA journal_mode = DELETE").fetchone()

    def close(self) -> None:
        """Close the file; what was not committed is lost."""
        self._connection.close()

    def _execute(self, statements: Sequence[Statement]) -> None:
        try:
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
            for sql, rows in statements:
                self._connection.executemany(sql, rows)
        except sqlite3.Error as error:
            raise self._failure(error) from error
        except BaseException:
            # Interrupted in the middle, by Ctrl-C for instance: half a batch must not be committed.
            self._give_up()
            raise
        self._broken = False

    def _failure(self, error: sqlite3.Error) -> RecordError:
        """Roll the transaction back, and explain the error."""
        self._give_up()
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            # We waited once. Waiting again with each batch would delay the end of the run.
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA busy_timeout = 0")
        why, hint = _WHY.get(code, (str(error), None))
        return RecordError(f"could not write to the run file {self._path.name}: {why}", hint)

    def _give_up(self) -> None:
        """Roll back; what is kept must be executed again."""
        self._broken = True
        with suppress(sqlite3.Error):
            self._connection.execute("ROLLBACK")


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file a path leads to, None when to none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
