"""A backend: answers connections with its identity, unless one of its faults fires."""

from __future__ import annotations

import socket
from random import Random

import trio
from OpenSSL import SSL

from stress.lab import blueprint, hello, session
from stress.lab.blueprint import Act, Fault, When
from stress.lab.hello import Hello
from stress.lab.rate_limiter import RateLimiter

# Decides whether a fault hits a connection. Whoever calls says what time it is.

BUCKET_S = 0.25


class Trigger:
    """The conditions of one fault, with the state that two of them need (dice and bucket)."""

    def __init__(self, when: When, seed: str) -> None:
        self._when = when
        self._dice = Random(seed)  # noqa: S311 - repeatable faults, no secret
        self._full = max(2.0, (when.over_per_s or 0.0) * BUCKET_S)
        self._tokens = self._full
        self._filled_s = 0.0

    def fires(self, hello: Hello | None, at_s: float) -> bool:
        """Whether the connection is hit.

        Args:
            hello: the client's hello; None only when no condition asks for it.
            at_s: seconds since the first connection; must not go back.
        """
        when = self._when
        if when.window is not None and not when.window.holds(at_s):
            return False
        if hello is not None and not _matches(when, hello):
            return False
        if when.over_per_s is not None and self._has_token(when.over_per_s, at_s):
            return False
        # Last, so that the dice depend only on the connections that could have been hit.
        return when.share >= 1 or self._dice.random() < when.share

    def _has_token(self, rate: float, at_s: float) -> bool:
        self._tokens = min(self._full, self._tokens + (at_s - self._filled_s) * rate)
        self._filled_s = at_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _matches(when: When, hello: Hello) -> bool:
    if when.best_version is not None and hello.best_version != when.best_version:
        return False
    if when.hello_over is not None and hello.size <= when.hello_over:
        return False
    return not (when.without_name and hello.server_name is not None)


class Node:
    """A running backend, which counts what it does."""

    def __init__(self, plan: blueprint.Node, seed: int) -> None:
        self.name = plan.name
        self.served = 0
        """Connections that the balancer gave it."""
        self.faulted = 0
        """Connections on which one of its faults fired."""
        self._context = session.context(plan.identity)
        self._faults = [
            (fault, Trigger(fault.when, f"{seed}/{plan.name}/{index}"), _other_context(fault))
            for index, fault in enumerate(plan.faults)
        ]
        self._asks_hello = any(fault.when.asks_hello for fault in plan.faults)
        self._signer = RateLimiter(plan.signing_ns / 1e9) if plan.signing_ns else None

    async def serve(self, peer: socket.socket, first_s: float) -> None:
        """Serve an accepted, non-blocking connection to its end, and close it.

        Args:
            peer: the connection.
            first_s: when the process accepted its first connection, on Trio's clock.
        """
        self.served += 1
        with peer, trio.move_on_after(session.PATIENCE_S):
            try:
                await self._answer(session.Session(peer), first_s)
            except OSError:  # the client has gone; that is the world's doing
                return

    async def _answer(self, talk: session.Session, first_s: float) -> None:
        first = await talk.hello()
        if not first:
            return
        fault, made = self._decide(first, trio.current_time() - first_s)
        if self._signer is not None:
            await self._signer.pass_one()
        match fault.act if fault else Act.ANSWER:
            case Act.ANSWER:
                if await talk.handshake(made, first):
                    await talk.converse()
            case Act.RESET:
                talk.reset()
            case Act.SILENCE:
                await talk.fall_silent(made, first)
            case Act.CLOSE:
                pass

    def _decide(self, first: bytes, at_s: float) -> tuple[Fault | None, SSL.Context]:
        said = hello.read(first) if self._asks_hello else None
        for fault, trigger, other in self._faults:
            if trigger.fires(said, at_s):
                self.faulted += 1
                return fault, other or self._context
        return None, self._context


def _other_context(fault: Fault) -> SSL.Context | None:
    return None if fault.identity is None else session.context(fault.identity)
