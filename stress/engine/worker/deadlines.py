"""Ends attempts whose time has come: one look around for all attempts of a worker.

A cancel scope for each attempt would say the same in fewer lines, and would cost a twentieth of the
whole handshake (docs/decisions/0016-deadlines.md). Limits of seconds need no such precision: every
now and then all attempts in flight are looked at, which takes half a millisecond for 10,000.

Subtle: an attempt is woken where it waits, by `notify_closing` on its socket, which makes that wait
raise `trio.ClosedResourceError`. One that was about to run is not waiting; it is woken by the next
look, since it stays overdue until it ends.
"""

from __future__ import annotations

import socket
from time import monotonic_ns
from typing import Protocol

import trio

LOOK_S = 0.02
"""How late a deadline may be kept."""


class Timed(Protocol):
    """Something that waits for a socket and must end in time. Hashed by identity."""

    deadline_ns: int
    """Monotonic clock; may be moved at any time."""
    sock: socket.socket | None
    """What it waits for; None: it does not wait yet."""


class Deadlines:
    """What is in flight in one worker."""

    def __init__(self) -> None:
        self._timed: set[Timed] = set()
        self.add = self._timed.add
        """From now on it is woken when its deadline has passed."""
        self.discard = self._timed.discard
        """It has ended."""

    async def watch(self) -> None:
        """Wake whatever is overdue, for ever."""
        while True:
            await trio.sleep(LOOK_S)
            now_ns = monotonic_ns()
            for each in [each for each in self._timed if each.deadline_ns <= now_ns]:
                if each.sock is not None:
                    trio.lowlevel.notify_closing(each.sock)
