"""The schema text is complete: every table and column says what it is."""

from __future__ import annotations

import re
import sqlite3

import pytest

from stress.store.schema import SCHEMA, insert_into, schema_text, view_text

CONTRACT_COLUMNS = {
    *("id", "due_ns", "started_ns", "address", "local_port", "client", "outcome", "stage"),
    *("chain", "tls_version", "cipher", "key_group", "alpn", "resumed"),
    *("connect_ns", "server_ns", "handshake_ns", "lag_ns", "bytes_received"),
}
VIEWS = ["handshake", "failures", "chains_seen", "by_address"]


def tables() -> dict[str, str]:
    """The text of each table by name."""
    return dict(re.findall(r"CREATE TABLE (\w+) (\(.*?\n\)[^;]*;)", schema_text(), re.DOTALL))


def test_the_history_ends_with_the_number() -> None:
    history = re.findall(r"^--   (\d+)  \S", schema_text(), re.MULTILINE)

    assert history == [str(number) for number in range(1, SCHEMA + 1)]


def test_every_table_and_view_has_a_sentence() -> None:
    opening = r"CREATE (?:TABLE|VIEW) \w+ (?:\(|AS) -- [A-Z].*\.$"
    opened = re.findall(opening, schema_text(), re.MULTILINE)

    assert len(opened) == len(re.findall(r"CREATE (?:TABLE|VIEW)", schema_text()))


@pytest.mark.parametrize("name", sorted(tables()))
def test_every_column_is_explained(name: str) -> None:
    lines = [line.strip() for line in tables()[name].splitlines()[1:-1]]
    columns = [line for line in lines if re.match(r"[a-z]", line)]

    assert columns
    assert [line for line in columns if " -- " not in line] == []


@pytest.mark.parametrize("name", VIEWS)
def test_views_can_be_read(name: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(schema_text())
    stored = connection.execute(f"SELECT * FROM {name}").fetchall()
    ours = connection.execute(view_text(name)).fetchall()
    connection.close()

    assert stored == ours == []


def test_handshake_has_the_columns_that_users_rely_on() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(schema_text())
    cursor = connection.execute("SELECT * FROM handshake")
    columns = {column[0] for column in cursor.description}
    connection.close()

    assert columns >= CONTRACT_COLUMNS


def test_an_insert_has_a_mark_for_each_column() -> None:
    assert insert_into("port", 3) == "INSERT INTO port VALUES (?, ?, ?)"
