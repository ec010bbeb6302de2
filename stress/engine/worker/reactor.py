"""Drives the connections in flight of a worker: one Trio task waits for all of them.

A task, a cancel scope and a wait in Trio for each connection cost more than everything that is
recorded of it (docs/decisions/0022-reactor.md). So connections are plain objects; Trio waits only
for the poller's own file descriptor, and whatever is ready is called in turn: `on_ready`.

What is tricky:

* *Trio's turn.* Waking a task by way of Trio costs a noticeable part of a handshake. While no other
  task can run and none is due, we wait in the poller ourselves, with the whole thread, until the
  next one is due at most. What Trio learns only by looking at its own sockets (a command of the
  coordinator) may so be late by `ALONE_NS`.
* *Fairness.* One call reads once. Who may have more to read is called again in the next round, and
  other tasks of the worker run in between: a flood delays nobody.
* *Deadlines.* Another task looks over all connections every now and then, and calls `on_overdue`.
  Limits of seconds need no more precision, and looking at 10,000 takes half a millisecond
  (docs/decisions/0016-deadlines.md). The same tick measures how late Trio's loop is: on an idle
  loop, two ticks would be most of what it costs.
* *Lost events.* A connection whose event got lost, whoever lost it, would be silent to its
  deadline. So `on_overdue` has to read once more before it judges anybody.
* *Numbers.* A file descriptor that was closed is soon another connection's. An event is never kept
  beyond its round, and in one round each number has at most one.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic_ns
from typing import Protocol

import trio

from stress.engine.worker.poller import Poller, best_poller

TICK_S = 0.02
"""How late a deadline may be kept, and how often the lag of Trio's loop is measured."""
ALONE_NS = 10_000_000
"""How long rounds may follow one another before Trio looks at its own sockets."""


class Driven(Protocol):
    """A connection, as the reactor sees it."""

    deadline_ns: int
    """Monotonic time at which it is overdue; may be moved at any time."""
    latest_ns: int
    """To which it may be moved at most."""

    def on_ready(self, events: int) -> bool:
        """Go on; returns whether there may be more to read already."""

    def on_overdue(self) -> None:
        """End, after one more look at the socket."""

    def cancel(self) -> None:
        """End at once: we ourselves stop."""


class Reactor:
    """The connections in flight, by their file descriptors."""

    def __init__(self, poller: Poller | None = None) -> None:
        self._poller = poller or best_poller()
        self._driven: dict[int, Driven] = {}
        self._unfinished: list[tuple[int, int]] = []
        """Events of those that may have more to read, which no other event will tell."""

    def add(self, fd: int, driven: Driven, bits: int) -> None:
        """Drive a connection from now on, whenever its socket is `READABLE`, or `WRITABLE`."""
        self._driven[fd] = driven
        self._poller.watch(fd, bits)

    def change(self, fd: int, bits: int) -> None:
        """Call the connection for something else."""
        self._poller.change(fd, bits)

    def remove(self, fd: int, *, closing: bool) -> None:
        """Forget a connection that is about to be closed, or is given away."""
        del self._driven[fd]
        self._poller.forget(fd, closing=closing)

    def extend(self, by_ns: int) -> None:
        """Give all connections more time: this process was stopped for as long."""
        for each in self._driven.values():
            each.latest_ns += by_ns
            each.deadline_ns += by_ns

    def cancel(self) -> None:
        """End all connections at once."""
        for each in list(self._driven.values()):
            each.cancel()

    async def run(self, on_tick: Callable[[int], None] = lambda _: None) -> None:
        """Drive the connections and keep their deadlines, until cancelled.

        Args:
            on_tick: is called every `TICK_S` with how late Trio's loop was, in nanoseconds.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tick, on_tick)
            while True:
                await trio.lowlevel.wait_readable(self._poller.fileno())
                is_busy = self._round(0)
                while is_busy:
                    await trio.lowlevel.checkpoint()
                    is_busy = self._rounds_alone()

    def _rounds_alone(self) -> bool:
        """Make rounds for as long as Trio has nothing to do; returns whether the last had work."""
        until_ns, is_busy = monotonic_ns() + ALONE_NS, True
        while is_busy and monotonic_ns() < until_ns:
            others = trio.lowlevel.current_statistics()
            if others.tasks_runnable or others.run_sync_soon_queue_size:
                break
            is_busy = self._round(min(ALONE_NS / 1e9, others.seconds_to_next_deadline))
        return is_busy

    def _round(self, wait_s: float) -> bool:
        """Call whoever is ready, at once or within so long; returns whether anybody was."""
        if self._unfinished:
            merged = dict(self._poller.ready(0))
            for fd, bits in self._unfinished:
                merged[fd] = merged.get(fd, 0) | bits
            events, self._unfinished = list(merged.items()), []
        else:
            events = self._poller.ready(wait_s)
        for fd, bits in events:
            driven = self._driven.get(fd)
            if driven is not None and driven.on_ready(bits):
                self._unfinished.append((fd, bits))
        return bool(events)

    async def _tick(self, on_tick: Callable[[int], None]) -> None:
        while True:
            begin_ns = monotonic_ns()
            await trio.sleep(TICK_S)
            now_ns = monotonic_ns()
            on_tick(max(0, now_ns - begin_ns - int(TICK_S * 1e9)))
            for each in [each for each in self._driven.values() if each.deadline_ns <= now_ns]:
                each.on_overdue()
