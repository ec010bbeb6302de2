"""Messages between coordinator and workers: length-prefixed MessagePack over a socket pair."""

from __future__ import annotations

import struct
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import TypeAlias, TypeVar

import msgspec
import trio
from msgspec.msgpack import Decoder

from stress.model.plan import Address, Plan, Segment
from stress.model.record import Record
from stress.model.transcript import Transcript

READ_BYTES = 1 << 20
_LENGTH = struct.Struct("!I")


class Assignment(msgspec.Struct, frozen=True, tag=True):
    """To a worker, first: its part of the run."""

    plan: Plan
    worker: int
    """Which of the plan's processes it is."""
    unix_offset_ns: int
    """Added to the monotonic clock it gives Unix time."""
    directed: bool = False
    """Wait for segments (`RunSegment`) instead of applying the plan's own load."""
    canary: Address | None = None
    """A known-good server to probe now and then."""
    first_id: int = 0
    """Ids begin here; each worker takes every n-th."""

    @property
    def seed(self) -> int:
        """The seed of what this worker draws."""
        return self.plan.seed * 4099 + self.worker


class StartRun(msgspec.Struct, frozen=True, tag=True):
    """To a worker: all workers are ready; start at this monotonic time."""

    start_ns: int


class RunSegment(msgspec.Struct, frozen=True, tag=True):
    """To a directed worker: run this segment, then send `SegmentDone`."""

    segment: Segment
    number: int
    start_ns: int


class EndSegment(msgspec.Struct, frozen=True, tag=True):
    """To a directed worker: start no more attempts of this segment; those in flight continue."""

    number: int


class SetPaused(msgspec.Struct, frozen=True, tag=True):
    """To a worker: pause starting attempts, or resume as if no time had passed."""

    paused: bool


class AddAddress(msgspec.Struct, frozen=True, tag=True):
    """To a worker: include a new address of the target."""

    address: Address


class StopRun(msgspec.Struct, frozen=True, tag=True):
    """To a worker: start no more attempts; cancel those in flight after `drain_s`."""

    drain_s: float


class Ready(msgspec.Struct, frozen=True, tag=True):
    """From a worker: imports are done and TLS contexts are made."""


class Batch(msgspec.Struct, tag=True):
    """From a worker, several times a second: attempts that ended, and the worker's load."""

    records: list[Record] = []
    chains: list[tuple[bytes, ...]] = []
    """Chains that this worker has not sent before; they come with their first record."""
    started: int = 0
    """Attempts this worker has started (or recorded as not sent) so far."""
    in_flight: int = 0
    lags_ns: list[int] = []
    """Event-loop lag, sampled since the last batch."""
    cpu_ns: int = 0
    """CPU time of the worker's process so far."""
    transcripts: list[Transcript] = []
    """Attempts that are kept byte for byte; their rows are in this batch or came before."""
    canaries: list[int | None] = []
    """Handshake times of the known-good server, in nanoseconds; None: it failed."""
    stops: list[tuple[int, int]] = []
    """Monotonic times from when to when a signal had stopped this worker or the coordinator."""
    staples: list[bytes] = []
    """OCSP responses that this worker has not sent before; an empty one stands for none."""
    stapled: dict[int, bytes] = {}
    """SHA-256 of the staple, by id of the row; rows of which nothing is known are left out."""


class SegmentDone(msgspec.Struct, frozen=True, tag=True):
    """From a directed worker: all attempts of this segment have ended and were sent."""

    number: int


class WorkerDone(msgspec.Struct, frozen=True, tag=True):
    """From a worker: it has finished, and everything was sent."""


class Rejected(msgspec.Struct, frozen=True, tag=True):
    """From a worker: it cannot run the assignment (a profile its stack cannot speak …)."""

    message: str
    hint: str | None


ToWorker: TypeAlias = (
    Assignment | StartRun | RunSegment | EndSegment | AddAddress | SetPaused | StopRun
)
FromWorker: TypeAlias = Ready | Batch | SegmentDone | WorkerDone | Rejected

_Message = TypeVar("_Message")
_encoder = msgspec.msgpack.Encoder()
to_worker: Decoder[ToWorker] = Decoder(ToWorker)
from_worker: Decoder[FromWorker] = Decoder(FromWorker)


def frame(message: ToWorker | FromWorker) -> bytes:
    """Encode one message, prefixed with its length."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


async def receive(
    stream: trio.abc.ReceiveStream, decoder: Decoder[_Message]
) -> AsyncGenerator[_Message]:
    """Yield the other side's messages; ends when it is gone."""
    buffer = bytearray()
    with suppress(trio.BrokenResourceError):
        while data := await stream.receive_some(READ_BYTES):
            buffer += data
            while len(buffer) >= _LENGTH.size:
                end = _LENGTH.size + _LENGTH.unpack_from(buffer)[0]
                if len(buffer) < end:
                    break
                message = decoder.decode(buffer[_LENGTH.size : end])
                del buffer[:end]
                yield message
