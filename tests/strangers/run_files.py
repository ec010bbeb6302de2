"""Hostile run files, each made from a true one by one kind of damage.

Names of tables and columns are read from the file itself, so that the damage fits every schema.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from shutil import copyfile

Damage = Callable[[sqlite3.Connection], None]
ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
DEEP = "[" * 200_000 + "]" * 200_000


def tables(db: sqlite3.Connection) -> list[str]:
    found = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    return [name for (name,) in found if not name.startswith("sqlite_")]


def columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in db.execute(f'PRAGMA table_info("{table}")')]


def endless_view(table: str) -> Damage:
    """A table becomes a view that never ends."""

    def damage(db: sqlite3.Connection) -> None:
        listed = ", ".join(f'x AS "{name}"' for name in columns(db, table))
        db.execute(f'ALTER TABLE "{table}" RENAME TO hidden')
        db.execute(f'CREATE VIEW "{table}" AS {ENDLESS} SELECT {listed} FROM n')

    return damage


def huge_view(table: str, column: str) -> Damage:
    """A table becomes a view with a value of a gigabyte."""

    def damage(db: sqlite3.Connection) -> None:
        names = columns(db, table)
        listed = ", ".join(
            f'zeroblob(900000000) AS "{name}"' if name == column else f'"{name}"' for name in names
        )
        db.execute(f'ALTER TABLE "{table}" RENAME TO hidden')
        db.execute(f'CREATE VIEW "{table}" AS SELECT {listed} FROM hidden')

    return damage


def generated(table: str, column: str, expression: str) -> Damage:
    """A column becomes a generated one."""

    def damage(db: sqlite3.Connection) -> None:
        names = columns(db, table)
        listed = ", ".join(
            f'"{name}" GENERATED ALWAYS AS ({expression})' if name == column else f'"{name}"'
            for name in names
        )
        kept = ", ".join(f'"{name}"' for name in names if name != column)
        db.execute(f'ALTER TABLE "{table}" RENAME TO hidden')
        db.execute(f'CREATE TABLE "{table}" ({listed})')
        db.execute(f'INSERT INTO "{table}" ({kept}) SELECT {kept} FROM hidden')

    return damage


def change(table: str, column: str, value: object) -> Damage:
    """One column of all rows gets a value."""

    def damage(db: sqlite3.Connection) -> None:
        db.execute(f'UPDATE OR IGNORE "{table}" SET "{column}" = ?', (value,))

    return damage


def meta(key: str, value: str) -> Damage:
    """A fact of the run gets another text."""

    def damage(db: sqlite3.Connection) -> None:
        db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    return damage


def plan(change_plan: Callable[[dict[str, object]], None]) -> Damage:
    """The plan is changed as a whole."""

    def damage(db: sqlite3.Connection) -> None:
        (text,) = db.execute("SELECT value FROM meta WHERE key = 'plan'").fetchone()
        said = json.loads(text)
        change_plan(said)
        db.execute("UPDATE meta SET value = ? WHERE key = 'plan'", (json.dumps(said),))

    return damage


def sql(*statements: str) -> Damage:
    """Statements as they stand."""

    def damage(db: sqlite3.Connection) -> None:
        for statement in statements:
            db.execute(statement)

    return damage


def _bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    zeros = bytes(1_000_000)
    return b"".join(packer.compress(zeros) for _ in range(megabytes)) + packer.flush()


def _transcript_bomb(db: sqlite3.Connection) -> None:
    db.execute("UPDATE evidence SET transcript = ?", (_bomb(800),))


def corpus(true: Path) -> dict[str, Damage]:
    """Every damage by name, for a run file of today's schema."""
    with closing(sqlite3.connect(true)) as db:
        named = tables(db)
        found: dict[str, Damage] = {f"endless-{name}": endless_view(name) for name in named}
    huge = 10**18
    found |= {
        "view-of-a-gigabyte": huge_view("certificate", "der"),
        "generated-gigabyte": generated("certificate", "der", "zeroblob(900000000)"),
        "transcript-bomb": _transcript_bomb,
        "block-of-a-trillion": change("cell", "block", 10**12),
        "negative-block": change("cell", "block", -1),
        "negative-count": change("cell", "count", -15),
        "count-of-a-quintillion": change("cell", "count", huge),
        "count-as-text": change("cell", "count", "many"),
        "count-as-real": change("cell", "count", 1e300),
        "port-counts": sql(
            "INSERT INTO port VALUES (1, -5, 70)", "INSERT INTO port VALUES (2, 1, 9)"
        ),
        "port-out-of-range": sql(f"INSERT INTO port VALUES ({huge}, 1, 1)"),
        "histogram-count": change("histogram", "count", -3),
        "histogram-nonsense": change("histogram", "hdr", "A" * 100_000),
        "attempt-port": change("attempt", "port", -9),
        "attempt-due": change("attempt", "due", -huge),
        "attempt-late": change("attempt", "late", huge),
        "attempt-bytes": change("attempt", "bytes", -1),
        "attempt-connect": change("attempt", "connect", -huge),
        "attempt-lead": change("attempt", "lead", huge),
        "address-text": change("address", "text", "\x1b]0;x\x07\u202e" * 50),
        "address-ip": change("address", "ip", "nowhere"),
        "address-port": change("address", "port", 70_000),
        "address-label": change("address", "label", "=cmd|' /C calc'!A0\x1b[2J"),
        "certificate-empty": change("certificate", "der", b""),
        "certificate-noise": change(
            "certificate", "der", b"\x30\x84\xff\xff\xff\xff" + bytes(1000)
        ),
        "chain-position": sql("UPDATE chain_certificate SET position = position + 1000000000"),
        "verdict-at": change("verdict", "at", huge),
        "verdict-policy": change("verdict", "policy", "../../../etc/passwd"),
        "verdict-families": change("verdict", "families", DEEP),
        "finding-detail": change("finding", "detail", "\x1b[31m" + "A" * 5_000_000),
        "detail-large": sql(
            "INSERT INTO detail VALUES (999, hex(zeroblob(20000000)))",
            "UPDATE remark SET detail = 999",
        ),
        "meta-started": meta("started", "-3"),
        "meta-started-ns": meta("started_ns", str(huge * 1000)),
        "meta-negative-start": meta("started_ns", str(-huge)),
        "meta-counted": meta("counted", str(huge)),
        "meta-block-zero": meta("block_ns", "0"),
        "meta-block-one": meta("block_ns", "1"),
        "meta-histogram-block": meta("histogram_block_ns", "-1"),
        "meta-host": meta("host", "x;touch pwned;$(touch pwned)\x1b[2J"),
        "plan-deep": meta("plan", DEEP),
        "plan-object-deep": meta("plan", '{"a":' * 100_000 + "1" + "}" * 100_000),
        "plan-number": meta("plan", "1" * 400_000),
        "plan-empty": meta("plan", "{}"),
        "plan-nan": meta("plan", "NaN"),
        "versions-deep": meta("versions", DEEP),
        "ending-deep": meta("ending", DEEP),
        "ending-null": meta("ending", "null"),
        "no-meta": sql("DELETE FROM meta"),
        "no-client": sql("DELETE FROM client"),
        "no-address": sql("DELETE FROM address"),
        "no-cell": sql("DROP TABLE cell"),
        "no-attempt": sql("DELETE FROM attempt"),
        "trigger": sql(
            "CREATE TRIGGER t AFTER UPDATE ON meta BEGIN DELETE FROM cell; END",
            "CREATE TABLE extra (x)",
        ),
        "many-tables": sql(*(f"CREATE TABLE t{number} (x)" for number in range(3000))),
    }
    return found


def make(true: Path, damage: Damage, path: Path) -> Path:
    """A copy of a true run file with the damage."""
    copyfile(true, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("PRAGMA legacy_alter_table = ON")
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'view'").fetchall():
            db.execute(f'DROP VIEW "{name}"')  # ours are not read; they would hinder a renaming
        db.execute("BEGIN")
        damage(db)
        db.execute("COMMIT")
        db.execute("PRAGMA journal_mode = DELETE")
    return path
