"""Finished connections of a worker that stay open for a while."""

from __future__ import annotations

import _socket
import contextlib
from collections import deque
from dataclasses import dataclass, field

import trio

from stress.engine.worker import dial

HELD_LOOK_S = 0.01
"""How late a held connection may be closed; what is late here would count as the target's limit."""


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
    _open: deque[tuple[float, _socket.socket, bytes]] = field(default_factory=deque)
    """Oldest first: when to close it (Trio's clock), the socket, and what to send before."""

    @property
    def count(self) -> int:
        """Connections that are open now."""
        return len(self._open)

    def add(self, sock: _socket.socket, close_notify: bytes) -> None:
        """Keep a finished connection, and what TLS sends before a close by FIN."""
        self._open.append((trio.current_time() + self.seconds, sock, close_notify))

    async def watch(self) -> None:
        """Close each when its time has passed, until cancelled."""
        while True:
            now = trio.current_time()
            due = self._open[0][0] if self._open else now + self.seconds
            await trio.sleep_until(max(due, now + HELD_LOOK_S))
            self.close(trio.current_time())

    def close(self, until: float = float("inf")) -> None:
        """Close those whose time has passed by then, or all of them."""
        while self._open and self._open[0][0] <= until:
            _, sock, close_notify = self._open.popleft()
            with contextlib.suppress(OSError):  # the server left before us
                if not self.reset:
                    sock.send(close_notify)
            dial.close(sock, reset=self.reset)
