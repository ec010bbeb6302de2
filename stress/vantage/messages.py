"""Messages between the initiator (home) and the parts of a run: MessagePack, one value each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec
from msgspec.msgpack import Decoder

from stress.model.plan import Address, Plan
from stress.model.record import Record
from stress.model.run import Progress, Vantage

PIECE_BYTES = 1 << 16
"""Of a run file, in one message."""


class Ping(msgspec.Struct, frozen=True, tag=True):
    """To a part, twice a second: we are here. It is answered at once, which compares the clocks."""

    sent_ns: int
    """Our Unix time."""


class Examine(msgspec.Struct, frozen=True, tag=True):
    """To a part, first: check this machine, and say what it can do and what DNS answers there."""

    plan: Plan
    """Of the whole run."""
    lookup: bool
    """Whether the target's addresses are what DNS answers; else they were given by hand."""


class Assign(msgspec.Struct, frozen=True, tag=True):
    """To a part: prepare this run, and say when everything is ready."""

    plan: Plan
    """Of the part."""
    vantage: Vantage
    """What its run file says about it; its start is filled in there."""
    name: str
    """Of the run file."""
    records: bool
    """Whether we need every attempt at once, for goals and the live view."""
    rows_home: bool
    """Whether the rows of good attempts come home."""
    secrets_home: bool
    """Whether the TLS secrets of evidence come home with it."""


class Go(msgspec.Struct, frozen=True, tag=True):
    """To a part: start at this Unix time of its own clock. Comes once."""

    at_ns: int


class Stop(msgspec.Struct, frozen=True, tag=True):
    """To a part: start no more attempts, and send the file home.

    Several interruptions wait for less and less.
    """

    reason: str | None = None
    """Why, such as a goal that is reached; None: interrupted by the user."""


class Pause(msgspec.Struct, frozen=True, tag=True):
    """To a part: pause, or go on."""

    paused: bool


class Keep(msgspec.Struct, frozen=True, tag=True):
    """To a part, last: the file arrived whole, so what it holds need not stay there."""


class Pong(msgspec.Struct, frozen=True, tag=True):
    """From a part: the answer to a `Ping`."""

    sent_ns: int
    """Of the ping."""
    clock_ns: int
    """Unix time there."""


class Examined(msgspec.Struct, frozen=True, tag=True):
    """From a part: what its machine is and can do."""

    host: str
    """Its name."""
    networks: tuple[str, ...]
    """Local addresses from which it reaches the target."""
    versions: Mapping[str, str]
    cores: int
    in_flight: int | None
    """Most handshakes in flight that its open files allow; None: no limit."""
    rate: float
    """Handshakes a second that its cores open, about."""
    capacity: str
    """The same, as a sentence."""
    addresses: tuple[Address, ...]
    """Of the target, as resolved there."""
    ttl_s: float | None


class PartReady(msgspec.Struct, frozen=True, tag=True):
    """From a part: all workers are ready, and wait for `Go`."""

    file: str
    """Path of its run file there."""


class Started(msgspec.Struct, frozen=True, tag=True):
    """From a part: the start was due."""

    late_ns: int
    """How much later than it should have been."""


class News(msgspec.Struct, frozen=True, tag=True):
    """From a part, several times a second: how far it is."""

    progress: Progress | None
    """None: as before."""
    records: list[Record]
    """Attempts that ended since; empty where they were not asked for."""


class Ended(msgspec.Struct, frozen=True, tag=True):
    """From a part: its run is over; the file follows in pieces (zlib), the last of them empty."""

    size: int
    sha256: bytes
    xz: bool = False
    """In this form instead, for a file without most rows: half as large, for more time."""


class FilePiece(msgspec.Struct, frozen=True, tag=True):
    """From a part: the next part of its compressed file; empty: there is no more."""

    data: bytes


class Refused(msgspec.Struct, frozen=True, tag=True):
    """From a part: it cannot do this. Nothing was sent."""

    message: str
    hint: str | None


ToPart: TypeAlias = Ping | Examine | Assign | Go | Stop | Pause | Keep
FromPart: TypeAlias = Pong | Examined | PartReady | Started | News | Ended | FilePiece | Refused

encode = msgspec.msgpack.Encoder().encode
to_part: Decoder[ToPart] = Decoder(ToPart)
from_part: Decoder[FromPart] = Decoder(FromPart)
