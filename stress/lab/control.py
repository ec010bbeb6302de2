"""Messages between the farm and its processes: one JSON document per line, over pipes.

The farm sends the `Process` first and then requests for counts. The process answers each with
`NodeCounts`, and sends one more when it is ready. At the end of its input the farm is gone, however
it died, and the process ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from stress.lab.blueprint import Process

COUNT_REQUEST = b"count\n"


@dataclass(frozen=True, slots=True)
class NodeCounts:
    """Connections of the nodes of one process so far."""

    served: Mapping[str, int]
    """Connections by node."""
    faulted: Mapping[str, int]
    """Connections on which a planted fault fired, by node."""
    first_ns: int | None
    """Unix time of the first connection, nanoseconds; None: none yet."""


def to_line(message: Process | NodeCounts) -> bytes:
    """Encode a message, newline included."""
    return msgspec.json.encode(message) + b"\n"


def read_process(line: bytes) -> Process:
    """Decode what a process has to serve.

    Raises:
        msgspec.ValidationError: the line holds something else.
    """
    return msgspec.json.decode(line, type=Process)


def read_counts(line: bytes) -> NodeCounts:
    """Decode the counts of a process.

    Raises:
        msgspec.ValidationError: the line holds something else.
    """
    return msgspec.json.decode(line, type=NodeCounts)
