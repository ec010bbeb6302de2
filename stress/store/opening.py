"""Open a run file, or say in a sentence why it cannot be opened.

Opening may include recovery: a run that was killed leaves its last seconds in a log beside the
file, which SQLite folds in when the file is opened for writing. Where that is not allowed, the file
is opened for reading; where even the log cannot be used, without it.
"""

from __future__ import annotations

import sqlite3
import stat
from contextlib import suppress
from pathlib import Path

from stress.errors import RunFileError
from stress.store.corruption import damaged, reading
from stress.store.reader import RunFile
from stress.store.schema import APPLICATION_ID, SCHEMA, read_as_current

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_BUSY_SECONDS = 5.0
_WAYS = ("mode=rw", "mode=ro", "immutable=1")
_FORMS = "name a run by its path or its name in the results folder; without a name: the latest"


def open_run(path: Path) -> RunFile:
    """The run in a file, as it is at this moment; close it after use.

    Raises:
        RunFileError: it is missing, is not a run file, has a newer schema, or is damaged.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise RunFileError(f"{path} is a folder, not a run file", "name a file in it")
        if not stat.S_ISREG(mode):  # reading a pipe could wait for ever
            raise RunFileError(f"{path} is not a regular file", _FORMS)
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        raise RunFileError(f"there is no run file {path}", _FORMS) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunFileError(f"cannot read {path}: {reason}") from error
    _check_header(path, header)
    with reading(path):
        connection = _connect(path)
        try:
            # `meta` is what other programs read, and so may have written.
            sql = "SELECT value FROM meta WHERE key = 'schema'"
            (schema,) = connection.execute(sql).fetchone() or ("unknown",)
            _check_schema(path, str(schema))
            return RunFile(path, connection)
        except BaseException:
            connection.close()
            raise


def _check_header(path: Path, header: bytes) -> None:
    """Check SQLite's header (https://sqlite.org/fileformat2.html, section 1.3)."""
    if not header:
        raise RunFileError(
            f"{path} is empty: its run is about to begin, or died before it did",
            "start the run again",
        )
    if not header.startswith(_MAGIC):
        raise RunFileError(f"{path} is not a run file: it is not a SQLite database", _FORMS)
    if len(header) < _HEADER_BYTES:
        raise damaged(path, "it ends in the middle of its header")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise RunFileError(
            f"{path} is not a run file: it is another program's SQLite database", _FORMS
        )
    _check_schema(path, str(int.from_bytes(header[60:64], "big")))
    pages = int.from_bytes(header[28:32], "big")
    page_bytes = int.from_bytes(header[16:18], "big")
    size = path.stat().st_size
    log_bytes = 0
    with suppress(OSError):
        log_bytes = path.with_name(f"{path.name}-wal").stat().st_size
    # With a log beside it the file may lag behind its own header for a moment.
    if size < pages * (65536 if page_bytes == 1 else page_bytes) and not log_bytes:
        raise damaged(path, f"it was cut off after {size:,} bytes")


def _check_schema(path: Path, schema: str) -> None:
    if schema.isdecimal() and int(schema) > SCHEMA:
        raise RunFileError(
            f"{path} was written by a newer version of tls-stress: it has schema {schema}, and "
            f"this version reads up to {SCHEMA}",
            "update tls-stress",
        )
    if schema not in {str(number) for number in range(1, SCHEMA + 1)}:
        raise RunFileError(
            f"{path} has the unknown schema {schema}",
            "read it with the version of tls-stress that wrote it",
        )


def _connect(path: Path) -> sqlite3.Connection:
    """A connection that has begun to read.

    Raises:
        sqlite3.Error: the last way in which it could not be opened.
    """
    uri = path.absolute().as_uri()
    for way in _WAYS:
        connection = sqlite3.connect(
            f"{uri}?{way}", uri=True, isolation_level=None, timeout=_BUSY_SECONDS
        )
        try:
            for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "temp_store = MEMORY"):
                connection.execute(f"PRAGMA {pragma}")
            read_as_current(connection)
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM meta").fetchone()
        except sqlite3.Error as error:
            connection.close()
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            closed = code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
            if not closed or way == _WAYS[-1]:
                raise
        else:
            return connection
    raise AssertionError("the last way either opens or raises")
