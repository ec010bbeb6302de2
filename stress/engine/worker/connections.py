"""The open connections of a worker: those in flight end in time, finished ones may stay open.

One task looks over all connections every now and then. A cancel scope for each attempt would take
fewer lines, and a twentieth of the whole handshake (docs/decisions/0016-deadlines.md). Limits of
seconds need no such precision, and looking at 10,000 attempts takes half a millisecond.

Subtle: an attempt is woken where it waits, by `notify_closing` on its socket, which makes that wait
raise `trio.ClosedResourceError`. One that was about to run is not waiting; it is woken by the next
look, since it stays overdue until it ends.
"""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from dataclasses import dataclass, field
from time import monotonic_ns
from typing import Protocol

import trio

from stress.engine.worker import dial

DEADLINE_LOOK_S = 0.02
"""How late a deadline may be kept."""
HELD_LOOK_S = 0.1
"""How late a held connection may be closed."""


class Timed(Protocol):
    """Something that waits for a socket and must end in time. Hashed by identity."""

    deadline_ns: int
    """Monotonic clock; may be moved at any time."""
    latest_ns: int
    """To which it may be moved at most."""
    sock: socket.socket | None
    """What it waits for; None: it does not wait yet."""


class Deadlines:
    """The attempts in flight."""

    def __init__(self) -> None:
        self._timed: set[Timed] = set()
        self.add = self._timed.add
        """From now on it is woken when its deadline has passed."""
        self.discard = self._timed.discard
        """It has ended."""

    def extend(self, by_ns: int) -> None:
        """Give all of them more time: this process was stopped for as long."""
        for each in self._timed:
            each.latest_ns += by_ns
            each.deadline_ns += by_ns

    async def watch(self) -> None:
        """Wake whatever is overdue, until cancelled."""
        while True:
            await trio.sleep(DEADLINE_LOOK_S)
            now_ns = monotonic_ns()
            for each in [each for each in self._timed if each.deadline_ns <= now_ns]:
                if each.sock is not None:
                    trio.lowlevel.notify_closing(each.sock)


@dataclass(slots=True)
class HeldConnections:
    """Finished connections that stay open for a while: open ones are half of a target's limit.

    Their rows were written when their handshakes finished; nothing more is measured on them, and
    what the server does to one meanwhile is not seen. Each costs an open file on both sides, which
    is why the plan counts them.
    """

    seconds: float
    """How long each stays open."""
    reset: bool
    """Closed by RST instead of FIN."""
    _open: deque[tuple[float, socket.socket, bytes]] = field(default_factory=deque)
    """Oldest first: when to close it (Trio's clock), the socket, and what to send before."""

    @property
    def count(self) -> int:
        """Connections that are open now."""
        return len(self._open)

    def add(self, sock: socket.socket, close_notify: bytes) -> None:
        """Keep a finished connection, and what TLS sends before a close by FIN."""
        self._open.append((trio.current_time() + self.seconds, sock, close_notify))

    async def watch(self) -> None:
        """Close each when its time has passed, until cancelled."""
        while True:
            await trio.sleep(HELD_LOOK_S)
            self.close(trio.current_time())

    def close(self, until: float = float("inf")) -> None:
        """Close those whose time has passed by then, or all of them."""
        while self._open and self._open[0][0] <= until:
            _, sock, close_notify = self._open.popleft()
            with contextlib.suppress(OSError):  # the server left before us
                if not self.reset:
                    sock.send(close_notify)
            dial.close(sock, reset=self.reset)
