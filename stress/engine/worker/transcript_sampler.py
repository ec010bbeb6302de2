"""Chooses in a worker which attempts are kept byte for byte, as evidence.

What is true and what is tricky:

* Which attempt is worth keeping is known only when it has ended. So each one carries its events:
  references to bytes and moments that it has in hand anyway, which costs nearly nothing.
* Attempts with the same outcome, stage, address, client and chain have one *signature*. The first
  few of each are kept, later ones ever more rarely (after one minute, two, four, ...). Whether a
  chain is good is judged elsewhere and later; good and bad chains have signatures of their own, so
  good ones to compare a failure with are kept anyway.
* After one was kept, the next attempt of the same address and client whose signature is commoner
  is kept too: a companion from the same moment.
* Secrets cost about 15 us a handshake (five lines written by the TLS library). They are logged
  while they may be needed: from the start and after each newly kept one for `KEYED` attempts.

Invariants: what one worker keeps stays within its bytes, half of which only new signatures may use;
at most `SIGNATURES` are distinguished; an outcome of our own is never kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeAlias

from stress.clients.capture import HELLO_START
from stress.engine.worker.timestamps import ABORTED, RESET, SENT, WireEvent
from stress.handshake import HandshakeMachine, KeyLog, MachineFactory, Session
from stress.host.addresses import source_address
from stress.model.outcome import Category, Kind
from stress.model.plan import Address
from stress.model.record import Record
from stress.model.transcript import Clock, Flight, Parting, Transcript

EVENTS_BYTES = 65_536
"""Received bytes of one attempt up to which events are kept; anything beyond is cut off."""
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


_local_ip = cache(source_address)
"""The local address that faces a remote one; asked once."""
Signature: TypeAlias = tuple[str, int, int, int, bytes | None]


@dataclass(slots=True)
class SignatureState:
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
    _seen: dict[Signature, SignatureState] = field(default_factory=dict)
    _unpaired: dict[tuple[int, int], Signature] = field(default_factory=dict)
    """Address and client -> what was kept there and still needs a companion."""
    _kept: list[Transcript] = field(default_factory=list)

    def add(
        self,
        record: Record,
        events: Sequence[WireEvent],
        *,
        address: Address,
        proxy: Address | None = None,
        source: str | None,
        started_ns: int,
    ) -> None:
        """Keep an attempt that ended, or not.

        Args:
            record: its row, with the outcome on the wire.
            events: what happened, in order.
            address: of the target.
            proxy: connected to instead; None: the address was.
            source: connected from, where the plan sets it.
            started_ns: of connect(), monotonic clock.
        """
        if self.keyed > 0:
            self.keyed -= 1
        if record.outcome in _NEVER_KEPT or not self._select(record):
            return
        flights, partings = _as_sent(events)
        secrets: tuple[str, ...] = ()
        sent = (flight.data for flight in flights if flight.sent)
        hello = next(filter(None, map(HELLO_START.search, sent)), None)
        if self.key_log is not None and hello is not None:
            secrets = self.key_log.lines(hello.string[hello.start() :][_CLIENT_RANDOM])
        received = sum(len(flight.data) for flight in flights if not flight.sent)
        peer = proxy or address
        unknown = "::" if peer.family == "ipv6" else "0.0.0.0"  # noqa: S104 - not bound
        transcript = Transcript(
            record=record,
            address=address,
            local_ip=source or _local_ip(peer.ip, peer.port) or unknown,
            # Both clocks were read with the first event, so setting the wall clock does no harm.
            dialled_ns=events[0][3] - events[0][4] + started_ns if events else record.started_ns,
            flights=tuple(flights),
            partings=tuple(partings),
            cut=received < record.bytes_received,
            secrets=secrets,
            proxy=proxy,
        )
        self._spent_bytes += transcript.bytes_kept + sum(map(len, secrets)) + OVERHEAD_BYTES
        self._kept.append(transcript)

    def collect(self) -> list[Transcript]:
        """Return what was kept since the last call."""
        kept, self._kept = self._kept, []
        return kept

    def _select(self, record: Record) -> bool:
        """Count an attempt, and decide whether to keep it and when to keep the next like it."""
        place, now_ns = (record.address, record.client), record.started_ns
        signature = (record.outcome, record.stage, *place, record.chain)
        state = self._seen.get(signature)
        if state is None:
            if len(self._seen) >= SIGNATURES:
                return False
            state = self._seen[signature] = SignatureState()
        state.count += 1
        unpaired = self._unpaired.get(place)
        is_companion = unpaired is not None and self._seen[unpaired].count < state.count
        is_new, is_due = state.count <= self.per_signature, now_ns >= state.again_ns
        room_bytes = self.room_bytes if is_new else self.room_bytes // 2
        if self._spent_bytes >= room_bytes or not (is_new or is_companion or is_due):
            return False
        if is_companion:
            del self._unpaired[place]
        else:
            self._unpaired[place] = signature
        if is_new:
            self.keyed = KEYED
            state.again_ns = now_ns + FIRST_WAIT_NS
        elif is_due:
            state.wait_ns *= 2
            state.again_ns = now_ns + state.wait_ns
        return True


@dataclass(frozen=True, slots=True)
class KeyLogSwitch:
    """Makes machines of one client that log their secrets while somebody may need them."""

    plain: MachineFactory
    logged: MachineFactory
    """Of the same client, with a key log."""
    sampler: TranscriptSampler | None
    shows_tickets: bool = False
    """Whether the TLS library shows session tickets, so that no key log is needed for them."""

    def machine(self, session: Session | None = None, *, keyed: bool = False) -> HandshakeMachine:
        """Make a fresh machine, which offers a session or not; `keyed` if its ticket is wanted."""
        needed = self.sampler is not None and self.sampler.keyed > 0
        logs = needed or (keyed and not self.shows_tickets)
        return (self.logged if logs else self.plain).machine(session)


def _as_sent(events: Sequence[WireEvent]) -> tuple[list[Flight], list[Parting]]:
    """Return what passed on the wire, with the kernel's stamps where they can be true."""
    flights: list[Flight] = []
    partings: list[Parting] = []
    sent_ns: int | None = None
    for what, data, stamp, real_ns, _ in events:
        if what == SENT:
            sent_ns = real_ns
        is_ours = what in {SENT, ABORTED}
        if not data:
            parting = Parting(sent=is_ours, at_ns=real_ns, reset=what in {ABORTED, RESET})
            partings.append(parting)
        elif sent_ns is not None and stamp is not None and sent_ns <= stamp <= real_ns:
            flights.append(Flight(sent=is_ours, at_ns=stamp, clock=Clock.KERNEL, data=data))
        else:
            flights.append(Flight(sent=is_ours, at_ns=real_ns, clock=Clock.USER, data=data))
    return flights, partings
