"""One attempt: from the SYN to the close, and the row that tells it.

The order of things, for one handshake:

    dial -> begin -> send ClientHello -> read a flight -> feed the machine -> send its answer
         -> … -> finished -> one short read -> close -> Record

Invariants: every attempt ends in exactly one Record, whatever the target does; only
`trio.Cancelled` leaves this file as an exception, after `cancelled()` has been asked for the row.
Its deadline is moved from stage to stage; `Deadlines` wakes it when that has passed.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic_ns
from typing import NamedTuple

import trio

from stress.engine.worker import dial, timestamps
from stress.engine.worker.deadlines import Deadlines
from stress.engine.worker.holding import Holding
from stress.engine.worker.sessions import Sessions
from stress.engine.worker.transcript_sampler import (
    MOVES_BYTES,
    Departure,
    Move,
    Rupture,
    TranscriptSampler,
)
from stress.handshake import Facts, HangUp, Machine, MachineFactory, State, Step
from stress.model.chain import chain_hash
from stress.model.outcome import CANCELLED, OK, Category, Outcome, Stage
from stress.model.plan import Limits
from stress.model.record import Flag, Record
from stress.model.target import Address

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
"""Bytes beyond which something unread is no answer that we were too slow to read, but a flood."""


class AttemptSpec(NamedTuple):
    """What one attempt shall do: drawn by the schedule, timed by the pacer."""

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
    """The local port it must have; None: any."""


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
    """What turns our monotonic clock into Unix time."""
    preamble: Callable[[socket.socket, Address], bytes] | None = None
    """Makes the bytes that go before the ClientHello (a PROXY header)."""
    witness: TranscriptSampler | None = None
    """Keeps some of the attempts byte for byte; None: nobody does."""
    holding: Holding | None = None
    """Keeps finished connections open; None: each is closed at once."""
    sessions: Sessions | None = None
    """What attempts may resume; None: every handshake is a full one."""
    deadlines: Deadlines = field(default_factory=Deadlines)
    """Wakes attempts whose time has come; somebody has to run its `watch`."""


@dataclass(slots=True, eq=False)
class Attempt:
    """One connection in flight."""

    job: AttemptSpec
    equipment: WorkerContext
    chain: tuple[bytes, ...] | None = None
    """DER as sent, when one was seen."""
    staple: bytes | None = None
    """The stapled OCSP response of a finished handshake; see `Facts`."""
    deadline_ns: int = 0
    """Monotonic time at which this stage has taken too long."""
    sock: socket.socket | None = None
    _started_ns: int = field(default_factory=monotonic_ns)
    _latest_ns: int = 0
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
    _was_reset: bool = False
    """A send of ours was answered by RST."""
    _retransmits: int | None = None
    _watch: timestamps.FlightTimer = field(default_factory=timestamps.FlightTimer)
    _facts: Facts | None = None
    _moves: list[Move] = field(default_factory=list)

    async def run(self) -> Record:
        """Do it, and return its row. Only `trio.Cancelled` is raised."""
        machine, deadlines = self._machine(), self.equipment.deadlines
        self._latest_ns = self._started_ns + int(self.equipment.limits.attempt_s * 1e9)
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
        self._testify(record)
        return record

    def _machine(self) -> Machine:
        client, sessions = self.job.client, self.equipment.sessions
        session = sessions.offer(client) if sessions is not None else None
        return self.equipment.factories[client].machine(session)

    def cancelled(self) -> Record:
        """The row of an attempt that we ourselves broke off."""
        self._outcome = CANCELLED
        return self._record()

    @property
    def ended_at_once(self) -> bool:
        """True when no connection came about in under 10 ms: a loop on this would only spin."""
        return self._connect_ns is None and self._ended_ns - self._started_ns < 10_000_000

    def _allow(self, seconds: float) -> None:
        """Give the stage that begins now so long, within what the whole attempt may take."""
        self.deadline_ns = min(self._latest_ns, monotonic_ns() + int(seconds * 1e9))

    async def _dial(self) -> None:
        job = self.job
        ports = dial.ExactPort(job.local_port) if job.local_port else self.equipment.ports
        self._allow(self.equipment.limits.connect_s)
        self.sock, self._port, connected = dial.begin(job.address, job.source, ports)
        if not connected:
            await dial.finish(self.sock)
        self._connect_ns = monotonic_ns() - self._started_ns
        self._stage = Stage.CLIENT_HELLO
        timestamps.ask_for_stamps(self.sock)

    async def _shake(self, machine: Machine) -> None:
        self._allow(self.equipment.limits.hello_s)
        step = machine.begin()
        preamble = self.equipment.preamble
        opening = preamble(self._socket, self.job.address) if preamble is not None else b""
        await self._send(opening + step.send)
        self._hello_ns = monotonic_ns()
        while step.state is State.WAITING:
            first = not self._received
            step = await self._advance(machine)
            if first and self._received:
                self._allow(self.equipment.limits.handshake_s)
        self._facts = machine.facts()
        if step.state is State.FINISHED and not self._facts.settled:
            await self._settle(machine)
        sessions = self.equipment.sessions
        if sessions is not None and self._facts.outcome == OK:
            resumed = bool(self._facts.resumed)
            sessions.keep(self.job.client, machine.session(), resumed=resumed)

    async def _advance(self, machine: Machine) -> Step:
        """Read one flight (or part of one), feed the machine, send what it answers."""
        step = await self._hear(machine)
        if step.state is State.FINISHED and self._handshake_ns is None:
            self._ended_ns = monotonic_ns()
            self._handshake_ns = self._ended_ns - self._hello_ns
            self._watch.turn()
        if step.send:
            await self._send(step.send)
        return step

    async def _hear(self, machine: Machine) -> Step:
        await trio.lowlevel.wait_readable(self._socket)
        try:
            arrival = timestamps.read(self._socket)
        except BlockingIOError:
            return Step(b"", State.WAITING)
        except OSError:
            self._moves.append(Rupture(timestamps.now()))
            return machine.hang_up(HangUp.RESET)
        if self._received <= MOVES_BYTES:
            self._moves.append(arrival)
        if not arrival.data:
            return machine.hang_up(HangUp.RESET if self._was_reset else HangUp.EOF)
        self._received += len(arrival.data)
        self._watch.arrived(arrival)
        if self._received > self.equipment.limits.connection_bytes:
            return self._overflow(machine)
        return machine.receive(arrival.data)

    def _overflow(self, machine: Machine) -> Step:
        if self._handshake_ns is None:
            self._outcome = Outcome(Category.PROTOCOL_ERROR)
            self._detail = f"more than {self.equipment.limits.connection_bytes:,} bytes"
        return machine.hang_up(HangUp.CANCEL)

    async def _settle(self, machine: Machine) -> None:
        """Read once more: only now does TLS 1.3 say what it wanted of us (RFC 8446 §4.4.2.4)."""
        longest = self.equipment.limits.after_handshake_s
        wait = max(QUICKEST_SETTLE_S, SETTLE_FACTOR * self._watch.server_ns / 1e9)
        self._allow(min(longest, wait))
        step, before = Step(b"", State.FINISHED), self._received
        while longest and step.state is State.FINISHED and self._received == before:
            step = await self._hear(machine)
        if step.state is State.OVER:
            self._facts = machine.facts()

    async def _send(self, data: bytes) -> None:
        """Send all of it; a broken connection is left for the next read to tell."""
        sock = self._socket
        departure = Departure(data, timestamps.now())
        self._watch.sent(departure.at)
        self._moves.append(departure)
        while data:
            try:
                data = data[sock.send(data) :]
            except BlockingIOError:
                await trio.lowlevel.wait_writable(sock)
            except OSError as error:
                # The kernel tells a RST once. Who heard it here reads a mere end of file later.
                self._was_reset = error.errno == errno.ECONNRESET
                return

    def _time_out(self, machine: Machine) -> None:
        """A deadline passed: the target's silence, or our own lag with its answer unread?"""
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

    def _close(self, machine: Machine) -> None:
        if self.sock is not None and TCP_INFO is not None:
            with contextlib.suppress(OSError, struct.error):
                info = self.sock.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 104)
                # `tcpi_total_retrans` of struct tcp_info (linux/tcp.h)
                self._retransmits = struct.unpack_from("=I", info, 100)[0] or None
        holding = self.equipment.holding
        if holding is not None and self.sock is not None and self._is_good():
            reset = self.equipment.reset
            holding.keep(self.sock, b"" if reset else machine.hang_up(HangUp.CANCEL).send)
        elif self.sock is not None:
            if not self.equipment.reset:
                last = machine.hang_up(HangUp.CANCEL).send
                if last:
                    self._moves.append(Departure(last, timestamps.now()))
                with contextlib.suppress(OSError):
                    self.sock.send(last)
            dial.close(self.sock, reset=self.equipment.reset)
            self._moves.append(Departure(b"", timestamps.now(), self.equipment.reset))
        self._ended_ns = self._ended_ns or monotonic_ns()

    def _is_good(self) -> bool:
        return self._outcome is None and self._facts is not None and self._facts.outcome == OK

    def _testify(self, record: Record) -> None:
        """Offer what passed on the wire as evidence."""
        if self.equipment.witness is not None:
            self.equipment.witness.hear(
                record,
                self._moves,
                address=self.job.address,
                source=self.job.source,
                started_ns=self._started_ns,
            )

    def _marks(self) -> int:
        """What of our own doing touched the measurement."""
        marks = Flag.USER_SPACE_STAMP if self._watch.user_space else 0
        return marks | (Flag.LOCAL_PRESSURE if self._watch.lag_ns > PRESSURE_NS else 0)

    def _record(self) -> Record:
        """The row; the facts of the machine where it came that far."""
        job, facts, offset = self.job, self._facts, self.equipment.unix_offset_ns
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
        )
