"""One attempt: from the SYN to the close, and its row.

The order of things, for one handshake:

    dial -> begin -> send ClientHello -> read a flight -> feed the machine -> send its answer
         -> … -> finished -> one short read -> close -> Record

Invariants: every attempt ends in exactly one Record, whatever the target does; only
`trio.Cancelled` leaves this file as an exception; `cancelled()` then returns the row.
Its deadline is moved from stage to stage; `Deadlines` wakes it when that has passed.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import sys
from dataclasses import dataclass, field
from time import monotonic_ns
from typing import NamedTuple

import trio

from stress.engine.worker import dial, timestamps
from stress.engine.worker.connections import Deadlines, HeldConnections
from stress.engine.worker.schedule import Sessions
from stress.engine.worker.transcript_sampler import (
    EVENTS_BYTES,
    ResetReceived,
    SentData,
    TranscriptSampler,
    WireEvent,
)
from stress.handshake import Facts, HandshakeMachine, HangUp, MachineFactory, Output, State
from stress.host.clocks import enable_kernel_stamps, now
from stress.model.chain import chain_hash
from stress.model.outcome import CANCELLED, OK, Category, Outcome, Stage
from stress.model.plan import Address, Limits
from stress.model.record import Flag, Record

QUICKEST_SETTLE_S = 0.1
"""Shortest wait for what comes after the handshake: a node that refuses us there must not count as
good because it was busy. Most servers send a ticket at once, and nobody waits."""
SETTLE_FACTOR = 3
"""The same wait in multiples of the target's own time: slow targets get longer."""
PRESSURE_NS = 10_000_000
"""A row whose answers waited longer for us to read them is marked."""
TCP_INFO: int | None = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
"""The socket option that counts retransmissions; None: this system has another one, or none."""
LONGEST_ANSWER = 262_144
"""Unread bytes above which they are a flood, not an answer that we were too slow to read."""


class AttemptSpec(NamedTuple):
    """What one attempt connects to, and when: drawn by the schedule, timed by the pacer."""

    id: int
    due_ns: int
    """Monotonic clock."""
    address_index: int
    address: Address
    client: int
    source_index: int | None
    source: str | None
    segment: int = 0
    flags: int = 0
    """Bits of `Flag` that are known before it starts."""
    local_port: int | None = None
    """The local port to bind; None: any."""


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What all attempts of a worker share."""

    factories: tuple[MachineFactory, ...]
    """One for each client of the plan."""
    limits: Limits
    ports: dial.Ports
    reset: bool
    """Close by RST instead of FIN."""
    unix_offset_ns: int
    """Added to the monotonic clock it gives Unix time."""
    preamble: dial.Preamble | None = None
    """Makes the bytes that are sent before the ClientHello (a PROXY header)."""
    sampler: TranscriptSampler | None = None
    """Keeps some of the attempts byte for byte; None: none is kept."""
    held: HeldConnections | None = None
    """Keeps finished connections open; None: each is closed at once."""
    sessions: Sessions | None = None
    """What attempts may resume; None: every handshake is a full one."""
    deadlines: Deadlines = field(default_factory=Deadlines)
    """Wakes attempts that are overdue; its `watch` has to run."""


@dataclass(slots=True, eq=False)
class Attempt:
    """One connection in flight."""

    spec: AttemptSpec
    context: WorkerContext
    chain: tuple[bytes, ...] | None = None
    """DER as sent, when one was seen."""
    staple: bytes | None = None
    """The stapled OCSP response of a finished handshake; see `Facts`."""
    deadline_ns: int = 0
    """Monotonic time at which this stage has taken too long."""
    sock: socket.socket | None = None
    _started_ns: int = field(default_factory=monotonic_ns)
    latest_ns: int = 0
    """Monotonic time at which the whole attempt has taken too long."""
    _ended_ns: int = 0
    """When the handshake finished, else when the attempt was given up."""
    _port: int | None = None
    _stage: Stage = Stage.CONNECT
    _outcome: Outcome | None = None
    _detail: str | None = None
    _connect_ns: int | None = None
    _hello_ns: int = 0
    _handshake_ns: int | None = None
    _received: int = 0
    _offered: bool | None = None
    _was_reset: bool = False
    """A send of ours was answered by RST."""
    _retransmits: int | None = None
    _watch: timestamps.FlightTimer = field(default_factory=timestamps.FlightTimer)
    _facts: Facts | None = None
    _events: list[WireEvent] = field(default_factory=list)

    async def run(self) -> Record:
        """Make the attempt, and return its row. Only `trio.Cancelled` is raised."""
        context, client = self.context, self.spec.client
        session = None
        if context.sessions is not None:
            session = context.sessions.offer(client)
            self._offered = session is not None
        machine, deadlines = context.factories[client].machine(session), context.deadlines
        self.latest_ns = self._started_ns + int(context.limits.attempt_s * 1e9)
        deadlines.add(self)
        try:
            await self._dial()
            await self._shake(machine)
        except dial.DialError as error:
            self._outcome, self._detail = error.outcome, error.detail
        except trio.ClosedResourceError:
            self._time_out(machine)
        finally:
            deadlines.discard(self)
            self._close(machine)
        record = self._record()
        self._offer_transcript(record)
        return record

    def cancelled(self) -> Record:
        """Return the row of an attempt that we ourselves cancelled."""
        self._outcome = CANCELLED
        return self._record()

    @property
    def ended_at_once(self) -> bool:
        """True when no connection came about in under 10 ms: a loop on this would only spin."""
        return self._connect_ns is None and self._ended_ns - self._started_ns < 10_000_000

    def _allow(self, seconds: float) -> None:
        """Give the stage that begins now so long, within what the whole attempt may take."""
        self.deadline_ns = min(self.latest_ns, monotonic_ns() + int(seconds * 1e9))

    async def _dial(self) -> None:
        spec = self.spec
        ports, exact = self.context.ports, spec.local_port
        if exact:
            ports = dial.Ports(0, span=range(exact, exact + 1))
        self._allow(self.context.limits.connect_s)
        self.sock, self._port, connected = dial.begin(spec.address, spec.source, ports)
        if not connected:
            await dial.finish(self.sock)
        self._connect_ns = monotonic_ns() - self._started_ns
        self._stage = Stage.CLIENT_HELLO
        enable_kernel_stamps(self.sock)

    async def _shake(self, machine: HandshakeMachine) -> None:
        self._allow(self.context.limits.hello_s)
        step = machine.begin()
        preamble = self.context.preamble
        opening = preamble(self._socket, self.spec.address) if preamble is not None else b""
        await self._send(opening + step.send)
        self._hello_ns = monotonic_ns()
        while step.state is State.WAITING:
            first = not self._received
            step = await self._advance(machine)
            if first and self._received:
                self._allow(self.context.limits.handshake_s)
        self._facts = machine.facts()
        if step.state is State.FINISHED and not self._facts.settled:
            await self._settle(machine)
        sessions = self.context.sessions
        if sessions is not None and self._facts.outcome == OK:
            resumed = bool(self._facts.resumed)
            sessions.keep(self.spec.client, machine.session(), resumed=resumed)

    async def _advance(self, machine: HandshakeMachine) -> Output:
        """Read one flight (or part of one), feed the machine, send its answer."""
        step = await self._receive(machine)
        if step.state is State.FINISHED and self._handshake_ns is None:
            self._ended_ns = monotonic_ns()
            self._handshake_ns = self._ended_ns - self._hello_ns
            self._watch.end_round_trip()
        if step.send:
            await self._send(step.send)
        return step

    async def _receive(self, machine: HandshakeMachine) -> Output:
        await trio.lowlevel.wait_readable(self._socket)
        try:
            arrival = timestamps.read(self._socket)
        except BlockingIOError:
            return Output(b"", State.WAITING)
        except OSError:
            self._events.append(ResetReceived(now()))
            return machine.hang_up(HangUp.RESET)
        if self._received <= EVENTS_BYTES:
            self._events.append(arrival)
        if not arrival.data:
            return machine.hang_up(HangUp.RESET if self._was_reset else HangUp.EOF)
        self._received += len(arrival.data)
        self._watch.arrived(arrival)
        if self._received > self.context.limits.connection_bytes:
            if self._handshake_ns is None:
                self._outcome = Outcome(Category.PROTOCOL_ERROR)
                self._detail = f"more than {self.context.limits.connection_bytes:,} bytes"
            return machine.hang_up(HangUp.CANCEL)
        return machine.receive(arrival.data)

    async def _settle(self, machine: HandshakeMachine) -> None:
        """Read once more: TLS 1.3 demands a client certificate only now (RFC 8446 §4.4.2.4)."""
        longest = self.context.limits.after_handshake_s
        wait = max(QUICKEST_SETTLE_S, SETTLE_FACTOR * self._watch.server_ns / 1e9)
        self._allow(min(longest, wait))
        step, before = Output(b"", State.FINISHED), self._received
        while longest and step.state is State.FINISHED and self._received == before:
            step = await self._receive(machine)
        if step.state is State.OVER:
            self._facts = machine.facts()

    async def _send(self, data: bytes) -> None:
        """Send all of it; a broken connection shows at the next read."""
        sock = self._socket
        departure = SentData(data, now())
        self._watch.sent(departure.at)
        self._events.append(departure)
        while data:
            try:
                data = data[sock.send(data) :]
            except BlockingIOError:
                await trio.lowlevel.wait_writable(sock)
            except OSError as error:
                # The kernel reports a RST once: after this send, a read returns a mere end of file.
                self._was_reset = error.errno == errno.ECONNRESET
                return

    def _time_out(self, machine: HandshakeMachine) -> None:
        """End at a deadline: was the target silent, or its answer unread because of our lag?"""
        if self._connect_ns is None:
            self._outcome = Outcome(Category.TIMEOUT_CONNECT)
        elif self._handshake_ns is None:
            machine.hang_up(HangUp.TIMEOUT)
            self._facts = machine.facts()
            with contextlib.suppress(OSError):
                if self._received < LONGEST_ANSWER and timestamps.read(self._socket).data:
                    self._outcome = Outcome(Category.LOCAL_LAG)
                    self._detail = "the deadline passed with the answer unread in our own socket"

    @property
    def _socket(self) -> socket.socket:
        assert self.sock is not None
        return self.sock

    def _close(self, machine: HandshakeMachine) -> None:
        if self.sock is not None and TCP_INFO is not None:
            with contextlib.suppress(OSError, struct.error):
                info = self.sock.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 104)
                # `tcpi_total_retrans` of struct tcp_info (linux/tcp.h)
                self._retransmits = struct.unpack_from("=I", info, 100)[0] or None
        held = self.context.held
        good = self._outcome is None and self._facts is not None and self._facts.outcome == OK
        if held is not None and self.sock is not None and good:
            reset = self.context.reset
            held.add(self.sock, b"" if reset else machine.hang_up(HangUp.CANCEL).send)
        elif self.sock is not None:
            if not self.context.reset:
                last = machine.hang_up(HangUp.CANCEL).send
                if last:
                    self._events.append(SentData(last, now()))
                with contextlib.suppress(OSError):
                    self.sock.send(last)
            dial.close(self.sock, reset=self.context.reset)
            self._events.append(SentData(b"", now(), self.context.reset))
        self._ended_ns = self._ended_ns or monotonic_ns()

    def _offer_transcript(self, record: Record) -> None:
        """Offer what passed on the wire as evidence."""
        if self.context.sampler is not None:
            self.context.sampler.add(
                record,
                self._events,
                address=self.spec.address,
                source=self.spec.source,
                started_ns=self._started_ns,
            )

    def _marks(self) -> int:
        """Return the flags for what on our side touched the measurement."""
        marks = Flag.USER_SPACE_STAMP if self._watch.user_space else 0
        return marks | (Flag.LOCAL_PRESSURE if self._watch.lag_ns > PRESSURE_NS else 0)

    def _record(self) -> Record:
        """Return the row; with the facts of the machine where it came that far."""
        job, facts, offset = self.spec, self._facts, self.context.unix_offset_ns
        self.chain = facts.chain if facts is not None else None
        self.staple = facts.staple if facts is not None else None
        outcome = self._outcome or (facts.outcome if facts is not None else CANCELLED)
        answered = self._received > 0
        return Record(
            id=job.id,
            due_ns=job.due_ns + offset,
            started_ns=self._started_ns + offset,
            address=job.address_index,
            source=job.source_index,
            local_port=self._port,
            client=job.client,
            outcome=outcome.name,
            stage=facts.stage if facts is not None else self._stage,
            chain=chain_hash(self.chain) if self.chain else None,
            tls_version=facts.tls_version if facts is not None else None,
            cipher=facts.cipher if facts is not None else None,
            key_group=facts.key_group if facts is not None else None,
            alpn=facts.alpn if facts is not None else None,
            resumed=facts.resumed if facts is not None else None,
            connect_ns=self._connect_ns,
            server_ns=self._watch.server_ns if answered else None,
            handshake_ns=self._handshake_ns,
            total_ns=(self._ended_ns or monotonic_ns()) - job.due_ns,
            lag_ns=self._watch.lag_ns if answered else None,
            bytes_received=self._received,
            segment=job.segment,
            flags=job.flags | self._marks(),
            detail=self._detail or (facts.detail if facts is not None else None),
            hello_retry=facts.hello_retry if facts is not None else None,
            tcp_retransmits=self._retransmits,
            offered=self._offered,
        )
