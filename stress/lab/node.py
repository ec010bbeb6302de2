"""A backend: answers connections with its identity, unless one of its faults fires.

A `Trigger` decides whether a fault hits a connection. A `RateLimiter` lets connections through at
an exact rate: a node's signer is one, and so is a slow accept queue.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Final, NamedTuple

import trio
from OpenSSL import SSL

from stress.lab.blueprint import Fault, FaultAction, NodeSpec, Tickets
from stress.lab.session import PATIENCE_S, Hello, ServerSession, server_context
from stress.model.plan import StartTls

BUCKET_S = 0.25
BLOCKED_S = 0.12
"""How long a fault blocks the event loop."""


class Node:
    """A running backend, which counts its connections."""

    def __init__(
        self,
        spec: NodeSpec,
        seed: int = 0,
        pace: float = 1.0,
        tickets: Tickets = Tickets.OWN,
        sealing: SSL.Context | None = None,
    ) -> None:
        """Make a backend.

        Args:
            spec: what it does.
            seed: of the dice of its faults.
            pace: factor on their windows.
            tickets: what session tickets it sends.
            sealing: whose key seals them, where nodes share one.
        """
        self.name, self._sealing = spec.name, sealing
        self.served = 0
        """Connections that the balancer sent here."""
        self.faulted = 0
        """Connections on which one of its faults fired."""
        self._context = server_context(spec.identity, tickets)
        self._faults = [
            (
                fault.action,
                Trigger(fault, f"{seed}/{spec.name}/{index}", pace),
                server_context(fault.identity, tickets) if fault.identity else self._context,
            )
            for index, fault in enumerate(spec.faults)
        ]
        self._starttls = spec.starttls
        self._needs_hello = any(fault.needs_hello for fault in spec.faults)
        self._signer = RateLimiter(spec.signing_ns / 1e9) if spec.signing_ns else None

    async def serve(self, peer: socket.socket, first_s: float) -> None:
        """Serve an accepted, non-blocking connection to its end, and close it.

        Args:
            peer: the connection.
            first_s: when the process accepted its first connection, on Trio's clock.
        """
        self.served += 1
        with peer, trio.move_on_after(PATIENCE_S):
            try:
                session = ServerSession(peer, self.name, self._sealing)
                if self._starttls is None or await speak(session, self._starttls):
                    await self._answer(session, first_s)
            except OSError:  # the client has left, which is not our error
                return

    async def _answer(self, connection: ServerSession, first_s: float) -> None:
        first = await connection.hello()
        if not first:
            return
        action, context = FaultAction.ANSWER, self._context
        client_hello = Hello.read(first) if self._needs_hello else None
        at_s = trio.current_time() - first_s
        for planted, trigger, planted_context in self._faults:
            if trigger.fires(client_hello, at_s):
                self.faulted += 1
                action, context = planted, planted_context
                break
        if self._signer is not None:
            await self._signer.wait()
        if action is FaultAction.BLOCK:
            time.sleep(BLOCKED_S)  # noqa: ASYNC251, TID251 - this is the fault
        match action:
            case FaultAction.ANSWER | FaultAction.BLOCK:
                if await connection.handshake(context, first):
                    await connection.answer_requests()
            case FaultAction.RESET:
                connection.reset()
            case FaultAction.SILENCE:
                await connection.fall_silent(context, first)


class Trigger:
    """The conditions of one fault, with the state that two of them need (dice and bucket)."""

    def __init__(self, fault: Fault, seed: str, pace: float = 1.0) -> None:
        self._fault = fault
        self._pace = pace
        self._dice = Random(seed)  # noqa: S311 - repeatable faults, no secret
        self._bucket_size = max(2.0, (fault.over_per_s or 0.0) * BUCKET_S)
        self._tokens = self._bucket_size
        self._filled_s = 0.0
        self._met = 0

    def fires(self, hello: Hello | None, at_s: float) -> bool:
        """Whether the connection is hit.

        Args:
            hello: the client's hello; None only when no condition needs it.
            at_s: seconds since the first connection; must not go back.
        """
        fault, self._met = self._fault, self._met + 1
        early = self._met <= fault.after
        if early or (fault.window is not None and not fault.window.holds(at_s / self._pace)):
            return False
        if hello is not None:
            if fault.best_version not in {None, hello.best_version}:
                return False
            if fault.hello_over is not None and hello.size <= fault.hello_over:
                return False
            if fault.without_name and hello.server_name is not None:
                return False
        if fault.over_per_s is not None:
            refilled = self._tokens + (at_s - self._filled_s) * fault.over_per_s
            self._tokens, self._filled_s = min(self._bucket_size, refilled), at_s
            if self._tokens >= 1:
                self._tokens -= 1
                return False
        # Last, so that the dice depend only on the connections that could have been hit.
        return fault.share >= 1 or self._dice.random() < fault.share


class RateLimiter:
    """Lets one through every `interval_s` seconds, in order of arrival.

    It keeps a schedule instead of sleeping for each, so that the rate is exact however late the
    timers fire: a wait that was too long shortens the next. Idle time is not made up.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._free_at_s = 0.0

    async def wait(self) -> None:
        """Arrive, wait in the queue, then for one interval."""
        self.arrive()
        await self.wait_next()

    def arrive(self) -> None:
        """Start the schedule now if the limiter was idle."""
        self._free_at_s = max(trio.current_time(), self._free_at_s)

    async def wait_next(self) -> None:
        """Let the next through from a queue that was never empty since `arrive`.

        Subtle: a loop that takes from a queue one by one wakes up late each time. Counting from the
        schedule and not from now makes up for that; else a busy machine would lower the rate.
        """
        self._free_at_s += self._interval_s
        await trio.sleep_until(self._free_at_s)


# What a node says before TLS (STARTTLS): the other side of `stress.dialogues`, for four protocols,
# and only as far as a client asks for TLS.
_LINE_END: Final = b"\r\n"


class _Words(NamedTuple):
    """What is said in one protocol."""

    greeting: bytes
    """Unasked; empty: the client speaks first."""
    answers: tuple[bytes, ...]
    """To each message of the client; a `%s` stands for its tag or number."""
    is_whole: Callable[[bytes], bool] = lambda data: data.endswith(_LINE_END)
    """Whether a message has come completely."""
    tag: Callable[[bytes], bytes] = lambda message: message.split(b" ")[0]


_WORDS: Final[Mapping[StartTls, _Words]] = MappingProxyType(
    {
        StartTls.SMTP: _Words(
            b"220 lab ESMTP\r\n", (b"250-lab\r\n250 STARTTLS\r\n", b"220 go ahead\r\n")
        ),
        StartTls.IMAP: _Words(
            b"* OK lab\r\n",
            (b"* CAPABILITY IMAP4rev1 STARTTLS\r\n%s OK\r\n", b"%s OK go ahead\r\n"),
        ),
        StartTls.LDAP: _Words(  # an ExtendedResponse of success (RFC 4511 section 4.12)
            b"",
            (bytes.fromhex("300c0201") + b"%s" + bytes.fromhex("78070a010004000400"),),
            lambda data: len(data) > 5 and len(data) == 2 + data[1],
            lambda message: message[4:5],
        ),
        StartTls.POSTGRES: _Words(b"", (b"S",), lambda data: len(data) == 8),
    }
)
SPOKEN: Final = frozenset(_WORDS)
"""The protocols that a node can speak."""


async def speak(connection: ServerSession, protocol: StartTls) -> bool:
    """Speak up to the go-ahead; False when the client has left before."""
    words = _WORDS[protocol]
    await connection.say(words.greeting)
    for answer in words.answers:
        message = b""
        while not words.is_whole(message):
            more = await connection.hear()
            if not more:
                return False
            message += more
        await connection.say(answer.replace(b"%s", words.tag(message)))
    return True
