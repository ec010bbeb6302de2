"""What the farm and its processes say to each other: one JSON document a line, over pipes.

The farm writes the `Process` first and then questions; the process answers each with a `Count`,
the first time when it is ready. The end of its input means that the farm is gone, however it
died, and the process ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from stress.lab.blueprint import Process

QUESTION = b"count\n"


@dataclass(frozen=True, slots=True)
class Count:
    """What the nodes of one process have seen so far."""

    served: Mapping[str, int]
    """Connections by node."""
    faulted: Mapping[str, int]
    """Connections on which a planted fault fired, by node."""
    first_ns: int | None
    """Unix time of the first connection, nanoseconds; None: none yet."""


def to_line(message: Process | Count) -> bytes:
    """Encode a message, newline included."""
    return msgspec.json.encode(message) + b"\n"


def read_process(line: bytes) -> Process:
    """Decode what a process is told to be.

    Raises:
        msgspec.ValidationError: the line holds something else.
    """
    return msgspec.json.decode(line, type=Process)


def read_count(line: bytes) -> Count:
    """Decode an answer.

    Raises:
        msgspec.ValidationError: the line holds something else.
    """
    return msgspec.json.decode(line, type=Count)
