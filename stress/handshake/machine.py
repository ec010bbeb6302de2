"""The one `Machine`: reads along on the wire, drives a TLS library, and names the ending.

What is true and what is tricky:

* The library decides whether the handshake is good; `Wire` tells what was seen in the clear. The
  facts are put together only when asked for, so a good handshake pays for neither.
* An alert that stood in the clear is taken from the bytes, an encrypted one from the library.
* With a key log an encrypted flight that failed is read again (`flight`): it shows certificates
  that the library could not decode, and whether a client certificate was asked for.
* A library that gives up has queued its own alert: `send` carries it in the state `OVER` too, else
  the server's log stays empty.
* In TLS 1.3 the client finishes before the server has judged it. A demand for a client certificate
  comes with the first bytes afterwards, so a finished handshake is `settled` only when something
  was read after it (RFC 8446 section 4.4.2.4 and appendix E.1.2).
* After the handshake only a fatal alert is a failure. The library's own complaints are none.

Invariants: states only move WAITING -> FINISHED -> OVER or WAITING -> OVER; once there is an
outcome it never changes, except that `ok` may become a failure by a fatal alert after the
handshake; no method raises for what the server sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple, Protocol

from stress.handshake.failure import CLOSE_NOTIFY, Failure, describe, judge
from stress.handshake.flight import Flight, KeyLog, Sealed
from stress.handshake.wire import Wire, plaintext_alert
from stress.model.outcome import CANCELLED, OK, Category, Outcome, Stage

# What passes between a TLS machine and whoever moves its bytes.


class State(Enum):
    """What a machine needs next."""

    WAITING = "waiting"
    """The handshake goes on: it needs bytes from the server."""
    FINISHED = "finished"
    """The handshake finished; it may still take what comes after it."""
    OVER = "over"
    """The attempt has ended; more bytes change nothing."""


class HangUp(Enum):
    """Why the caller ends a connection."""

    EOF = "eof"
    """The server's end of stream was read."""
    RESET = "reset"
    """The connection was reset (or broke otherwise) by the other side."""
    TIMEOUT = "timeout"
    """The caller's limit has passed."""
    CANCEL = "cancel"
    """The run is being stopped, or there is nothing more to ask."""


class Step(NamedTuple):
    """One move: send this, then act on the state."""

    send: bytes
    """Bytes for the server, in every state; may be empty."""
    state: State


class Facts(NamedTuple):
    """What is known about a connection so far; None means "not reached" or "cannot be known".

    A NamedTuple, as it is made for each handshake.
    """

    outcome: Outcome
    """The ending; of a handshake that is still going on, what hanging up now would say."""
    stage: Stage
    chain: tuple[bytes, ...] | None
    """DER as sent, leaf first; None when no certificate was seen (such as a resumption)."""
    tls_version: int | None
    cipher: int | None
    key_group: int | None
    """None also for key exchange without a named group (RSA)."""
    alpn: str | None
    resumed: bool | None
    detail: str | None
    """Fragment for people: which alert, which reason of the library, which first bytes."""
    settled: bool
    """Nothing decisive can follow any more: up to TLS 1.2 the handshake finished, in TLS 1.3
    some record after the handshake was read."""
    staple: bytes | None = None
    """The stapled OCSP response; empty: asked for, none came; None: not asked, or not to be known
    (a resumption; BoringSSL does not tell)."""
    hello_retry: bool | None = None
    """Whether the server sent a HelloRetryRequest; None before its first answer."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a finished handshake left behind for a shorter one later."""

    handle: object
    """The TLS library's own; only machines of the same stack know what to do with it."""
    reusable: bool
    """May be offered again and again (up to TLS 1.2); a ticket of TLS 1.3 is for one connection
    (RFC 8446 appendix C.4)."""


class Machine(Protocol):
    """One TLS handshake: bytes in, bytes out. No method raises for what the server sent."""

    def begin(self) -> Step:
        """Makes the ClientHello. Called once, first."""

    def receive(self, data: bytes) -> Step:
        """Takes bytes from the server."""

    def hang_up(self, how: HangUp) -> Step:
        """Ends the connection; before the handshake finished, `how` becomes the outcome.

        After it, `send` holds a close_notify which the caller may send before a FIN.
        """

    def facts(self) -> Facts:
        """Tells what is known so far."""

    def session(self) -> Session | None:
        """What a later machine may offer, None when there is nothing (yet).

        In TLS 1.3 a ticket comes only after the handshake; ask when that was read. Nothing but
        `hang_up` may follow.
        """


class MachineFactory(Protocol):
    """Makes machines that share one TLS context. One factory per process and client."""

    def machine(self, session: Session | None = None) -> Machine:
        """Makes a fresh machine; the hot path.

        Args:
            session: to be offered, of an earlier machine of the same client and stack.
        """


_TLS_1_3: Final = 0x0304
_FATAL: Final = 2
_USER_CANCELED: Final = 90

_HANG_UPS: Final = {
    HangUp.EOF: Outcome(Category.EOF),
    HangUp.RESET: Outcome(Category.RESET),
    HangUp.TIMEOUT: Outcome(Category.TIMEOUT_HANDSHAKE),
    HangUp.CANCEL: CANCELLED,
}


class Progress(Enum):
    """What a TLS library answers when it did not fail."""

    WANTS = "wants"
    """More bytes, please."""
    DONE = "done"
    """The handshake finished."""


class Engine(Protocol):
    """What a TLS library must be able to do; one adapter each. Never raises for bytes."""

    def advance(self, data: bytes) -> Progress | Failure:
        """Takes bytes (none at the start) and goes on with the handshake."""

    def after(self, data: bytes) -> Failure | None:
        """Takes bytes after the handshake, drops what they say; a failure may be an alert."""

    def unread(self) -> bool:
        """Whether bytes may have come behind the handshake's last; only after the handshake."""

    def output(self) -> bytes:
        """Takes what is queued for the server."""

    def chain(self) -> tuple[bytes, ...]:
        """DER of the server's certificates, leaf first; empty while none was accepted."""

    def alpn(self) -> str | None:
        """The protocol agreed upon."""

    def resumed(self) -> bool:
        """Whether a session was resumed; only after the handshake."""

    def staple(self) -> bytes | None:
        """The stapled OCSP response, as in `Facts`; only after the handshake."""

    def session(self) -> Session | None:
        """What a later connection may offer; only after the handshake."""

    def close(self) -> bytes:
        """Makes a close_notify; only after the handshake. Empty when that cannot be."""


class Exchange:
    """One handshake of one engine."""

    __slots__ = (
        "_after",
        "_credentials",
        "_detail",
        "_engine",
        "_finished",
        "_flight",
        "_offered",
        "_outcome",
        "_sealed",
        "_settled",
        "_stage",
        "_state",
        "_versions",
        "_wire",
    )

    def __init__(
        self,
        engine: Engine,
        versions: tuple[int, ...],
        *,
        credentials: bool,
        key_log: KeyLog | None = None,
        offers: bool = False,
    ) -> None:
        """Wraps a fresh engine.

        Args:
            engine: a connection of a TLS library, unused.
            versions: what it offers, as wire numbers.
            credentials: it would send a certificate when asked.
            key_log: where its secrets are, to read an encrypted flight again after a failure.
            offers: it was given a session.
        """
        self._engine = engine
        # Libraries show the chain of an offered session as if this server had sent it.
        self._offered = engine.chain() if offers else ()
        self._versions = versions
        self._sealed = None if key_log is None else Sealed(key_log)
        self._credentials = credentials
        self._wire = Wire()
        self._state = State.WAITING
        self._finished = False
        self._after = bytearray()
        self._settled = False
        self._outcome: Outcome | None = None
        self._stage: Stage | None = None
        self._detail: str | None = None
        self._flight: Flight | None = None

    def begin(self) -> Step:
        """Makes the ClientHello."""
        step = self._advance(b"")
        if self._sealed is not None:
            self._sealed.sent_hello(step.send)
        return step

    def receive(self, data: bytes) -> Step:
        """Takes bytes from the server."""
        if self._state is State.WAITING:
            self._wire.feed(data)
            if self._sealed is not None:
                self._sealed.received(data)
            if self._wire.foreign is not None:
                return self._not_tls()
            return self._advance(data)
        if self._state is State.FINISHED and data:
            return self._receive_after(data)
        return Step(b"", self._state)

    def hang_up(self, how: HangUp) -> Step:
        """Ends the connection."""
        if self._state is State.OVER:
            return Step(b"", State.OVER)
        self._state = State.OVER
        if not self._finished:
            self._outcome = _HANG_UPS[how]
            return Step(b"", State.OVER)
        return Step(b"" if how is HangUp.RESET else self._engine.close(), State.OVER)

    def facts(self) -> Facts:
        """Tells what is known so far."""
        wire, engine = self._wire, self._engine
        seen = None if self._flight is None else self._flight.certificates
        resumed = engine.resumed() if self._finished else None
        sent = () if resumed else engine.chain() if self._finished else self._sent()
        chain = sent or wire.certificates or seen or None
        stage = self._stage
        if stage is None:
            stage = Stage.FINISHED if self._finished else self._reached(chain)
        finished = self._finished
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
            settled=finished and (self._settled or (wire.version or 0) < _TLS_1_3),
            staple=engine.staple() if finished else None,
            hello_retry=wire.retried if wire.retried or wire.server_hello else None,
        )

    def session(self) -> Session | None:
        """What a later machine may offer."""
        newer = self._wire.version == _TLS_1_3
        if not self._finished or (newer and not self._settled):
            return None
        return self._engine.session()

    def _sent(self) -> tuple[bytes, ...]:
        """The chain that the library has accepted from this server, empty while there is none."""
        chain = self._engine.chain()
        return () if chain == self._offered else chain

    def _advance(self, data: bytes) -> Step:
        progress = self._engine.advance(data)
        if progress is Progress.DONE:
            self._finished = True
            self._state = State.FINISHED
            if self._engine.unread():
                self._read_on()
        elif isinstance(progress, Failure):
            return self._fail(progress)
        return Step(self._engine.output(), self._state)

    def _fail(self, failure: Failure) -> Step:
        send = self._engine.output()
        self._state = State.OVER
        encrypted, plain = self._read_again(send), plaintext_alert(send)
        alert = _decisive(self._wire.alerts)
        if alert is None and failure.alert is None and self._flight is not None:
            alert = self._flight.alert
        if alert is not None:
            failure = Failure(failure.reasons, alert)
        if failure.alert is None and self._wire.version not in {None, *self._versions}:
            # Libraries trip over different things first in an answer of another version.
            self._outcome, self._stage = Outcome(Category.NO_SHARED_VERSION), Stage.SERVER_HELLO
        else:
            stage = self._reached(self._sent())
            self._outcome, self._stage = judge(failure, stage, demanded=self._demanded())
        self._detail = describe(failure, encrypted if plain is None else plain)
        return Step(send, State.OVER)

    def _read_again(self, send: bytes) -> int | None:
        """Decrypts both flights where the secrets are at hand; returns the alert we sent."""
        if self._sealed is None:
            return None
        cipher = self._wire.cipher
        self._flight = self._sealed.flight(cipher)
        self._sealed.forget()
        return self._sealed.alert_sent(send, cipher)

    def _demanded(self) -> bool:
        """Whether a client certificate is known to have been asked for, and none was sent."""
        flight = self._flight
        asked = flight is not None and flight.certificate_requested
        return (asked or self._wire.certificate_requested) and not self._credentials

    def _not_tls(self) -> Step:
        self._state = State.OVER
        self._outcome = Outcome(Category.NOT_TLS)
        self._detail = f"first bytes {_quoted(self._wire.foreign or b'')}"
        return Step(b"", State.OVER)

    def _receive_after(self, data: bytes) -> Step:
        """Reads what follows the handshake: tickets, data, close_notify or an alert."""
        failure = self._engine.after(data)
        self._settled = self._settled or failure is not None or self._whole_record(data)
        if failure is None:
            if self._settled and self._sealed is not None:
                self._sealed.forget()
            return Step(self._engine.output(), State.FINISHED)
        self._state = State.OVER
        self._take_to_heart(failure)
        return Step(self._engine.output(), State.OVER)

    def _read_on(self) -> None:
        """What came in one piece with the end of the handshake may be an alert already."""
        failure = self._engine.after(b"")
        if failure is not None:
            self._settled = True
            self._take_to_heart(failure)

    def _take_to_heart(self, failure: Failure) -> None:
        """After the handshake a fatal alert makes a failure of it; anything else is a detail."""
        if failure.alert is None:
            self._detail = f"after the handshake: {describe(failure, None)}"
        elif failure.alert != CLOSE_NOTIFY:
            self._read_again(b"")
            stage, demanded = Stage.AFTER_HANDSHAKE, self._demanded()
            self._outcome, self._stage = judge(failure, stage, demanded=demanded)
            self._detail = describe(failure, None)

    def _whole_record(self, data: bytes) -> bool:
        """Whether a whole record has come since the handshake finished."""
        after = self._after
        after += data
        if len(after) < 5 or len(after) < 5 + (after[3] << 8 | after[4]):
            return False
        after.clear()
        return True

    def _reached(self, chain: tuple[bytes, ...] | None) -> Stage:
        flight = self._flight
        encrypted = flight is not None and flight.certificate_seen
        if chain or encrypted or self._wire.certificates is not None:
            return Stage.CERTIFICATE
        return Stage.SERVER_HELLO if self._wire.server_hello else Stage.CLIENT_HELLO


def _quoted(data: bytes) -> str:
    """The start of hostile bytes as harmless ASCII in quotes, at most 80 columns."""
    text = ascii(data.decode("latin-1"))
    return text if len(text) <= 80 else f"{text[:76]}{text[0]}..."


def _decisive(alerts: list[tuple[int, int]]) -> int | None:
    """The alert that ended it: the first fatal one, else a close_notify, else none.

    `user_canceled` before a close_notify says why (RFC 8446 section 6.1), so it stands for both.
    """
    for level, number in alerts:
        if level == _FATAL:
            return number
    numbers = [number for _, number in alerts]
    if CLOSE_NOTIFY in numbers:
        return _USER_CANCELED if _USER_CANCELED in numbers else CLOSE_NOTIFY
    return None
