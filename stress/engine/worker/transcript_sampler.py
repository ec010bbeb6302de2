"""Decides in a worker which attempts are kept byte for byte, as evidence.

What is true and what is tricky:

* Which attempt is worth keeping is known only when it has ended. So each one carries its moves:
  references to bytes and moments that it has in hand anyway, which costs nearly nothing.
* Attempts with the same ending, stage, address, client and chain have one *signature*. The first
  few of each are kept, later ones ever more rarely (after one minute, two, four, ...). Whether a
  chain is good is judged elsewhere and later; good and bad chains have signatures of their own, so
  the good ones that a failure is compared with come by themselves.
* After one was kept, the next attempt of the same address and client whose signature is commoner
  is kept too: a companion from the same moment.
* Secrets cost about 15 us a handshake (five lines written by the TLS library). They are logged
  while they may be needed: from the start and after each newly kept one for `KEYED` attempts.

Invariants: what is kept by one worker stays within its bytes, half of which only new signatures
may use; at most `SIGNATURES` are told apart; an ending of our own is never kept.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

from stress.engine.worker.timestamps import Arrival, Moment
from stress.handshake import HandshakeMachine, KeyLog, MachineFactory, Session
from stress.model.outcome import Category, Kind
from stress.model.record import Record
from stress.model.target import Address
from stress.model.transcript import Clock, Flight, Parting, Transcript, preamble_bytes

MOVES_BYTES = 65_536
"""Received bytes of one attempt of which moves are noted; whoever sends more is cut off there."""
KEYED = 4_096
"""Attempts with a key log from the start on, and after each transcript of a new kind."""
SIGNATURES = 10_000
FIRST_WAIT_NS = 60_000_000_000
OVERHEAD_BYTES = 512
"""What a transcript needs beside its flights, roughly."""

_NEVER_KEPT = frozenset(
    category.value for category in Category if category.kind in {Kind.OURS, Kind.NOT_SENT}
)
_CLIENT_RANDOM = slice(11, 43)
"""In a ClientHello, behind the headers of record and message and the version."""


class Departure(NamedTuple):
    """Bytes that were sent; none: we closed."""

    data: bytes
    at: Moment
    reset: bool = False


class Rupture(NamedTuple):
    """The server's RST was met."""

    at: Moment


Move: TypeAlias = Departure | Arrival | Rupture
"""What happened on the wire. An arrival without data is the server's FIN."""
Signature: TypeAlias = tuple[str, int, int, int, bytes | None]


@dataclass(slots=True)
class Sighting:
    """What is known about a signature."""

    count: int = 0
    wait_ns: int = FIRST_WAIT_NS
    again_ns: int = 0
    """Unix time from which on a later one is kept."""


@dataclass(slots=True)
class TranscriptSampler:
    """Keeps transcripts for one worker."""

    per_signature: int
    room_bytes: int
    """What may be kept in all."""
    key_log: KeyLog | None = None
    keyed: int = KEYED
    """Attempts that still get a key log."""
    _spent_bytes: int = 0
    _seen: dict[Signature, Sighting] = field(default_factory=dict)
    _lonely: dict[tuple[int, int], Signature] = field(default_factory=dict)
    """Address and client -> what was kept there and awaits a companion."""
    _kept: list[Transcript] = field(default_factory=list)
    _local: dict[str, str] = field(default_factory=dict)

    def hear(
        self,
        record: Record,
        moves: Sequence[Move],
        *,
        address: Address,
        source: str | None,
        started_ns: int,
    ) -> None:
        """Take an attempt that ended, and keep it or not.

        Args:
            record: its row, with the wire's verdict.
            moves: what happened, in order.
            address: dialled.
            source: dialled from, where the plan says it.
            started_ns: of connect(), monotonic clock.
        """
        if self.keyed > 0:
            self.keyed -= 1
        if record.outcome in _NEVER_KEPT:
            return
        signature = (record.outcome, record.stage, record.address, record.client, record.chain)
        sighting = self._sight(signature)
        if sighting is None or not self._wants(signature, sighting, record.started_ns):
            return
        self._note(signature, sighting, record.started_ns)
        local_ip = source or self._facing(address)
        transcript = _transcript(record, moves, address, local_ip, started_ns)
        self._keep(_with_secrets(transcript, self.key_log))

    def collect(self) -> list[Transcript]:
        """What was kept since the last time."""
        kept, self._kept = self._kept, []
        return kept

    def _sight(self, signature: Signature) -> Sighting | None:
        sighting = self._seen.get(signature)
        if sighting is None:
            if len(self._seen) >= SIGNATURES:
                return None
            sighting = self._seen[signature] = Sighting()
        sighting.count += 1
        return sighting

    def _wants(self, signature: Signature, sighting: Sighting, now_ns: int) -> bool:
        if sighting.count <= self.per_signature:
            return self._spent_bytes < self.room_bytes
        if self._spent_bytes >= self.room_bytes // 2:
            return False
        lonely = self._lonely.get(signature[2:4])
        companion = lonely is not None and self._seen[lonely].count < sighting.count
        return companion or now_ns >= sighting.again_ns

    def _note(self, signature: Signature, sighting: Sighting, now_ns: int) -> None:
        """Remember that one is being kept."""
        place = signature[2:4]
        lonely = self._lonely.get(place)
        if lonely is not None and self._seen[lonely].count < sighting.count:
            del self._lonely[place]
        else:
            self._lonely[place] = signature
        if sighting.count <= self.per_signature:
            self.keyed = KEYED
            sighting.again_ns = now_ns + FIRST_WAIT_NS
        elif now_ns >= sighting.again_ns:
            sighting.wait_ns *= 2
            sighting.again_ns = now_ns + sighting.wait_ns

    def _keep(self, transcript: Transcript) -> None:
        size = transcript.bytes_kept + sum(map(len, transcript.secrets)) + OVERHEAD_BYTES
        self._spent_bytes += size
        self._kept.append(transcript)

    def _facing(self, address: Address) -> str:
        """The local address that faces another; of UDP, so no packet leaves."""
        known = self._local.get(address.ip)
        if known is None:
            six = address.family == "ipv6"
            known = "::" if six else "0.0.0.0"  # noqa: S104 - shown, not bound
            family = socket.AF_INET6 if six else socket.AF_INET
            with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((address.ip, address.port))
                known = probe.getsockname()[0]
            self._local[address.ip] = known
        return known


class Keyed:
    """Makes machines that log their secrets while the witness may need them."""

    __slots__ = ("_logged", "_plain", "_witness")

    def __init__(
        self, plain: MachineFactory, logged: MachineFactory, witness: TranscriptSampler
    ) -> None:
        """Takes two factories for one client, without and with a key log."""
        self._plain, self._logged, self._witness = plain, logged, witness

    def machine(self, session: Session | None = None) -> HandshakeMachine:
        """Makes a fresh machine, which offers a session or not."""
        return (self._logged if self._witness.keyed > 0 else self._plain).machine(session)


def _transcript(
    record: Record, moves: Sequence[Move], address: Address, local_ip: str, started_ns: int
) -> Transcript:
    flights: list[Flight] = []
    partings: list[Parting] = []
    asked: Moment | None = None
    for move in moves:
        if isinstance(move, Rupture):
            partings.append(Parting(sent=False, at_ns=move.at.real, reset=True))
        elif isinstance(move, Departure):
            asked = move.at
            if move.data:
                flights.append(
                    Flight(sent=True, at_ns=move.at.real, clock=Clock.USER, data=move.data)
                )
            else:
                partings.append(Parting(sent=True, at_ns=move.at.real, reset=move.reset))
        else:
            _arrive(move, asked, flights, partings)
    first = next((move.at for move in moves if isinstance(move, Departure)), None)
    received = sum(len(flight.data) for flight in flights if not flight.sent)
    return Transcript(
        record=record,
        address=address,
        local_ip=local_ip,
        # Both clocks were read with the first move, so a wall clock that is set does no harm.
        dialled_ns=record.started_ns if first is None else first.real - first.mono + started_ns,
        flights=tuple(flights),
        partings=tuple(partings),
        cut=received < record.bytes_received,
    )


def _arrive(
    arrival: Arrival, asked: Moment | None, flights: list[Flight], partings: list[Parting]
) -> None:
    """Note a read, with the kernel's stamp where it can be true (see `stamps`)."""
    stamp, read_at = arrival.stamp, arrival.read.real
    if not arrival.data:
        partings.append(Parting(sent=False, at_ns=read_at, reset=False))
    elif stamp is not None and asked is not None and asked.real <= stamp <= read_at:
        flights.append(Flight(sent=False, at_ns=stamp, clock=Clock.KERNEL, data=arrival.data))
    else:
        flights.append(Flight(sent=False, at_ns=read_at, clock=Clock.USER, data=arrival.data))


def _with_secrets(transcript: Transcript, key_log: KeyLog | None) -> Transcript:
    """The same with the key log lines of its client random, where there are any."""
    if key_log is None or not transcript.flights or not transcript.flights[0].sent:
        return transcript
    opening = transcript.flights[0].data
    random = opening[preamble_bytes(opening) :][_CLIENT_RANDOM]
    return replace(transcript, secrets=key_log.lines(random))
