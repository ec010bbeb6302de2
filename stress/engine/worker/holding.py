"""Keeps finished connections open for a while: open ones are half of a target's limit.

Their rows were written when their handshakes finished; nothing more is measured on them. Whatever
the server does to one meanwhile is not seen. Each costs an open file, here and there, which is why
the plan counts them.
"""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from dataclasses import dataclass, field

import trio

from stress.engine.worker import dial

LOOK_S = 0.1
"""How often it is looked for connections whose time has come."""


@dataclass(slots=True)
class Holding:
    """The connections of one worker that are kept open, oldest first."""

    seconds: float
    """How long each stays open."""
    reset: bool
    """Closed by RST instead of FIN."""
    _open: deque[tuple[float, socket.socket, bytes]] = field(default_factory=deque)
    """When it is to be closed (Trio's clock), the socket, and what is said before."""

    @property
    def count(self) -> int:
        """Connections that are open now."""
        return len(self._open)

    def keep(self, sock: socket.socket, farewell: bytes) -> None:
        """Take a finished connection, and what TLS says before a close by FIN."""
        self._open.append((trio.current_time() + self.seconds, sock, farewell))

    async def let_go(self) -> None:
        """Close each when its time has come, for ever."""
        while True:
            await trio.sleep(LOOK_S)
            while self._open and self._open[0][0] <= trio.current_time():
                self._close_oldest()

    def close(self) -> None:
        """Close all of them now; the run is over."""
        while self._open:
            self._close_oldest()

    def _close_oldest(self) -> None:
        _, sock, farewell = self._open.popleft()
        with contextlib.suppress(OSError):  # the server left before us
            if not self.reset:
                sock.send(farewell)
        dial.close(sock, reset=self.reset)
