"""Which sockets are ready: the one question that differs between operating systems.

On Linux `EpollPoller` asks epoll, edge-triggered: an event comes once, when something changes, so a
socket is registered once and never touched again. Elsewhere `SelectorPoller` asks whatever
`selectors` finds (kqueue), level-triggered: an event comes again and again until it is served.

Both are used alike, by whoever keeps to three rules:

* An event is a hint. A socket may turn out not to be ready (`BlockingIOError`).
* After an event, read until nothing is left. A plain `READABLE` says that a read that did not fill
  its buffer has emptied the socket (epoll(7), question 9); any other bit says that an end, an error
  or urgent data stands behind the bytes, and takes another read.
* `forget` a socket before it is closed or given away.
"""

from __future__ import annotations

import select
import selectors
import sys
from typing import Final, Protocol

READABLE: Final = 0x1
WRITABLE: Final = 0x4
"""Bits of an event: those of epoll (linux/eventpoll.h), so that it needs no translation."""


class Poller(Protocol):
    """Watches sockets by their file descriptors. Is itself readable while an event waits."""

    def fileno(self) -> int:
        """Its own file descriptor, which another event loop may wait for."""

    def watch(self, fd: int, bits: int) -> None:
        """Begin to watch for `READABLE` or `WRITABLE`; reports what is ready already."""

    def change(self, fd: int, bits: int) -> None:
        """Watch for the other one; reports again what is ready already."""

    def forget(self, fd: int, *, closing: bool) -> None:
        """Stop watching; `closing`: the socket is about to be closed."""

    def ready(self, wait_s: float) -> list[tuple[int, int]]:
        """Return the events, each as a file descriptor and bits; if there are none, wait for one.

        Never waits longer than `wait_s`, and not at all when that is 0 or less.
        """

    def close(self) -> None:
        """Give back its own file descriptor."""


class SelectorPoller:
    """Level-triggered, on every system that has a selector with a file descriptor."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.close = self._selector.close

    def fileno(self) -> int:
        """Its own file descriptor."""
        return self._selector.fileno()

    def watch(self, fd: int, bits: int) -> None:
        """Begin to watch."""
        self._selector.register(fd, _MASKS[bits])

    def change(self, fd: int, bits: int) -> None:
        """Watch for the other one."""
        self._selector.modify(fd, _MASKS[bits])

    def forget(self, fd: int, *, closing: bool) -> None:  # noqa: ARG002 - it keeps a list of its own
        """Stop watching."""
        self._selector.unregister(fd)

    def ready(self, wait_s: float) -> list[tuple[int, int]]:
        """Return the events."""
        found = self._selector.select(_whole_ms(wait_s))
        return [(key.fd, _BITS[mask]) for key, mask in found]


def _whole_ms(wait_s: float) -> float:
    """Round down: Python rounds up to the next millisecond, which would be too late."""
    return max(0, int(wait_s * 1000)) / 1000


_MASKS: Final = {READABLE: selectors.EVENT_READ, WRITABLE: selectors.EVENT_WRITE}
_BITS: Final = {mask: bits for bits, mask in _MASKS.items()}


if sys.platform == "linux":
    _EDGES: Final = {
        READABLE: select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLPRI | select.EPOLLET,
        WRITABLE: select.EPOLLOUT | select.EPOLLET,
    }

    class EpollPoller:
        """Edge-triggered, on Linux."""

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self.fileno = self._epoll.fileno
            self.close = self._epoll.close

        def watch(self, fd: int, bits: int) -> None:
            """Begin to watch."""
            self._epoll.register(fd, _EDGES[bits])

        def change(self, fd: int, bits: int) -> None:
            """Watch for the other one."""
            self._epoll.modify(fd, _EDGES[bits])

        def forget(self, fd: int, *, closing: bool) -> None:
            """Stop watching; the kernel does so by itself when the socket is closed."""
            if not closing:
                self._epoll.unregister(fd)

        def ready(self, wait_s: float) -> list[tuple[int, int]]:
            """Return the events."""
            return self._epoll.poll(_whole_ms(wait_s))


def best_poller() -> Poller:
    """Make the best one that this system has."""
    return EpollPoller() if sys.platform == "linux" else SelectorPoller()
