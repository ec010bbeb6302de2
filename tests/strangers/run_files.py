"""Hostile run files, each made from a true one by one kind of damage.

Names of tables and columns are read from the file itself, so that the damage fits every schema.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
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


def leaf(key: str, path: tuple[object, ...], value: object) -> Damage:
    """One value inside of a JSON document in `meta` is changed."""

    def damage(db: sqlite3.Connection) -> None:
        (text,) = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        said = place = json.loads(text)
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        db.execute("UPDATE meta SET value = ? WHERE key = ?", (json.dumps(said), key))

    return damage


def leaves(said: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """The paths to all values of a JSON document that hold no others."""
    inner: Iterable[tuple[object, object]] = ()
    if isinstance(said, dict):
        inner = said.items()
    elif isinstance(said, list):
        inner = list(enumerate(said))[:1]
    for step, value in inner:
        yield from leaves(value, (*path, step))
    if path and not inner:
        yield path


def changed_leaves(db: sqlite3.Connection) -> dict[str, Damage]:
    """Every value in the plan and the end mark, each replaced by the extremes of its kind."""
    found = {}
    for key in ("plan", "ending"):
        (text,) = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        said = json.loads(text)
        for path in leaves(said):
            was: object = said
            for step in path:
                was = was[step]  # type: ignore[index]  # whatever JSON holds
            values: list[object] = [None]
            if isinstance(was, str):
                values = [HOSTILE_TEXT]
            elif isinstance(was, (int, float)):
                values = [-1, 10**18] if isinstance(was, int) else [-1.0, 1e308]
            elif was is None:
                values = [10**18, HOSTILE_TEXT]
            for number, value in enumerate(values):
                name = f"{key}-{'.'.join(map(str, path))}-{number}"
                found[name] = leaf(key, path, value)
    return found


HOSTILE_TEXT = "\x1b]0;x\x07\u202e;touch pwned;$(touch pwned)=" * 20


def _bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    zeros = bytes(1_000_000)
    return b"".join(packer.compress(zeros) for _ in range(megabytes)) + packer.flush()


def no_key(table: str) -> Damage:
    """A table loses its key, so that a number may stand for many rows."""

    def damage(db: sqlite3.Connection) -> None:
        db.execute(f'ALTER TABLE "{table}" RENAME TO hidden')
        db.execute(f'CREATE TABLE "{table}" AS SELECT * FROM hidden')

    return damage


def virtual(table: str) -> Damage:
    """A table becomes a virtual one, whose rows a module makes."""

    def damage(db: sqlite3.Connection) -> None:
        listed = ", ".join(columns(db, table))
        db.execute(f'ALTER TABLE "{table}" RENAME TO hidden')
        db.execute(f'CREATE VIRTUAL TABLE "{table}" USING fts4({listed})')

    return damage


def endless_pages(table: str) -> Damage:
    """The table's pages point at each other: all children of a page are one page, 19 times over."""

    def damage(db: sqlite3.Connection) -> None:
        (root,) = db.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)
        ).fetchone()
        db.execute("CREATE TABLE filler (x)")
        db.execute(f"INSERT INTO filler {ENDLESS} SELECT zeroblob(4000) FROM n LIMIT 20")
        db.execute("DROP TABLE filler")
        raise InPages(root)

    return damage


class InPages(Exception):  # noqa: N818 - no error: what is left to do is done to the file's bytes
    """The damage is to be done to the pages themselves, from this root on."""


def _link_pages(path: Path, root: int) -> None:
    content = bytearray(path.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    count = len(content) // size
    leaf_page = bytes(content[(root - 1) * size : root * size])
    if leaf_page[0] != 0x0D:  # an interior page: take the leaf that its last child is
        last = int.from_bytes(leaf_page[8:12], "big")
        leaf_page = bytes(content[(last - 1) * size : last * size])
    content += leaf_page
    child = count + 1
    for depth in range(18):
        cells = 200
        page = bytearray(size)
        page[0] = 0x05
        page[3:5] = cells.to_bytes(2, "big")
        page[5:7] = (size - 5 * cells).to_bytes(2, "big")
        page[8:12] = child.to_bytes(4, "big")
        for cell in range(cells):
            offset = size - 5 * (cell + 1)
            page[12 + 2 * cell : 14 + 2 * cell] = offset.to_bytes(2, "big")
            page[offset : offset + 5] = child.to_bytes(4, "big") + bytes([cell % 128])
        if depth == 17:
            content[(root - 1) * size : root * size] = page
        else:
            content += page
            child += 1
    content[28:32] = (len(content) // size).to_bytes(4, "big")
    path.write_bytes(content)


def _many_bombs(db: sqlite3.Connection) -> None:
    others = ", ".join(columns(db, "evidence")[1:-1])
    db.execute("DELETE FROM evidence WHERE id > 1")
    db.execute("UPDATE evidence SET transcript = ?", (_bomb(15),))
    for _ in range(11):
        db.execute(
            f"INSERT INTO evidence ({others}, transcript) SELECT {others}, transcript FROM evidence"
        )


def _transcript_bomb(db: sqlite3.Connection) -> None:
    db.execute("UPDATE evidence SET transcript = ?", (_bomb(800),))


def corpus(true: Path) -> dict[str, Damage]:
    """Every damage by name, for a run file of today's schema."""
    with closing(sqlite3.connect(true)) as db:
        named = tables(db)
        found: dict[str, Damage] = {f"endless-{name}": endless_view(name) for name in named}
        found |= changed_leaves(db)
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
        "group-address": change("attempt_group", "address", 99),
        "group-negative-address": change("attempt_group", "address", -1),
        "group-client": change("attempt_group", "client", 99),
        "group-source": change("attempt_group", "source", 99),
        "group-chain": change("attempt_group", "chain", 99),
        "group-segment": change("attempt_group", "segment", huge),
        "group-small-segment": change("attempt_group", "segment", 99),
        "group-vantage": change("attempt_group", "vantage", 99),
        "vantage-text": sql(
            "INSERT INTO vantage VALUES "
            f"(0, '{HOSTILE_TEXT}', '{HOSTILE_TEXT}', 1, '[\"{DEEP[:40]}\"]', '{{}}', '[]', 1, 1, "
            f"'{HOSTILE_TEXT}', '{HOSTILE_TEXT}')",
            "UPDATE attempt_group SET vantage = 0",
        ),
        "vantage-json": sql(
            f"INSERT INTO vantage VALUES (0, 'x', 'x', 1, '{DEEP}', '{{}}', '[]', NULL, NULL,"
            " '', '')"
        ),
        "vantage-ahead": sql(
            f"INSERT INTO vantage VALUES (0, 'x', 'x', {huge}, '[]', '{{}}', '[]', {huge * 4},"
            " -1, '', '')"
        ),
        "vantage-gap": sql(
            "INSERT INTO vantage VALUES (7, 'x', 'x', 1, '[]', '{}', '[]', NULL, NULL, '', '')"
        ),
        "million-vantages": sql(
            f"INSERT INTO vantage {ENDLESS} "
            "SELECT x - 1, 'v' || x, 'h', x, '[]', '{}', '[]', 0, 0, '', '' FROM n LIMIT"
            " 1000000",
            "UPDATE attempt_group SET vantage = id",
        ),
        "group-flags": change("attempt_group", "flags", huge),
        "group-version": change("attempt_group", "tls_version", huge),
        "group-resumed": change("attempt_group", "resumed", 7),
        "group-alpn": change("attempt_group", "alpn", HOSTILE_TEXT),
        "group-outcome": change("attempt_group", "outcome", "sunshine"),
        "group-span": sql(f"UPDATE attempt_group SET first_ns = {huge}, last_ns = 0"),
        "attempt-number": sql("UPDATE attempt SET arrival = 1000000000000 WHERE arrival = 80"),
        "attempt-gap": sql("DELETE FROM attempt WHERE arrival = 7"),
        "attempt-negative-number": sql("UPDATE attempt SET arrival = -5 WHERE arrival = 80"),
        "no-keys": no_key("attempt"),
        "no-chain-keys": no_key("chain_certificate"),
        "one-certificate-in-a-million-places": sql(
            "UPDATE certificate SET der = zeroblob(15000000)",
            "DELETE FROM chain_certificate",
            f"INSERT INTO chain_certificate {ENDLESS} SELECT 1, x - 1, 1 FROM n LIMIT 200000",
        ),
        "long-detail-of-all": sql(
            "INSERT INTO detail VALUES (998, hex(zeroblob(4000000)))",
            f"INSERT OR REPLACE INTO remark {ENDLESS} SELECT x, 998 FROM n LIMIT 80",
        ),
        "many-bombs": _many_bombs,
        "virtual-table": virtual("cell"),
        "million-cells": sql(
            f"INSERT OR IGNORE INTO cell {ENDLESS} "
            "SELECT x % 1000, x / 1000, 1 FROM n LIMIT 1000000"
        ),
        "million-ports": sql(f"INSERT INTO port {ENDLESS} SELECT x, 1, 1 FROM n LIMIT 1000000"),
        "pages-in-circles": endless_pages("attempt"),
        "remarks-in-circles": endless_pages("remark"),
        "evidence-in-circles": endless_pages("evidence"),
        "index-on-everything": sql("CREATE INDEX i ON attempt (due, late, port, total)"),
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
        root = None
        try:
            damage(db)
        except InPages as pages:
            (root,) = pages.args
        db.execute("COMMIT")
        db.execute("PRAGMA journal_mode = DELETE")
    if root is not None:
        _link_pages(path, root)
    return path
