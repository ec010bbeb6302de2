"""What the fleet and its workers tell each other: length-prefixed MessagePack on a socket pair."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from stress.model.plan import Plan, Segment
from stress.model.record import Record
from stress.model.target import Address
from stress.model.transcript import Transcript

_LENGTH = struct.Struct("!I")


class Assignment(msgspec.Struct, frozen=True, tag=True):
    """To a worker, first: what it shall do."""

    plan: Plan
    worker: int
    workers: int
    unix_offset_ns: int
    """What turns the monotonic clock into Unix time."""
    reset: bool
    """Close by RST."""
    directed: bool = False
    """Wait for segments (`Act`) instead of doing the plan's own load."""
    canary: Address | None = None
    """A known-good server that is asked now and then."""
    first_id: int = 0
    """Ids begin here; the worker takes every `workers`-th."""


class Go(msgspec.Struct, frozen=True, tag=True):
    """To a worker: all are ready, the run starts at this monotonic time."""

    start_ns: int


class Act(msgspec.Struct, frozen=True, tag=True):
    """To a directed worker: do this segment, then say that it has landed."""

    segment: Segment
    number: int
    start_ns: int


class Halt(msgspec.Struct, frozen=True, tag=True):
    """To a directed worker: start nothing more of this segment; what is in flight may end."""

    number: int


class Still(msgspec.Struct, frozen=True, tag=True):
    """To a worker: start nothing for now (`on`), or go on as if that time had not been."""

    on: bool


class Join(msgspec.Struct, frozen=True, tag=True):
    """To a worker: a new address of the target takes part."""

    address: Address


class Stop(msgspec.Struct, frozen=True, tag=True):
    """To a worker: start nothing more; what is in flight gets so long."""

    drain_s: float


class Ready(msgspec.Struct, frozen=True, tag=True):
    """From a worker: imports and contexts are made."""

    pid: int


class Batch(msgspec.Struct, frozen=True, tag=True):
    """From a worker, several times a second: what ended, and how the worker feels."""

    records: list[Record]
    chains: list[tuple[bytes, ...]]
    """Chains that this worker has not sent before; they come with their first record."""
    started: int
    """Attempts this worker has begun (or had to leave unsent) so far."""
    in_flight: int
    lags_ns: list[int]
    """How late the event loop woke up, sampled since the last batch."""
    cpu_ns: int
    """CPU time of the worker's process so far."""
    transcripts: list[Transcript] = []
    """Attempts that are kept byte for byte; their rows are in this batch or came before."""
    canaries: list[int | None] = []
    """How long a known-good server took, in nanoseconds; None: it failed."""
    staples: list[bytes] = []
    """OCSP responses that this worker has not sent before; an empty one stands for none."""
    stapled: dict[int, bytes] = {}
    """SHA-256 of the staple, by id of the row; rows of which nothing is known are left out."""


class Landed(msgspec.Struct, frozen=True, tag=True):
    """From a directed worker: all attempts of this segment have ended and were sent."""

    number: int


class Done(msgspec.Struct, frozen=True, tag=True):
    """From a worker: everything it did has been sent."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """From a worker: it cannot do the assignment (a profile its stack cannot speak …)."""

    message: str
    hint: str | None


ToWorker: TypeAlias = Assignment | Go | Act | Halt | Join | Still | Stop
FromWorker: TypeAlias = Ready | Batch | Landed | Done | Refused

_encoder = msgspec.msgpack.Encoder()
to_worker = msgspec.msgpack.Decoder(ToWorker)
from_worker = msgspec.msgpack.Decoder(FromWorker)


def frame(message: ToWorker | FromWorker) -> bytes:
    """Encode one message with its length in front."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Cuts a byte stream into message bodies."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Add bytes; yields each body that is now complete."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            yield body
