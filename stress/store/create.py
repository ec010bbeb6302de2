"""Makes a new run file. What exists is never overwritten."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from stress.errors import RunFileError, UsageError
from stress.model.outcome import Stage
from stress.model.plan import Plan
from stress.store.schema import (
    APPLICATION_ID,
    FIRST_BLOCK_NS,
    SCHEMA,
    anchors_fingerprint,
    insert_into,
    plan_text,
    private_anchors,
    schema_text,
)

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
    """A connection to a new run file that knows its plan and no attempt yet.

    An empty file is taken for a reserved name (`stress.store.run_directory`).

    Raises:
        RunFileError: there is a file of this name already.
        UsageError: no file can be made there.
    """
    _claim(path)
    connection = sqlite3.connect(
        path, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False
    )
    try:
        _lay_out(connection, path)
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
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        _describe(connection, plan)
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


def _claim(path: Path) -> None:
    """Make the empty file, readable by its owner alone, or find it empty."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if not path.is_file() or path.stat().st_size:
            raise _exists(path) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write a run file at {path}: {_reason(error)}") from error


def _lay_out(connection: sqlite3.Connection, path: Path) -> None:
    """Create all tables, in a transaction that the caller ends.

    The exclusive lock decides between two that found the same empty file.
    """
    connection.execute("BEGIN EXCLUSIVE")
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise _exists(path)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA}")
    for statement in _statements(schema_text()):
        connection.execute(statement)


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; `executescript` would end our transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""


def _describe(connection: sqlite3.Connection, plan: Plan) -> None:
    """Fill the tables that are known before the first attempt."""
    tables: dict[str, list[tuple[object, ...]]] = {
        "anchor": list(enumerate(private_anchors(plan))),
        "source": list(enumerate(plan.sources)),
        "client": [(i, c.name, c.title, c.policy) for i, c in enumerate(plan.clients)],
        "name": [("stage", stage.value, stage.label) for stage in Stage],
    }
    for table, rows in tables.items():
        if rows:
            connection.executemany(insert_into(table, len(rows[0])), rows)


def _exists(path: Path) -> RunFileError:
    return RunFileError(
        f"{path} exists already, and a run file is never overwritten", "choose another name"
    )


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
