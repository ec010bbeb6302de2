"""The schema of the run file: its number, its text, and what it is recognised by."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

import msgspec

from stress.model.plan import Plan
from stress.model.transcript import Transcript

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


# The plan inside the run file: JSON in `meta`, private trust anchors in a table of their own.
#
# The anchors of a system store are many and are on every machine: of those only a fingerprint is
# kept. Anchors that were given with the run are kept whole, because nobody else may have them.


def plan_text(plan: Plan) -> str:
    """The plan as JSON, without its anchors."""
    bare = replace(plan, trust=replace(plan.trust, anchors=()))
    return msgspec.json.encode(bare).decode()


def private_anchors(plan: Plan) -> tuple[bytes, ...]:
    """The anchors that must travel with the run file."""
    return plan.trust.anchors if plan.trust.private else ()


def anchors_fingerprint(plan: Plan) -> str:
    """SHA-256, as hexadecimal, over the sorted SHA-256 of all anchors."""
    prints = sorted(sha256(der).digest() for der in plan.trust.anchors)
    return sha256(b"".join(prints)).hexdigest()


def read_plan(text: str, anchors: Sequence[bytes]) -> Plan:
    """The plan as it was stored, with the anchors that were stored.

    Raises:
        msgspec.MsgspecError: the text is no plan.
    """
    plan = msgspec.json.decode(text, type=Plan)
    return replace(plan, trust=replace(plan.trust, anchors=tuple(anchors)))


# A transcript inside the run file: MessagePack, compressed.

MOST_BYTES: Final = 1 << 24
"""Far more than a transcript has; a file from elsewhere may hold a bomb."""


def encode_transcript(transcript: Transcript) -> bytes:
    """The transcript as the blob of a row."""
    return zlib.compress(msgspec.msgpack.encode(transcript))


def decode_transcript(blob: bytes) -> Transcript:
    """The transcript as it was encoded.

    Raises:
        ValueError: the blob is none.
    """
    reader = zlib.decompressobj()
    try:
        text = reader.decompress(blob, MOST_BYTES)
    except zlib.error as error:
        raise ValueError(f"a transcript cannot be read: {error}") from error
    if not reader.eof:
        raise ValueError("a transcript has no end, or is far too large")
    return msgspec.msgpack.decode(text, type=Transcript)
