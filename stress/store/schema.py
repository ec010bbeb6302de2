"""The schema of the run file: its number, its text, and what it is recognised by."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

SCHEMA = 1
"""Number of the schema that this version writes and reads; `schema.sql` tells its history."""
APPLICATION_ID = 0x544C5353
"""What SQLite's header says about whose file it is ("TLSS")."""
FIRST_BLOCK_NS = 1_000_000_000
"""Width of a time block at the start of a run; it doubles as the run grows longer."""
WORTH_KEEPING = 100_000
"""Attempts from which on counts that a reader could make anew in a moment are stored."""


@cache
def schema_text() -> str:
    """The whole schema, with its comments."""
    return files("stress.store").joinpath("schema.sql").read_text(encoding="utf-8")


def insert_into(table: str, columns: int) -> str:
    """An INSERT of whole rows into one of our tables."""
    return f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})"  # noqa: S608 - our own names


@cache
def view_text(name: str) -> str:
    """The SELECT of one view, so that a reader need not trust the views of a foreign file."""
    found = re.search(rf"CREATE VIEW {name} AS[^\n]*\n(.*?);", schema_text(), re.DOTALL)
    assert found is not None, name
    return found[1]
