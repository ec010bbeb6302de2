"""The schema of the run file: its number and text, and how parts of it are encoded."""

from __future__ import annotations

import os
import re
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from hashlib import sha256
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from stress.errors import RunFileError, UsageError
from stress.model.attributes import APART, ATTRIBUTES, SHARED, Attribute, Form
from stress.model.outcome import Stage
from stress.model.plan import Plan, Target, check_place
from stress.model.run import Vantage
from stress.model.transcript import Transcript

_T = TypeVar("_T")

SCHEMA = 2
"""Number of the schema that this version writes; it reads all in the history of `schema.sql`."""
APPLICATION_ID = 0x544C5353
"""What SQLite's header says about whose file it is ("TLSS")."""
FIRST_BLOCK_NS = 1_000_000_000
"""Width of a time block at the start of a run; it doubles as the run grows longer."""
WORTH_KEEPING = 100_000
"""From this many attempts on, counts that a reader can make quickly itself are stored, too."""


_GROUP_COLUMNS = ("id", *(each.name for each in SHARED), "side", "first_ns", "last_ns")


@cache
def schema_text() -> str:
    """The whole schema, with its comments; what follows from the table of attributes filled in."""
    shared, columns, joins, apart = [], [], [], []
    for each in SHARED:
        kind = "TEXT" if each.form is Form.TEXT else "INTEGER"
        required = " NOT NULL" if each.always else ""
        references = f" REFERENCES {each.table}" if each.table else ""
        shared.append(f"{f'{each.name} {kind}{required}{references},':<27} -- {each.comment}")
    for each in ATTRIBUTES:
        expressions, needed = _shown(each)
        columns += [f"{expression} AS {name}," for expression, name in expressions]
        joins += needed
        if each.apart:
            apart += [
                f"CREATE TABLE {each.name} ( -- {each.comment}; only where there are any.",
                "  arrival INTEGER PRIMARY KEY REFERENCES attempt, -- which attempt",
                "  value INTEGER NOT NULL      -- how many",
                ");\n",
            ]
    text = files("stress.store").joinpath("schema.sql").read_text(encoding="utf-8")
    for mark, lines in (
        ("@shared@", shared),
        ("@apart@", apart),
        ("@columns@", columns),
        ("@joins@", joins),
    ):
        before, indent, after = re.split(f"^( *){mark}", text, maxsplit=1, flags=re.MULTILINE)
        text = before + "\n".join(f"{indent}{line}" for line in lines) + after
    return text


def _shown(each: Attribute) -> tuple[list[tuple[str, str]], list[str]]:
    """How the view `handshake` shows an attribute: expressions with names, and lines of joins."""
    name = each.name
    if each.measured:
        return [(f"attempt.{each.measured}", name)], []
    if each.apart:
        return [(f"{name}.value", name)], [f"LEFT JOIN {name} ON {name}.arrival = attempt.arrival"]
    if each.form is Form.NAMED:
        match = f"  ON {name}.kind = '{name}' AND {name}.number = attempt_group.{name}"
        return [(f"{name}.name", name)], [f"LEFT JOIN name AS {name}", match]
    if each.shown:
        join = f"LEFT JOIN {each.table} ON {each.table}.id = attempt_group.{name}"
        return [(f"{each.table}.{column}", alias) for column, alias in each.shown], [join]
    return [(f"attempt_group.{name}", name)], []


def group_query() -> tuple[list[str], str]:
    """The columns of the view `handshake` that the attempts of a group share, and their SELECT.

    Before these columns it gives the number of the group.
    """
    shown = [_shown(each) for each in SHARED]
    columns = [one for expressions, _ in shown for one in expressions]
    joins = " ".join(line for _, lines in shown for line in lines)
    texts = ", ".join(expression for expression, _ in columns)
    sql = f"SELECT attempt_group.id, {texts} FROM attempt_group {joins}"  # noqa: S608 - our names
    return [name for _, name in columns], sql


def read_as_current(connection: sqlite3.Connection) -> None:
    """Let an older file answer today's queries: temporary views take the place of its tables.

    A column that the file does not have reads as NULL. The file itself is not changed.
    """
    tables = {row[0] for row in connection.execute("SELECT name FROM main.sqlite_master")}
    for each in APART:
        if each.name not in tables:
            connection.execute(
                f"CREATE TEMP VIEW {each.name} AS SELECT NULL AS arrival, NULL AS value WHERE 0"
            )
    if "vantage" not in tables:
        connection.execute(
            "CREATE TEMP VIEW vantage AS SELECT NULL AS id, NULL AS name, NULL AS host, NULL AS "
            "started_ns, NULL AS networks, NULL AS versions, NULL AS answers, NULL AS offset_ns, "
            "NULL AS error_ns, NULL AS rows, NULL AS secrets WHERE 0"
        )
    if "versions" not in {row[1] for row in connection.execute("PRAGMA main.table_info(finding)")}:
        connection.execute(
            "CREATE TEMP VIEW finding AS SELECT *, NULL AS versions FROM main.finding"
        )
    first = connection.execute("PRAGMA user_version").fetchone()[0] == 1
    table = "attribute" if first else "attempt_group"
    found = {row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")}
    if first:
        for name in ("attempt", "cell"):
            connection.execute(
                f"CREATE TEMP VIEW {name} AS SELECT *, attribute AS attempt_group FROM main.{name}"  # noqa: S608 - our names
            )
    if first or not found.issuperset(_GROUP_COLUMNS):
        columns = (name if name in found else f"NULL AS {name}" for name in _GROUP_COLUMNS)
        connection.execute(
            f"CREATE TEMP VIEW attempt_group AS SELECT {', '.join(columns)} FROM main.{table}"  # noqa: S608 - our names
        )


def text_columns() -> frozenset[str]:
    """The columns of the view `handshake` that hold text; the others hold integers."""
    texts = [each for each in ATTRIBUTES if each.is_text]
    shown = [alias for each in texts for _, alias in each.shown]
    return frozenset({"detail", *shown, *(each.name for each in texts if not each.shown)})


def insert_into(table: str, columns: int) -> str:
    """An INSERT of whole rows into one of our tables."""
    return f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})"  # noqa: S608 - our own names


@cache
def view_text(name: str) -> str:
    """The SELECT of one view; a reader does not trust the views in a file."""
    found = re.search(rf"CREATE VIEW {name} AS[^\n]*\n(.*?);", schema_text(), re.DOTALL)
    assert found is not None, name
    return found[1]


# The plan is JSON in `meta`. The anchors of a system store are many and on every machine, so only
# their fingerprint is stored. Anchors given with the run are stored whole: others may lack them.


def plan_text(plan: Plan) -> str:
    """The plan as JSON, without its anchors."""
    bare = replace(plan, trust=replace(plan.trust, anchors=()))
    return msgspec.json.encode(bare).decode()


def private_anchors(plan: Plan) -> tuple[bytes, ...]:
    """The anchors to store with the run."""
    return plan.trust.anchors if plan.trust.private else ()


def anchors_fingerprint(plan: Plan) -> str:
    """SHA-256, as hexadecimal, over the sorted SHA-256 of all anchors."""
    prints = sorted(sha256(der).digest() for der in plan.trust.anchors)
    return sha256(b"".join(prints)).hexdigest()


def decoded(name: str, text: str, kind: type[_T]) -> _T:
    """A JSON document of the file, as a `kind`.

    Raises:
        ValueError: it is none; the message begins with the name and the place in it.
    """
    with naming(name):
        return msgspec.json.decode(text, type=kind)


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Put the name of a part of the file before what is wrong with its value."""
    try:
        yield
    except (msgspec.MsgspecError, ValueError) as error:
        what, _, place = str(error).replace("`", "").partition(" - at $")
        raise ValueError(f"{name}{place}: {what}") from error


def read_plan(text: str, anchors: Sequence[bytes]) -> Plan:
    """The stored plan, with the stored anchors.

    Raises:
        ValueError: the text is not a plan, or an address in it is none.
    """
    plan = decoded("plan", text, Plan)
    with naming("plan"):
        for ip in plan.sources:
            ip_address(ip)
        for address in plan.addresses:
            check_place(address.ip, names=plan.proxy is not None)
        if plan.proxy is not None:
            ip_address(plan.proxy.ip)
            Target(plan.proxy.host, plan.proxy.port)
    return replace(plan, trust=replace(plan.trust, anchors=tuple(anchors)))


MOST_BYTES: Final = 1 << 24
"""Far more than a transcript has; a file from elsewhere may hold a bomb."""
MOST_TRANSCRIPT_BYTES: Final = 100_000_000
"""Bytes of all transcripts of a small file: twice what is kept unless the plan says more."""


def encode_transcript(transcript: Transcript) -> bytes:
    """The transcript as compressed MessagePack."""
    return zlib.compress(msgspec.msgpack.encode(transcript))


def decode_transcript(blob: bytes) -> Transcript:
    """The transcript of such a blob.

    Raises:
        ValueError: the blob is not a transcript.
    """
    reader = zlib.decompressobj()
    try:
        text = reader.decompress(blob, MOST_BYTES)
    except zlib.error as error:
        raise ValueError(f"a transcript cannot be read: {error}") from error
    if not reader.eof:
        raise ValueError("a transcript has no end, or is far too large")
    with naming("evidence.transcript"):
        return msgspec.msgpack.decode(text, type=Transcript)


def vantage_row(vantage: Vantage) -> tuple[object, ...]:
    """A vantage as a row of its table, without the index."""
    lists = (vantage.networks, dict(vantage.versions), vantage.answers)
    return (
        vantage.name,
        vantage.host,
        vantage.started_ns,
        *(msgspec.json.encode(each).decode() for each in lists),
        vantage.offset_ns,
        vantage.error_ns,
        vantage.rows,
        vantage.secrets,
    )


# Create a new run file. An existing run is never overwritten.

_BUSY_SECONDS = 5.0


def create_file(
    path: Path,
    plan: Plan,
    *,
    started_ns: int,
    versions: Mapping[str, str],
    host: str,
    stood_ns: int = 0,
) -> sqlite3.Connection:
    """A connection to a new run file that holds its plan and no attempt yet.

    An empty file is taken for a reserved name (`stress.store.opening`).

    Raises:
        RunFileError: there is a file of this name already.
        UsageError: no file can be made there.
    """
    taken = RunFileError(
        f"{path} exists already, and a run file is never overwritten", "choose another name"
    )
    try:
        # Readable by its owner alone.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if path.is_symlink() or not path.is_file() or path.stat().st_size:
            raise taken from None
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(f"cannot write a run file at {path}: {reason}") from error
    connection = sqlite3.connect(
        path, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False
    )
    try:
        meta = {
            "schema": str(SCHEMA),
            "plan": plan_text(plan),
            "anchors_sha256": anchors_fingerprint(plan),
            "versions": msgspec.json.encode(dict(versions)).decode(),
            "host": host,
            "started_ns": str(started_ns),
            "started": "0",
            "stood_ns": str(stood_ns),
            "block_ns": str(FIRST_BLOCK_NS),
            "counted": "0",
        }
        _fill(connection, plan, meta, taken)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.Error as error:
        connection.close()
        raise UsageError(f"cannot write a run file at {path}: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _fill(
    connection: sqlite3.Connection, plan: Plan, meta: Mapping[str, str], taken: RunFileError
) -> None:
    """Create all tables, and write what is known before the first attempt.

    The caller ends the transaction; `executescript` would end it, too.
    """
    # The exclusive lock decides between two processes that found the same empty file.
    connection.execute("BEGIN EXCLUSIVE")
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise taken
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA}")
    statement = ""
    for line in schema_text().splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
    tables: dict[str, list[tuple[object, ...]]] = {
        "meta": list(meta.items()),
        "anchor": list(enumerate(private_anchors(plan))),
        "source": list(enumerate(plan.sources)),
        "client": [
            (number, one.name, one.title, one.policy, plan.stack_of(one))
            for number, one in enumerate(plan.clients)
        ],
        "name": [("stage", stage.value, stage.label) for stage in Stage],
    }
    for table, rows in tables.items():
        if rows:
            connection.executemany(insert_into(table, len(rows[0])), rows)
