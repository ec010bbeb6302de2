"""Create a new run file. An existing run is never overwritten."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
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
    """A connection to a new run file that holds its plan and no attempt yet.

    An empty file is taken for a reserved name (`stress.store.run_directory`).

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
        if not path.is_file() or path.stat().st_size:
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
        "client": [(i, c.name, c.title, c.policy) for i, c in enumerate(plan.clients)],
        "name": [("stage", stage.value, stage.label) for stage in Stage],
    }
    for table, rows in tables.items():
        if rows:
            connection.executemany(insert_into(table, len(rows[0])), rows)
