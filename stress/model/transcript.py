"""Everything sent and received in one attempt, kept as evidence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Final

from stress.model.outcome import Outcome, Side, side_of
from stress.model.plan import Address, check_place
from stress.model.record import Record

_PROXY_V1: Final = b"PROXY "
_PROXY_V2: Final = b"\r\n\r\n\0\r\nQUIT\n"
_LATEST_NS: Final = 1 << 63


class EvidenceRole(StrEnum):
    """Why a transcript was kept."""

    FAILURE = "failure"
    """A failure of the target."""
    CONTROL = "control"
    """A good attempt, to compare failures with."""


class Clock(StrEnum):
    """Which clock gave the time of a flight."""

    KERNEL = "kernel"
    """The kernel, when the last segment arrived."""
    USER = "user"
    """Our own process, when it sent or read."""


@dataclass(frozen=True, slots=True)
class Flight:
    """The bytes of one send, or of one read."""

    sent: bool
    """True: ours to the server; False: the server's to us."""
    at_ns: int
    """Unix time, nanoseconds."""
    clock: Clock
    data: bytes


@dataclass(frozen=True, slots=True)
class Parting:
    """One side closes its half of the connection, or resets all of it."""

    sent: bool
    at_ns: int
    """Unix time, nanoseconds."""
    reset: bool
    """True: RST; False: FIN."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """One attempt with every byte that was sent and read.

    Raises:
        ValueError: the addresses are invalid or of two families, a port or a time is out of range,
            or the record's outcome is unknown.
    """

    record: Record
    """Its row: what was negotiated, its outcome, the TLS library's message (`detail`)."""
    address: Address
    """Of the target; connected to, unless through a `proxy`."""
    local_ip: str
    """Connected from; the port is `record.local_port`."""
    dialled_ns: int
    """Unix time of connect(), on the clock of the flights."""
    flights: tuple[Flight, ...]
    """In the order sent and read."""
    partings: tuple[Parting, ...] = ()
    """How the connection was closed, in order."""
    secrets: tuple[str, ...] = ()
    """Key log lines of this connection: up to TLS 1.2 the master secret, in TLS 1.3 the handshake
    traffic secrets, never those of application data."""
    cut: bool = False
    """More was read than is kept."""
    proxy: Address | None = None
    """Connected to instead of the address."""

    def __post_init__(self) -> None:
        """Check that it can be written as packets."""
        check_place(self.address.ip, names=self.proxy is not None)
        if ip_address(self.local_ip).version != ip_address(self.peer.ip).version:
            raise ValueError(f"{self.local_ip} cannot have dialled {self.peer}")
        ports = (self.record.local_port or 0, self.address.port, self.peer.port)
        if not all(0 <= port < 1 << 16 for port in ports):
            raise ValueError(f"port {self.record.local_port} or {self.address.port} is none")
        moments = [self.dialled_ns]
        moments += [flight.at_ns for flight in self.flights]
        moments += [parting.at_ns for parting in self.partings]
        if not all(0 <= moment < _LATEST_NS for moment in moments):
            raise ValueError("a time is out of range")
        Outcome.parse(self.record.outcome)

    @property
    def peer(self) -> Address:
        """The other end of the TCP connection."""
        return self.proxy or self.address

    @property
    def role(self) -> EvidenceRole:
        """Whether it is a failure of the target or a control."""
        failed = side_of(self.record.outcome) is Side.TARGET
        return EvidenceRole.FAILURE if failed else EvidenceRole.CONTROL

    @property
    def bytes_kept(self) -> int:
        """Bytes of all flights."""
        return sum(len(flight.data) for flight in self.flights)


def preamble_bytes(opening: bytes) -> int:
    """How many bytes of a client's first flight are a PROXY header and not yet TLS."""
    if opening.startswith(_PROXY_V1):
        return opening.find(b"\r\n") + 2
    if opening.startswith(_PROXY_V2) and len(opening) >= 16:
        return 16 + int.from_bytes(opening[14:16])
    return 0
