"""What passes between a TLS machine and whoever moves its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from stress.model.outcome import Outcome, Stage


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
