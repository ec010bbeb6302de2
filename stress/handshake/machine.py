"""The TLS client machine: reads along on the wire, drives a TLS library, and names the outcome.

* The library decides whether the handshake is good; `Wire` reports what was seen in the clear. The
  facts are assembled only on request, so a good handshake pays for neither.
* An alert in the clear is taken from the bytes, an encrypted one from the library.
* The library's errors become outcomes by one table (`reasons.toml`). Each adapter translates its
  library's reasons into one spelling (`spell`); nothing else looks at a library's error texts.
  Reasons are in the library's order, the deepest cause first; the outermost known one decides.
* With a key log, an encrypted flight that failed is read again (`read_flight`). It shows
  certificates that the library could not decode, and whether a client certificate was requested.
* A library that gives up has queued its own alert: `send` carries it in the state `OVER`, too,
  or the server's log would stay empty.
* In TLS 1.3 the client finishes before the server has checked it. A request for a client
  certificate fails only with the first bytes afterwards, so a finished handshake is `settled` only
  once something was read after it (RFC 8446 section 4.4.2.4 and appendix E.1.2).
* After the handshake only a fatal alert is a failure; the library's own errors are not.

Invariants: states only move WAITING -> FINISHED -> OVER or WAITING -> OVER; an outcome never
changes once there is one, except that a fatal alert after the handshake turns `ok` into a failure;
no method raises for what the server sent.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib.resources import files
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from stress.codes.catalog import alert_name
from stress.errors import UsageError
from stress.handshake.keylog import KeyLog, read_flight, read_ticket, secret_of
from stress.handshake.wire import Wire, plaintext_alert
from stress.model.outcome import CANCELLED, OK, Category, Outcome, Stage

CLOSE_NOTIFY: Final = 0
_CERTIFICATE_REQUIRED: Final = 116

_BEFORE_SERVER_HELLO: Final[Mapping[int, Category]] = {
    40: Category.NO_SHARED_CIPHER,  # handshake_failure: OpenSSL, BoringSSL, NSS, Go send it
    70: Category.NO_SHARED_VERSION,  # protocol_version
    71: Category.NO_SHARED_CIPHER,  # insufficient_security: NSS, Java
}
"""Alerts that reject the ClientHello itself."""

_CERTIFICATE_REQUESTED: Final = frozenset({40, 41, 42, 46, 49})
"""Alerts by which TLS 1.2 servers end a handshake in which the client sent no certificate."""

_REASONS: Final[Mapping[str, tuple[Category, Stage]]] = {
    reason: (Category(category), Stage.parse(stage))
    for category, stages in tomllib.loads(
        (files("stress.handshake") / "reasons.toml").read_text("utf-8")
    ).items()
    for stage, reasons in stages.items()
    for reason in reasons
}
"""Reason -> outcome, and the stage that the reason proves. All others: `protocol-error`."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The error with which a TLS library gives up."""

    reasons: tuple[str, ...]
    """In one spelling, deepest cause first; may be empty."""
    alert: int | None = None
    """Number of the received alert, None if the cause was not an alert."""


def spell(library: str, reason: str) -> str:
    """One spelling for both libraries: `BAD_SIGNATURE` of SSL itself, else `ASN1:DECODE_ERROR`.

    Args:
        library: such as `SSL routines` or `ASN.1 encoding routines`; its first word is kept.
        reason: such as `bad signature` or `BAD_SIGNATURE`.
    """
    part = library.partition(" ")[0].replace(".", "").upper()
    words = reason.strip().replace(" ", "_").upper()
    return words if part in {"SSL", ""} else f"{part}:{words}"


def judge(failure: Failure, stage: Stage, *, requested: bool) -> tuple[Outcome, Stage]:
    """Names the outcome of a failed handshake, and the stage that it proves.

    Args:
        failure: the library's error.
        stage: how far the handshake is known to have got.
        requested: a client certificate was requested, and none was sent.
    """
    number = failure.alert
    if number is not None:
        outcome = Outcome(Category.ALERT, number)
        if number == _CERTIFICATE_REQUIRED or (requested and number in _CERTIFICATE_REQUESTED):
            outcome = Outcome(Category.CLIENT_CERTIFICATE_REQUIRED)
        elif stage < Stage.SERVER_HELLO and number in _BEFORE_SERVER_HELLO:
            outcome = Outcome(_BEFORE_SERVER_HELLO[number])
        return outcome, stage
    for reason in reversed(failure.reasons):
        if reason in _REASONS:
            category, proven = _REASONS[reason]
            return Outcome(category), max(stage, proven)
    return Outcome(Category.PROTOCOL_ERROR), stage


def describe(failure: Failure, sent: int | None) -> str:
    """Describes what happened: the alert received, or the reason and the alert sent."""
    if failure.alert is not None:
        return f"alert {failure.alert} {alert_name(failure.alert)} received"
    reason = ", ".join(dict.fromkeys(failure.reasons)) or "no reason given"
    return reason if sent is None else f"{reason}; alert {sent} {alert_name(sent)} sent"


class State(Enum):
    """What the machine needs next."""

    WAITING = "waiting"
    """The handshake needs more bytes from the server."""
    FINISHED = "finished"
    """The handshake finished; the machine still accepts what follows."""
    OVER = "over"
    """The attempt has ended; further bytes change nothing."""


class HangUp(Enum):
    """Why the caller ends a connection, and the outcome unless the handshake has finished."""

    EOF = Outcome(Category.EOF)
    """The server's end of stream was read."""
    RESET = Outcome(Category.RESET)
    """The connection was reset, or lost in some other way."""
    TIMEOUT = Outcome(Category.TIMEOUT_HANDSHAKE)
    """The caller's time limit has passed."""
    CANCEL = CANCELLED
    """The run is being stopped, or nothing more is needed."""


class Output(NamedTuple):
    """What the caller has to do: send this, then act on the state."""

    send: bytes
    """Bytes for the server, in every state; may be empty."""
    state: State


class Facts(NamedTuple):
    """What is known about a connection so far; None means "not reached" or "cannot be known".

    A NamedTuple, because one is made for each handshake.
    """

    outcome: Outcome
    """While the handshake still goes on: what hanging up now would lead to."""
    stage: Stage
    chain: tuple[bytes, ...] | None = None
    """DER as sent, leaf first; None if no certificate was seen (such as a resumption)."""
    tls_version: int | None = None
    cipher: int | None = None
    key_group: int | None = None
    """None also for key exchange without a named group (RSA)."""
    alpn: str | None = None
    resumed: bool | None = None
    detail: str | None = None
    """For display: which alert, which reason of the library, or which first bytes."""
    settled: bool = False
    """Nothing decisive can follow: up to TLS 1.2 the handshake finished, in TLS 1.3 a record after
    the handshake was read."""
    staple: bytes | None = None
    """The stapled OCSP response; empty: requested, none was sent; None: not requested or not known
    (a resumption; BoringSSL does not report it)."""
    hello_retry: bool | None = None
    """Whether the server sent a HelloRetryRequest; None before its first answer."""
    hello_shape: tuple[int, ...] = ()
    """Of the ServerHello: its version field, its suite, and its extensions in their order; empty:
    none was read."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The certificate that the client sends when a server requests one."""

    certificate: Path
    """PEM, the client's own certificate first."""
    key: Path
    """PEM of its private key, without a password."""

    def unusable(self, reason: object) -> UsageError:
        """Make the error for files that a TLS library does not accept."""
        return UsageError(
            f"client certificate {self.certificate} with key {self.key}: {reason}",
            hint="Both must be PEM files; the key must belong to the first certificate.",
        )


@dataclass(frozen=True, slots=True)
class Session:
    """What a finished handshake leaves for an abbreviated one later."""

    handle: object
    """The TLS library's own object; only machines of the same stack can use it."""
    reusable: bool
    """May be offered repeatedly (up to TLS 1.2); a ticket of TLS 1.3 is for one connection
    (RFC 8446 appendix C.4)."""


_TLS_1_3: Final = 0x0304
_FATAL: Final = 2
_USER_CANCELED: Final = 90


class Engine(Protocol):
    """What an adapter of a TLS library can do. No method raises for what the server sent."""

    def advance(self, data: bytes) -> State | Failure:
        """Takes bytes (none at the start) and continues the handshake: waiting or finished."""

    def after(self, data: bytes, into: bytearray | None = None) -> Failure | None:
        """Takes bytes after the handshake, and appends what they say; a failure may be an alert."""

    def write(self, data: bytes) -> None:
        """Encrypts application data; only after the handshake."""

    def output(self) -> bytes:
        """Takes what is queued for the server."""

    def chain(self) -> tuple[bytes, ...]:
        """DER of the server's certificates, leaf first; empty until some are accepted."""

    def alpn(self) -> str | None:
        """The negotiated protocol."""

    def resumed(self) -> bool:
        """Whether a session was resumed; only after the handshake."""

    def staple(self) -> bytes | None:
        """The stapled OCSP response, as in `Facts`; only after the handshake."""

    def session(self) -> Session | None:
        """What a later connection may offer; only after the handshake."""

    def ticket(self) -> bytes | None:
        """The session ticket of TLS 1.3, if the library shows it; only after the handshake."""

    def close(self) -> bytes:
        """Makes a close_notify; only after the handshake. Empty if that is not possible."""


@dataclass(slots=True, eq=False)
class HandshakeMachine:
    """One TLS handshake: bytes in, bytes out. No method raises for what the server sent."""

    _engine: Engine
    """An unused connection of a TLS library."""
    _versions: tuple[int, ...]
    """What it offers, as wire numbers."""
    _credentials: bool
    """It would send a certificate on request."""
    _key_log: KeyLog | None = None
    """Has its secrets, to read an encrypted flight again after a failure."""
    _offered: tuple[bytes, ...] = ()
    """The chain of an offered session: libraries show it as if this server had sent it."""
    answer: bytearray | None = None
    """What the server has said to the request of `ask`; None: nothing was asked."""
    reads_ticket: bool = False
    """Whether a ticket of TLS 1.3 may be asked for; older ones come in the clear."""
    _wire: Wire = field(default_factory=Wire)
    _state: State = State.WAITING
    _finished: bool = False
    _settled: bool = False
    _random: bytes = b""
    _received: list[bytes] = field(default_factory=list)
    """What the server sent, for as long as the connection may fail; only with a key log."""
    _after: bytes = b""
    _outcome: Outcome | None = None
    _stage: Stage | None = None
    _detail: str | None = None
    _flight: Wire | None = None
    """The server's encrypted flight, where it was read again."""

    def begin(self) -> Output:
        """Makes the ClientHello. Called once, first."""
        output = self._advance(b"")
        self._random = output.send[11:43]  # behind the headers of record and message, the version
        return output

    def receive(self, data: bytes) -> Output:
        """Takes bytes from the server."""
        if self._state is State.WAITING:
            self._wire.feed(data)
            if self._key_log is not None:
                self._received.append(data)
            foreign = self._wire.foreign
            if foreign is None:
                return self._advance(data)
            self._state = State.OVER
            self._outcome = Outcome(Category.NOT_TLS)
            # Hostile bytes become harmless ASCII of at most 80 columns.
            text = ascii(foreign.decode("latin-1"))
            self._detail = f"first bytes {text if len(text) <= 80 else text[:76] + text[0] + '...'}"
            return Output(b"", State.OVER)
        if self._state is State.OVER or not data:
            return Output(b"", self._state)

        # After the handshake: tickets, data, close_notify or an alert.
        failure = self._engine.after(data, self.answer)
        if not self._settled:
            self._after += data  # a record may come in parts
            after, size = self._after, len(self._after)
            if failure is not None or (size >= 5 and size >= 5 + (after[3] << 8 | after[4])):
                self._settled, self._after = True, after if self.reads_ticket else b""
        if failure is not None:
            self._state = State.OVER
            self._fail_after(failure)
        elif self._settled:
            self._received.clear()
        return Output(self._engine.output(), self._state)

    def ask(self, request: bytes) -> bytes:
        """Makes the bytes that say this to the server after the handshake; see `answer`."""
        self.answer = bytearray()
        self._engine.write(request)
        return self._engine.output()

    def hang_up(self, how: HangUp) -> Output:
        """Ends the connection; before the handshake finished, `how` becomes the outcome.

        After it, `send` holds a close_notify that the caller may send before a FIN.
        """
        if self._state is State.OVER:
            return Output(b"", State.OVER)
        self._state = State.OVER
        if not self._finished:
            self._outcome = how.value
            return Output(b"", State.OVER)
        return Output(b"" if how is HangUp.RESET else self._engine.close(), State.OVER)

    @property
    def settled(self) -> bool:
        """Whether nothing decisive can follow; see `Facts`."""
        return self._finished and (self._settled or (self._wire.version or 0) < _TLS_1_3)

    def facts(self) -> Facts:
        """Reports what is known so far."""
        wire, engine, finished = self._wire, self._engine, self._finished
        resumed = engine.resumed() if finished else None
        sent = () if resumed else engine.chain() if finished else self._sent()
        seen = None if self._flight is None else self._flight.certificates
        chain = sent or wire.certificates or seen or None
        stage = self._stage
        if stage is None:
            stage = Stage.FINISHED if finished else self._reached(chain)
        return Facts(
            outcome=self._outcome or (OK if finished else CANCELLED),
            stage=stage,
            chain=chain,
            tls_version=wire.version,
            cipher=wire.cipher,
            key_group=wire.key_group,
            alpn=engine.alpn() if finished else None,
            resumed=resumed,
            detail=self._detail,
            settled=self.settled,
            staple=engine.staple() if finished else None,
            hello_retry=wire.retried if wire.retried or wire.server_hello else None,
            hello_shape=wire.hello_shape,
        )

    def session(self) -> Session | None:
        """What a later machine may offer, None if there is nothing (yet).

        In TLS 1.3 a ticket arrives only after the handshake: call this once it was read. Nothing
        but `hang_up` may follow.
        """
        newer = self._wire.version == _TLS_1_3
        if not self._finished or (newer and not self._settled):
            return None
        return self._engine.session()

    def ticket(self) -> bytes | None:
        """Reads the server's first session ticket, if it can be read; in TLS 1.3 this costs."""
        wire = self._wire
        if not self._finished or wire.version != _TLS_1_3:
            return wire.ticket if self._finished else None
        if not self.reads_ticket or not self._settled:
            return None
        ticket = self._engine.ticket()
        if ticket is None and self._after and self._key_log is not None and wire.cipher:
            secret = self._key_log.of_tickets(self._random)
            ticket = read_ticket(self._after, wire.cipher, secret) if secret else None
        return ticket

    def _sent(self) -> tuple[bytes, ...]:
        """The chain that the library has accepted from this server, empty if there is none."""
        chain = self._engine.chain()
        return () if chain == self._offered else chain

    def _advance(self, data: bytes) -> Output:
        progress = self._engine.advance(data)
        if isinstance(progress, Failure):
            return self._fail(progress)
        self._state = progress
        if progress is State.FINISHED:
            self._finished = True
            # What arrived together with the end of the handshake may already be an alert.
            failure = self._engine.after(b"")
            if failure is not None:
                self._settled = True
                self._fail_after(failure)
        return Output(self._engine.output(), self._state)

    def _fail(self, failure: Failure) -> Output:
        """Names the outcome of a handshake that the library gave up."""
        send = self._engine.output()
        self._state = State.OVER
        self._flight = self._decrypt(b"".join(self._received), "SERVER")
        ours, sent = self._decrypt(send, "CLIENT"), plaintext_alert(send)
        if sent is None and ours is not None:
            sent = ours.last_alert
        alert = _decisive(self._wire.alerts)
        if alert is None and failure.alert is None and self._flight is not None:
            alert = self._flight.last_alert
        if alert is not None:
            failure = Failure(failure.reasons, alert)
        if failure.alert is None and self._wire.version not in {None, *self._versions}:
            # Libraries object to different things first in an answer of another version.
            self._outcome, self._stage = Outcome(Category.NO_SHARED_VERSION), Stage.SERVER_HELLO
        else:
            stage = self._reached(self._sent())
            self._outcome, self._stage = judge(failure, stage, requested=self._requested())
        self._detail = describe(failure, sent)
        return Output(send, State.OVER)

    def _fail_after(self, failure: Failure) -> None:
        """After the handshake a fatal alert is a failure; anything else is only a detail."""
        if failure.alert is None:
            self._detail = f"after the handshake: {describe(failure, None)}"
        elif failure.alert != CLOSE_NOTIFY:
            self._flight = self._decrypt(b"".join(self._received), "SERVER")
            stage, requested = Stage.AFTER_HANDSHAKE, self._requested()
            self._outcome, self._stage = judge(failure, stage, requested=requested)
            self._detail = describe(failure, None)

    def _decrypt(self, sent: bytes, side: str) -> Wire | None:
        """Reads what one side sent; None without a secret for it (always before TLS 1.3)."""
        cipher = self._wire.cipher
        if self._key_log is None or cipher is None:
            return None
        lines = self._key_log.lines(self._random)
        secret = secret_of(lines, f"{side}_HANDSHAKE_TRAFFIC_SECRET")
        return None if secret is None else read_flight(sent, cipher, secret)

    def _requested(self) -> bool:
        """Whether a client certificate is known to have been requested, and none was sent."""
        flight = self._flight
        requested = flight is not None and flight.certificate_requested
        return (requested or self._wire.certificate_requested) and not self._credentials

    def _reached(self, chain: tuple[bytes, ...] | None) -> Stage:
        flight = self._flight
        encrypted = flight is not None and flight.certificate_seen
        if chain or encrypted or self._wire.certificates is not None:
            return Stage.CERTIFICATE
        return Stage.SERVER_HELLO if self._wire.server_hello else Stage.CLIENT_HELLO


def _decisive(alerts: list[tuple[int, int]]) -> int | None:
    """The alert that ended the handshake: the first fatal one, else a close_notify, else none.

    `user_canceled` before a close_notify gives its reason (RFC 8446 section 6.1), so it counts for
    both.
    """
    for level, number in alerts:
        if level == _FATAL:
            return number
    numbers = [number for _, number in alerts]
    if CLOSE_NOTIFY in numbers:
        return _USER_CANCELED if _USER_CANCELED in numbers else CLOSE_NOTIFY
    return None


class MachineFactory(Protocol):
    """Makes machines that share one TLS context; one factory per process and client."""

    def machine(self, session: Session | None = None, *, keyed: bool = False) -> HandshakeMachine:
        """Makes a fresh machine; the hot path.

        Args:
            session: to be offered, of an earlier machine of the same client and stack.
            keyed: log its secrets, where there is a choice.
        """
