"""Open a run file that may come from anywhere: damaged, or made to harm whoever reads it.

A file can do no more than be refused with a sentence, and each way to do more is closed here:

* A table may be a view without an end, or have columns that are computed: before the first SELECT,
  each table that is read must be a table, with keys and types of our schema. Views are never used.
* Pages may point at each other in circles, so that a small file has rows without end: SQLite's
  steps, and the bytes that are fetched, are limited in proportion to the size of the file.
* A value may claim to be gigabytes, or be a number that no run can have: its length is limited, and
  every value is checked for its type and range.
* Opening for writing could change the file, or another to which a link beside it leads: only what
  a killed run of this user has left beside its file is recovered; all else is opened unchangeable.
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from itertools import count
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from stress.errors import RunFileError, UsageError
from stress.model.attributes import APART
from stress.store.schema import APPLICATION_ID, SCHEMA, read_as_current, schema_text
from stress.text.numbers import some

Whole = Annotated[int, Meta(ge=0, le=1 << 53)]
"""A count, an index, or the number of a row."""
Bit = Annotated[int, Meta(ge=0, le=1)]
Port = Annotated[int, Meta(ge=0, le=65_535)]
Moment = Annotated[int, Meta(ge=0, le=1 << 62)]
"""Unix time in nanoseconds, up to the year 2116."""
Second = Annotated[int, Meta(ge=-62_135_596_800, le=253_402_300_799)]
"""Unix time in seconds, in the years 1 to 9999."""
Span = Annotated[int, Meta(ge=-(1 << 56), le=1 << 56)]
"""Nanoseconds, up to two years; clocks that are set make small negative ones."""
Width = Annotated[int, Meta(ge=1, le=1 << 62)]
"""Nanoseconds of a time block."""
Text = Annotated[str, Meta(max_length=100_000)]
Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]

SHORT = 300_000
"""Bytes of one row or value; enough for all but certificates, transcripts and the plan."""
LONG = 20_000_000
"""More than a certificate (16 MB at most in TLS), a transcript or a plan takes."""
BATCH = 2000
"""Rows that are fetched at once."""

_STEPS_AT_ONCE = 100_000
_ROUNDS = 1000
_BYTES_IN_A_ROUND = 500
"""SQLite may take 100 million steps (two seconds), and 200 more for each byte of the file."""
_DAMAGE = (
    sqlite3.Error,
    ValueError,  # also text that is no UTF-8, and a histogram that is none
    TypeError,
    AttributeError,
    ArithmeticError,
    KeyError,
    IndexError,
    RecursionError,
    msgspec.MsgspecError,
)
_WHY = {
    "SQLITE_INTERRUPT": "it has far more rows than its size allows",
    "SQLITE_TOOBIG": "a value is longer than any in a run",
}
_FORMS = "name a run by its path or its name in the results directory; without a name: the latest"
LOGS = ("-wal", "-shm", "-journal")
"""What SQLite adds to the name of a file for the files beside it."""
_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_BUSY_SECONDS = 5.0
_T = TypeVar("_T")


def damaged(path: Path, why: object) -> RunFileError:
    """The error for a file that cannot be read."""
    return RunFileError(
        f"the run file {path} is damaged: {why}",
        "use a copy if there is one; `sqlite3 FILE .recover` may save the rest",
    )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn any error of reading a damaged file into a `RunFileError`.

    Raises:
        RunFileError: the file cannot be read.
    """
    try:
        yield
    except _DAMAGE as error:
        why = _WHY.get(getattr(error, "sqlite_errorname", ""), str(error)[:1000])
        if isinstance(error, KeyError):
            why = f"it lacks {why}"
        raise damaged(path, why) from error


def connect(path: Path, *, recover: bool = True) -> sqlite3.Connection:
    """A connection that has begun to read a run file.

    Args:
        path: where it is said to be.
        recover: use the log of a run that goes on or was killed, if there is one.

    Raises:
        RunFileError: it is missing, is not a run file, or has another schema.
        sqlite3.Error, ValueError: it is damaged.
    """
    header = _header(path)
    size, ways = _ways(path)
    pages = int.from_bytes(header[28:32], "big")
    page_bytes = int.from_bytes(header[16:18], "big")
    # With a log beside it the file may lag behind its own header for a moment.
    if len(ways) == 1 and size < pages * (65536 if page_bytes == 1 else page_bytes):
        raise damaged(path, f"it was cut off after {size:,} bytes")
    for way in ways if recover else ways[-1:]:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{way}",
            uri=True,
            isolation_level=None,
            timeout=_BUSY_SECONDS,
        )
        try:
            _limit(connection, size)
            _check_tables(connection)
            read_as_current(connection)
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            # `meta` is what other programs read, and so may have written.
            sql = "SELECT value FROM meta WHERE key = 'schema'"
            (schema,) = connection.execute(sql).fetchone() or ("unknown",)
            _check_schema(path, str(schema))
        except BaseException as error:
            connection.close()
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            closed = code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
            if not closed or way == ways[-1]:
                raise
        else:
            return connection
    raise AssertionError("the last way either opens or raises")


def release(connection: sqlite3.Connection) -> None:
    """Close a connection; may be called again.

    A run that died left a log beside its file: the last to close folds it in. A run that still goes
    on holds a lock, so nothing happens to it, and neither to what was opened for reading.
    """
    with suppress(sqlite3.Error):
        connection.execute("ROLLBACK")
        connection.execute("PRAGMA query_only = OFF")
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    connection.close()


def _header(path: Path) -> bytes:
    """SQLite's header (https://sqlite.org/fileformat2.html, section 1.3), which says it is ours."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise RunFileError(f"{path} is a folder, not a run file", "name a file in it")
        if not stat.S_ISREG(status.st_mode):  # reading a pipe could wait for ever
            raise RunFileError(f"{path} is not a regular file", _FORMS)
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        raise RunFileError(f"there is no run file {path}", _FORMS) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunFileError(f"cannot read {path}: {reason}") from error
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
    return header


def _ways(path: Path) -> tuple[int, list[str]]:
    """The bytes of the file and of the logs beside it, and the ways to open it, best first."""
    status, ways = path.stat(), ["immutable=1"]
    size, logs = status.st_size, []
    for suffix in LOGS:
        with suppress(FileNotFoundError):
            logs.append(path.with_name(path.name + suffix).lstat())
    size += sum(log.st_size for log in logs)
    if logs and all(stat.S_ISREG(log.st_mode) for log in logs):
        # A run goes on, or was killed and has left its last seconds in a log. SQLite folds that in
        # when the file is opened for writing; where even the log cannot be used, we do without.
        ways.insert(0, "mode=ro")
        owners = {os.geteuid(), status.st_uid, *(log.st_uid for log in logs)}
        if len(owners) == 1 and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
            ways.insert(0, "mode=rw")
    return size, ways


def _check_schema(path: Path, schema: str) -> None:
    if schema.isdecimal() and int(schema[:9]) > SCHEMA:
        raise RunFileError(
            f"{path} was written by a newer version of tls-stress: it has schema {schema[:9]}, and "
            f"this version reads up to {SCHEMA}",
            "update tls-stress",
        )
    if schema not in {str(number) for number in range(1, SCHEMA + 1)}:
        raise RunFileError(
            f"{path} has the unknown schema {schema[:80]}",
            "read it with the version of tls-stress that wrote it",
        )


def _limit(connection: sqlite3.Connection, size: int) -> None:
    """Limit what a connection to a file of this size may cost."""
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)  # noqa: FBT003
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, SHORT)
    rounds = iter(range(_ROUNDS + size // _BYTES_IN_A_ROUND))
    connection.set_progress_handler(lambda: next(rounds, None) is None, _STEPS_AT_ONCE)
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


@cache
def _our_tables() -> dict[str, dict[str, tuple[object, ...]]]:
    """Of each table of the schema: its columns, each with its type and place in the key."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(schema_text())
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: _columns(connection, name) for (name,) in names}


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, tuple[object, ...]]:
    rows = connection.execute(f"PRAGMA main.table_xinfo({table})")
    return {name: (kind, key, hidden) for _, name, kind, _, _, key, hidden in rows}


def _check_tables(connection: sqlite3.Connection) -> None:
    """Raise ValueError unless all tables are true ones: no view, nothing virtual or computed.

    SQLite makes sure that the type of an entry is that of its text. Views are not even described:
    those made of each other many times over would take for ever.
    """
    first = connection.execute("PRAGMA user_version").fetchone()[0] == 1
    kinds = dict(connection.execute("SELECT lower(name), type FROM main.sqlite_master"))
    for table, ours in _our_tables().items():
        name = "attribute" if first and table == "attempt_group" else table
        if name not in kinds:
            if table in {"record_part", "vantage"} or any(table == each.name for each in APART):
                continue  # younger than the file
            raise ValueError(f"no such table: {name}")
        if kinds[name] != "table":
            raise ValueError(f"there is a {kinds[name][:20]} in the place of the table {name}")
        for column, found in _columns(connection, name).items():
            known = "attempt_group" if first and column == "attribute" else column
            if found != ours.get(known, (found[0], 0, 0)):
                raise ValueError(f"{name}.{column[:80]} is not the column of this name")


def fetch(
    connection: sqlite3.Connection,
    sql: str,
    kind: Any,
    values: Sequence[object] = (),
    *,
    longest: int = SHORT,
    at_once: int = BATCH,
) -> Iterator[list[Any]]:
    """The rows of a query in batches, each row a `kind`: a tuple with types.

    Rows are checked many at a time: to understand such a type takes longer than to check a row.

    Raises:
        ValueError: a value has another type, or is out of range.
    """
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)
    cursor = connection.execute(sql, values)
    while batch := cursor.fetchmany(at_once):
        try:
            # With bytes as a type of its own, text is not taken for base64.
            rows = msgspec.convert(batch, list[kind], builtin_types=(bytes,))
        except msgspec.ValidationError as error:
            what, row, column = re.split(r" - at `\$\[|\]\[|\]`", str(error))[:3]
            name = _column_name(sql, cursor, int(column))
            raise ValueError(_unfit(name, batch[int(row)][int(column)], what)) from error
        yield rows
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)  # others may have set it


def _column_name(sql: str, cursor: sqlite3.Cursor, index: int) -> str:
    """The table and column of a result; of what is computed, the name alone."""
    select, _, source = " ".join(sql.split()).removeprefix("SELECT ").partition(" FROM ")
    columns = [each.partition(" AS ")[0].strip() for each in select.split(",")]
    if len(columns) != len(cursor.description):
        return str(cursor.description[index][0])
    table = [] if "." in columns[index] else source.split()[:1]
    return ".".join([*table, columns[index]])


def _unfit(name: str, value: object, what: str) -> str:
    """What is wrong with a value: `attempt.total is -15: Expected int >= 0`."""
    return f"{name} is {value!r:.60}: {what.replace('`', '')}"


def fetch_all(
    connection: sqlite3.Connection, sql: str, kind: type[_T], *, longest: int = SHORT
) -> list[_T]:
    """All rows of a query of one table.

    Raises:
        ValueError: a value has another type or is out of range, or there are more rows than the
            size of the file allows.
    """
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    left = 1_000_000 + 4 * pages * page_bytes
    rows: list[Any] = []
    for batch in fetch(connection, sql, kind, longest=longest):
        rows += batch
        for column in zip(*batch, strict=True):
            if not {str, bytes}.isdisjoint(map(type, column)):  # most columns are numbers
                left -= sum(4 + len(v) for v in column if isinstance(v, (str, bytes)))
        if left < 4 * len(rows):
            raise ValueError(_WHY["SQLITE_INTERRUPT"])
    return rows


def checked(name: str, value: object, kind: type[_T]) -> _T:
    """The value of that name as a `kind`; a number may be written as text.

    Raises:
        ValueError: it has another type, or is out of range.
    """
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(_unfit(name, value, str(error))) from error


def check_numbers(numbers: Sequence[int]) -> None:
    """Raise ValueError unless these count up from 0: they are used as indexes."""
    if list(numbers) != list(range(len(numbers))):
        raise ValueError("a numbered table has gaps")


# The results directory: reserve a name for a new run, and find the file of a run.

_SUFFIX = ".db"
_LONGEST_HOST = 100
_NEAREST = 3


def default_name(host: str, utc: datetime) -> str:
    """HOST-UTC, safe as the name of a file, such as `example.com-20261031T101500Z`."""
    safe = re.sub(r"[^A-Za-z0-9.-]+", "-", host)[:_LONGEST_HOST].strip(".-")
    return f"{safe or 'run'}-{utc.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def reserve(folder: Path, name: str) -> Path:
    """An empty file `folder/name.db` that belongs to the caller alone.

    A taken name gets `-2`, `-3` and so on; two runs that reserve at once get two names. The folder
    is made if it is missing and its parent exists.

    Raises:
        UsageError: the name would leave the folder or cannot be a file's, or the folder cannot be
            made or written to.
    """
    stem = name.removesuffix(_SUFFIX)
    unsafe = any(unicodedata.category(mark).startswith("C") or mark in "/\\:" for mark in stem)
    if unsafe or stem.startswith((".", "-")) or not stem:
        raise UsageError(
            f"{name!r} cannot be the name of a run",
            "use letters, digits, dots and dashes, beginning with a letter or a digit",
        )
    action = "make"
    try:
        folder.mkdir(exist_ok=True)
        action = "write to"
        for number in count(1):
            path = folder / f"{stem}{'' if number == 1 else f'-{number}'}{_SUFFIX}"
            # SQLite would follow a link, or take for its own what lies beside the file.
            if any(os.path.lexists(f"{path}{log}") for log in LOGS):
                continue
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
                return path
    except FileNotFoundError:
        raise UsageError(
            f"cannot make the results directory {folder}: {folder.parent} does not exist",
            "make its parent first, or choose another with --results DIR",
        ) from None
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(
            f"cannot {action} the results directory {folder}: {reason}",
            "choose another with --results DIR",
        ) from error
    raise AssertionError("counting does not end")


def locate(run: str | None, folder: Path) -> Path:
    """The file of a run.

    Args:
        run: a path, a name in the results directory or the current one, or None for the latest run.
        folder: the results directory.

    Raises:
        RunFileError: there is no such run; the hint has the nearest names.
    """
    if run is None:
        paths = run_files(folder)
        if not paths:
            raise RunFileError(f"there is no run in {folder} yet", "make one with `tls-stress run`")
        return max(paths, key=lambda path: (_started_ns(path), path.name))
    if os.sep in run:
        candidates = [Path(run), Path(run + _SUFFIX)]
    else:  # a plain name is looked for in the results directory first, then here
        file = f"{run.removesuffix(_SUFFIX)}{_SUFFIX}"
        candidates = [folder / file, Path(run), Path(file)] if run else []
    for path in candidates:
        with suppress(OSError, ValueError):
            if path.exists():
                return path
    names = sorted(path.stem for path in run_files(folder))
    nearest = get_close_matches(run.removesuffix(_SUFFIX), names, n=_NEAREST, cutoff=0.4)
    listed = some(names, _NEAREST) or "no runs yet"
    hint = f"did you mean {', '.join(nearest)}?" if nearest else f"{folder} has {listed}"
    raise RunFileError(f"there is no run {run!r}", hint)


def run_files(folder: Path) -> Sequence[Path]:
    """The run files of a folder; an empty one is only reserved."""
    paths = []
    with suppress(OSError):
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            with suppress(OSError):
                if path.is_file() and path.stat().st_size:
                    paths.append(path)
    return paths


def _started_ns(path: Path) -> int:
    """When a run started: written before anything else, so it can be read beside a live writer.

    0 for what is not a run file: it is never the latest while there is a run.
    """
    try:
        with reading(path), closing(connect(path, recover=False)) as connection:
            sql = "SELECT value FROM meta WHERE key = 'started_ns'"
            return int(connection.execute(sql).fetchone()[0])
    except RunFileError:
        return 0
