"""The life of one connection: from the SYN to the close, and its row.

It is a plain object. The reactor calls it when its socket is ready (`on_ready`), when a deadline
has passed (`on_overdue`), or when we ourselves stop (`cancel`); it never waits. Its `phase` says
what the next call means:

    begin() ── SYN ──► CONNECTING ──► HELLO_SENT ──► WAITING ──► SETTLING ──► OVER ──► its Record
                            │             │             │            │
                            └─────────────┴─────────────┴────────────┘  or at any time

    CONNECTING   Wait until the socket can be written to, which says that the connection is open, or
                 why it is not. Over loopback it is open at once, and this phase is left out.
    HELLO_SENT   The ClientHello was sent. Wait for the first byte of an answer.
    WAITING      Read a flight (or a part of one), feed it to the machine, send its answer; and so
                 on, until the machine says that the handshake has finished or failed.
    SETTLING     It has finished for us. In TLS 1.3 the server checks our side only now, and may
                 still refuse (RFC 8446 section 4.4.2.4), so wait a moment for what it says.
    ASKING       Instead of SETTLING where the server is asked for its name: a request was sent, and
                 its answer is awaited, or an alert. No answer is no failure.
    OVER         Closed, and the row is made. Nothing calls it any more.

Each phase has a deadline of its own, within that of the whole attempt (`_allow`).

What is tricky:

* A send may be partial: what is left is in `_unsent`. Until it has left, nothing is read, and the
  phase does not end.
* An event may get lost, by the kernel's fault or by ours. So what is overdue reads once more before
  anybody is judged: an answer that lies in our own socket is our lag, not the target's silence.
* The kernel reports a RST once. A send that was answered by one takes the report; the read behind
  it sees a mere end of file. So the send keeps it (`_was_reset`).

Invariants: every attempt ends in exactly one Record, and calls `on_end` exactly once, whatever the
target does; no method raises for what the target did.
"""

from __future__ import annotations

import _socket
import contextlib
import errno
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from time import monotonic_ns, time_ns
from typing import NamedTuple

from stress.dialogues.dialogue import Dialogue
from stress.engine.worker import dial, timestamps
from stress.engine.worker.held_connections import HeldConnections
from stress.engine.worker.identify import HeaderQuestion, Signals
from stress.engine.worker.poller import READABLE, WRITABLE
from stress.engine.worker.reactor import Reactor
from stress.engine.worker.schedule import SessionPool
from stress.engine.worker.tickets import TicketSampler
from stress.engine.worker.timestamps import (
    ABORTED,
    FLIGHT_BYTES,
    RECEIVED,
    RESET,
    SENT,
    FlightTimer,
    WireEvent,
    event,
)
from stress.engine.worker.transcript_sampler import EVENTS_BYTES, TranscriptSampler
from stress.handshake import Facts, HandshakeMachine, HangUp, MachineFactory, Output, State
from stress.host.clocks import enable_kernel_stamps
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
"""The socket option that tells what TCP did; None: this system has another one, or none."""
TCP_INFO_OCTETS = struct.Struct("=5xBB9xI80xI")
"""Of struct tcp_info (linux/tcp.h): `tcpi_options`, both window scales, `tcpi_snd_mss`,
`tcpi_total_retrans`."""
KEY_NAME_BYTES = 16
"""At the front of a session ticket (RFC 5077 section 4); whether they are a name, the recorder
finds out (`stress.engine.key_names`)."""
LONGEST_ANSWER = 262_144
"""Unread bytes above which they are a flood, not an answer that we were too slow to read."""
MORE_FOLLOWS: int = getattr(socket, "MSG_MORE", 0)
"""Keeps what is sent until the FIN goes with it, at once: one segment instead of two."""
NOTHING_KNOWN = Facts(CANCELLED, Stage.CONNECT)
UNREAD = "the deadline passed with the answer unread in our own socket"
UNNOTICED = "the deadline passed with the connection open, unnoticed by our own process"


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


class Opening(NamedTuple):
    """What is spoken before TLS: with a proxy, or with the server (STARTTLS)."""

    stage: Stage
    """Of an attempt that gets no further."""
    make: Callable[[str, Address], Dialogue]
    """Makes the dialogue, from our own address and the target's."""


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
    proxy: Address | None = None
    """Where connections go instead of to their address; None: they are direct."""
    dialogues: tuple[Opening, ...] = ()
    """What is spoken before TLS, one after the other; empty: TLS comes first."""
    sampler: TranscriptSampler | None = None
    """Keeps some of the attempts byte for byte; None: none is kept."""
    tickets: TicketSampler | None = None
    """Chooses the session tickets that are read, to name a backend; None: none is."""
    question: HeaderQuestion | None = None
    """What the server is asked after the handshake, to name itself; None: nothing."""
    signals: Signals = field(default_factory=Signals)
    """Words what tells servers apart without a finished handshake."""
    held: HeldConnections | None = None
    """Keeps finished connections open; None: each is closed at once."""
    sessions: SessionPool | None = None
    """What attempts may resume; None: every handshake is a full one."""
    reactor: Reactor = field(default_factory=Reactor)
    """Drives the attempts; its `run` has to run."""


class AttemptPhase(Enum):
    """What an attempt waits for; see the top of this file."""

    CONNECTING = "connecting"
    DIALOGUE = "dialogue"
    """Only in `dialogue_attempt.py`: a proxy, or TLS, has to be asked for first."""
    HELLO_SENT = "hello sent"
    WAITING = "waiting"
    SETTLING = "settling"
    ASKING = "asking"
    OVER = "over"


@dataclass(slots=True, eq=False)
class Attempt:
    """One connection in flight."""

    spec: AttemptSpec
    context: WorkerContext
    on_end: Callable[[Attempt], None]
    """Is called when it is over and its `record` is there, once."""
    record: Record = field(init=False)
    """Its row, as soon as it is over."""
    chain: tuple[bytes, ...] | None = None
    """DER as sent, when one was seen."""
    staple: bytes | None = None
    """The stapled OCSP response of a finished handshake; see `Facts`."""
    phase: AttemptPhase = AttemptPhase.CONNECTING
    deadline_ns: int = 0
    """Monotonic time at which this phase has taken too long."""
    latest_ns: int = 0
    """Monotonic time at which the whole attempt has taken too long."""
    _connect_ns: int | None = None
    """What connecting took; None: it was over before the connection was open."""
    _started_ns: int = 0
    _hello_ns: int = 0
    """When the ClientHello had left."""
    _ended_ns: int = 0
    """When the handshake finished, else when the attempt was given up."""
    _handshake_ns: int | None = None
    _machine: HandshakeMachine = field(init=False)
    _state: State = State.WAITING
    """The machine's, as of its last output."""
    _facts: Facts = NOTHING_KNOWN
    """What the machine knows, once its part is over."""
    _outcome: Outcome | None = None
    """Set where it is not the machine's."""
    _detail: str | None = None
    _sock: _socket.socket = field(init=False)
    _port: int | None = None
    """The local port; None: there is no socket."""
    _unsent: bytes = b""
    _received: int = 0
    _was_reset: bool = False
    """A send of ours was answered by RST."""
    _retransmits: int | None = None
    _tcp_options: str | None = None
    _offered: bool | None = None
    _drawn: bool = False
    """Its session ticket is read, whatever becomes of it."""
    _chain_hash: bytes | None = None
    _backend: str | None = None
    _timer: FlightTimer = field(default_factory=FlightTimer)
    _events: list[WireEvent] = field(default_factory=list)

    # What others call.

    def begin(self) -> None:
        """Send the SYN. The attempt may be over at once: refused, or no local port."""
        context, spec = self.context, self.spec
        now_ns = self._started_ns = monotonic_ns()
        self.latest_ns = now_ns + int(context.limits.attempt_s * 1e9)
        self._allow(context.limits.connect_s, now_ns)
        session = None
        if context.sessions is not None:
            session = context.sessions.offer(spec.client)
            self._offered = session is not None
        if context.tickets is not None:
            self._drawn = context.tickets.draws()
        self._machine = context.factories[spec.client].machine(session, keyed=self._drawn)
        self._machine.reads_ticket = context.tickets is not None
        ports, exact = context.ports, spec.local_port
        if exact:
            ports = dial.Ports(0, span=range(exact, exact + 1))
        try:
            peer = context.proxy or spec.address
            self._sock, self._port, is_open = dial.begin(peer, spec.source, ports)
        except dial.DialError as error:
            self._outcome, self._detail = error.outcome, error.detail
            self._end()
            return
        now_ns = monotonic_ns()
        context.reactor.add(self._sock.fileno(), self, READABLE if is_open else WRITABLE)
        if is_open:
            self._send_hello(now_ns)

    def on_ready(self, events: int) -> bool:
        """Go on where the socket is ready; returns whether there may be more to read."""
        if self.phase is AttemptPhase.CONNECTING:
            self._connect()
        elif self._unsent:
            self._flush()
            if not self._unsent:
                self.context.reactor.change(self._sock.fileno(), READABLE)
                self._after_send()
        else:
            size = self._read()
            if size == FLIGHT_BYTES or (events != READABLE and size is not None):
                return self.phase is not AttemptPhase.OVER
        return False

    def on_overdue(self) -> None:
        """End at a deadline, after one more look: was the target silent, or did we not notice?"""
        if self.phase is AttemptPhase.CONNECTING:
            self._outcome = Outcome(Category.TIMEOUT_CONNECT)
            try:
                if dial.is_open(self._sock):
                    self._outcome, self._detail = Outcome(Category.LOCAL_LAG), UNNOTICED
            except dial.DialError as error:
                self._outcome, self._detail = error.outcome, error.detail
        elif self.phase in {AttemptPhase.SETTLING, AttemptPhase.ASKING}:
            self._read()
        else:
            self._time_out()
        if self.phase is not AttemptPhase.OVER:  # after the handshake nothing came, which is good
            self._end()

    def cancel(self) -> None:
        """End at once, because we ourselves stop."""
        self._outcome = CANCELLED
        self._end()

    @property
    def ended_at_once(self) -> bool:
        """True when no connection came about in under 10 ms: a loop on this would only spin."""
        return self._connect_ns is None and self._ended_ns - self._started_ns < 10_000_000

    # The steps of its life.

    def _allow(self, seconds: float, now_ns: int) -> None:
        """Give the phase that begins now so long, within what the whole attempt may take."""
        self.deadline_ns = min(self.latest_ns, now_ns + int(seconds * 1e9))

    def _connect(self) -> None:
        """Leave CONNECTING if the connection is open by now, or was refused."""
        try:
            if not dial.is_open(self._sock):
                return
        except dial.DialError as error:
            self._outcome, self._detail = error.outcome, error.detail
            self._end()
            return
        now_ns = monotonic_ns()
        self.context.reactor.change(self._sock.fileno(), READABLE)
        self._send_hello(now_ns)

    def _send_hello(self, now_ns: int) -> None:
        context, sock = self.context, self._sock
        self.phase = AttemptPhase.HELLO_SENT
        self._connect_ns = now_ns - self._started_ns
        enable_kernel_stamps(sock)
        self._allow(context.limits.hello_s, now_ns)
        hello, self._state = self._machine.begin()
        if context.preamble is not None:
            hello = context.preamble(sock, self.spec.address) + hello
        self._send(hello)

    def _send(self, data: bytes) -> None:
        """Send a flight, then go on; if only a part of it can leave now, `on_ready` does so."""
        departure = SENT, data, None, time_ns(), monotonic_ns()
        self._timer.sent(departure[3], departure[4])
        self._events.append(departure)
        self._unsent = data
        self._flush()
        if self._unsent:
            self.context.reactor.change(self._sock.fileno(), WRITABLE)
        else:
            self._after_send()

    def _flush(self) -> None:
        """Send as much as can leave now; a broken connection shows at the next read."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self._sock.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError as error:
            self._was_reset = error.errno == errno.ECONNRESET
            self._unsent = b""

    def _after_send(self) -> None:
        """A flight has left, or there was nothing to send: wait, settle, or end."""
        if not self._hello_ns:
            self._hello_ns = monotonic_ns()
        if self._state is State.WAITING or self.phase is AttemptPhase.ASKING:
            return
        if self._state is State.FINISHED and self.context.question is not None:
            self._ask(self.context.question)
            return
        longest = self.context.limits.after_handshake_s
        if self._state is State.FINISHED and longest and not self._machine.settled:
            self.phase = AttemptPhase.SETTLING
            wait = max(QUICKEST_SETTLE_S, SETTLE_FACTOR * self._timer.server_ns / 1e9)
            self._allow(min(longest, wait), monotonic_ns())
        else:
            self._end()

    def _ask(self, question: HeaderQuestion) -> None:
        """Send the request; nothing of it counts as the target's time for the handshake."""
        self.phase = AttemptPhase.ASKING
        self._allow(self.context.limits.hello_s, monotonic_ns())
        self._unsent = self._machine.ask(question.request)
        self._events.append(event(SENT, self._unsent))
        self._flush()
        if self._unsent:
            self.context.reactor.change(self._sock.fileno(), WRITABLE)

    def _read(self) -> int | None:
        """Read once and go on with that; returns the number of bytes, None: nothing was there."""
        try:
            arrival = timestamps.read(self._sock)
        except BlockingIOError:
            return None
        except OSError:
            arrival = event(RESET)
        what, data, stamp, real_ns, now_ns = arrival
        if self._received <= EVENTS_BYTES or what == RESET:
            self._events.append(arrival)
        if data:
            self._received += len(data)
            self._timer.arrived(stamp, real_ns, now_ns)
            is_flood = self._received > self.context.limits.connection_bytes
            output = self._refuse_flood() if is_flood else self._machine.receive(data)
        else:
            was_reset = what == RESET or self._was_reset
            output = self._machine.hang_up(HangUp.RESET if was_reset else HangUp.EOF)
        answer, self._state = output

        if self.phase is AttemptPhase.SETTLING or self.phase is AttemptPhase.ASKING:
            said = self._machine.answer
            if said is None or self._state is State.OVER or HeaderQuestion.is_answered(said):
                self._end()
            return len(data)
        if self._state is State.FINISHED:
            self._ended_ns = monotonic_ns()
            self._handshake_ns = self._ended_ns - self._hello_ns
            self._timer.end_round_trip()
        elif self.phase is AttemptPhase.HELLO_SENT and data:
            self.phase = AttemptPhase.WAITING
            self._allow(self.context.limits.handshake_s, now_ns)
        if answer:
            self._send(answer)
        else:
            self._after_send()
        return len(data)

    def _refuse_flood(self) -> Output:
        """Give up where more comes than any handshake needs."""
        if self._handshake_ns is None:
            self._outcome = Outcome(Category.PROTOCOL_ERROR)
            self._detail = f"more than {self.context.limits.connection_bytes:,} bytes"
        return self._machine.hang_up(HangUp.CANCEL)

    def _time_out(self) -> None:
        """Judge who was silent: the target, or we, who did not serve our own socket."""
        how, waited_to_send = HangUp.TIMEOUT, bool(self._unsent)
        is_lag, is_flood = False, self._received >= LONGEST_ANSWER
        try:
            if waited_to_send:
                self._flush()
                is_lag = not self._unsent and not self._was_reset
            if not is_flood and timestamps.read(self._sock)[1]:
                is_lag = True
            elif not is_flood:
                how = HangUp.RESET if self._was_reset else HangUp.EOF
                self._events.append(event(RECEIVED))
        except BlockingIOError:
            pass
        except OSError:
            how = HangUp.RESET
            self._events.append(event(RESET))
        self._machine.hang_up(how)
        self._state = State.OVER
        if is_lag:
            self._outcome, self._detail = Outcome(Category.LOCAL_LAG), UNREAD
        elif waited_to_send:  # it may be the last flight, of a handshake that is good for us
            self._outcome = how.value

    def _end(self) -> None:
        """Keep the session of a good handshake, close, make the row, and report it."""
        self.phase, context = AttemptPhase.OVER, self.context
        if self._state is not State.WAITING:
            facts = self._facts = self._machine.facts()
            self._chain_hash = chain_hash(facts.chain) if facts.chain else None
            self._backend = self._named()
            if context.sessions is not None and facts.outcome == OK:
                session = self._machine.session()
                context.sessions.keep(self.spec.client, session, resumed=bool(facts.resumed))
        if not self._ended_ns:
            self._ended_ns = monotonic_ns()
        if self._port is not None:
            self._close()
        record = self.record = self._record()
        if context.sampler is not None:
            context.sampler.add(
                record,
                self._events,
                address=self.spec.address,
                proxy=context.proxy,
                source=self.spec.source,
                started_ns=self._started_ns,
            )
        self.on_end(self)

    def _named(self) -> str | None:
        """What may name the server: a header of its answer, or the front of its session ticket."""
        question, tickets, spec = self.context.question, self.context.tickets, self.spec
        if question is not None:
            return question.name_in(bytes(self._machine.answer or b""))
        if tickets is None or self._handshake_ns is None:
            return None
        reads = tickets.reads(spec.address_index, spec.client, self._chain_hash)
        ticket = self._machine.ticket() if reads or self._drawn else None
        return ticket[:KEY_NAME_BYTES].hex() if ticket else None

    def _close(self) -> None:
        """Close the connection, or give it to those that stay open."""
        context, sock, reset = self.context, self._sock, self.context.reset
        if TCP_INFO is not None:
            with contextlib.suppress(OSError, struct.error):
                info = sock.getsockopt(socket.IPPROTO_TCP, TCP_INFO, TCP_INFO_OCTETS.size)
                *end, again = TCP_INFO_OCTETS.unpack(info)
                self._retransmits = again or None
                # What is sent again may be sent in smaller segments, and a proxy is no server.
                if not again and self._connect_ns is not None and context.proxy is None:
                    self._tcp_options = context.signals.tcp(*end)
        last = b"" if reset else self._machine.hang_up(HangUp.CANCEL).send
        if context.held is not None and self._outcome is None and self._facts.outcome == OK:
            context.reactor.remove(sock.fileno(), closing=False)
            context.held.add(sock, last)
            return
        context.reactor.remove(sock.fileno(), closing=True)
        if not reset:
            if last:
                self._events.append(event(SENT, last))
            with contextlib.suppress(OSError):
                sock.send(last, MORE_FOLLOWS)
        dial.close(sock, reset=reset)
        self._events.append(event(ABORTED if reset else SENT))

    def _record(self) -> Record:
        """Return the row; with the facts of the machine where it came that far."""
        spec, timer, offset = self.spec, self._timer, self.context.unix_offset_ns
        facts, stage = self._facts, self._facts.stage
        if facts is NOTHING_KNOWN and self._connect_ns is not None:
            stage = Stage.CLIENT_HELLO
        self.chain, self.staple = facts.chain, facts.staple
        tickets = self.context.tickets
        answered = self._received > 0
        flags = spec.flags | (Flag.USER_SPACE_STAMP if timer.user_space else 0)
        return Record(
            id=spec.id,
            due_ns=spec.due_ns + offset,
            started_ns=self._started_ns + offset,
            address=spec.address_index,
            source=spec.source_index,
            local_port=self._port,
            client=spec.client,
            outcome=(self._outcome or facts.outcome).name,
            stage=stage,
            chain=self._chain_hash,
            tls_version=facts.tls_version,
            cipher=facts.cipher,
            key_group=facts.key_group,
            alpn=facts.alpn,
            resumed=facts.resumed,
            connect_ns=self._connect_ns,
            server_ns=timer.server_ns if answered else None,
            handshake_ns=self._handshake_ns,
            total_ns=self._ended_ns - spec.due_ns,
            lag_ns=timer.lag_ns if answered else None,
            bytes_received=self._received,
            segment=spec.segment,
            flags=flags | (Flag.LOCAL_PRESSURE if timer.lag_ns > PRESSURE_NS else 0),
            detail=self._detail or facts.detail,
            hello_retry=facts.hello_retry,
            tcp_retransmits=self._retransmits,
            offered=self._offered,
            backend=self._backend,
            sampled=True if self._drawn and tickets and not tickets.everything else None,
            ja3s=self.context.signals.server_hello(facts.hello_shape),
            tcp_options=self._tcp_options,
        )
