from __future__ import annotations

import socket
from dataclasses import dataclass
from time import monotonic_ns

import pytest
import trio
import trio.testing

from stress.engine.worker.deadlines import Deadlines

LONG_NS = 60_000_000_000


@dataclass(eq=False)
class Wait:
    """Waits for a socket that stays silent."""

    sock: socket.socket | None
    deadline_ns: int

    async def end(self) -> str:
        assert self.sock is not None
        try:
            await trio.lowlevel.wait_readable(self.sock)
        except trio.ClosedResourceError:
            return "woken"
        return "answered"


def outcome(deadline_ns: int, *, moved_to_ns: int | None = None, late: bool = False) -> str:
    """How a wait with this deadline ends; its socket answers when the patient have waited."""

    async def main() -> str:
        deadlines = Deadlines()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            wait = Wait(None if late else ours, monotonic_ns() + deadline_ns)
            deadlines.add(wait)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(deadlines.watch)
                if late:
                    await looked_at_twice()
                    wait.sock = ours
                if moved_to_ns is not None:
                    wait.deadline_ns = monotonic_ns() + moved_to_ns
                if wait.deadline_ns > monotonic_ns() + LONG_NS // 2:
                    nursery.start_soon(answer_later, theirs)
                end = await wait.end()
                nursery.cancel_scope.cancel()
        return end

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.001))


async def looked_at_twice() -> None:
    await trio.sleep(0.05)


async def answer_later(peer: socket.socket) -> None:
    await trio.sleep(0.1)
    peer.send(b"!")


@pytest.mark.parametrize(
    ("deadline_ns", "moved_to_ns", "end"),
    [
        (0, None, "woken"),
        (LONG_NS, None, "answered"),
        (LONG_NS, 0, "woken"),
        (0, LONG_NS, "answered"),
    ],
)
def test_what_is_overdue_is_woken_and_nothing_else(
    deadline_ns: int, moved_to_ns: int | None, end: str
) -> None:
    assert outcome(deadline_ns, moved_to_ns=moved_to_ns) == end


def test_what_was_not_waiting_when_its_time_came_is_woken_as_soon_as_it_waits() -> None:
    assert outcome(0, late=True) == "woken"


def test_what_has_ended_is_left_alone() -> None:
    """Its socket's number may be another's by now."""

    async def main() -> str:
        deadlines = Deadlines()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            wait = Wait(ours, 0)
            deadlines.add(wait)
            deadlines.discard(wait)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(deadlines.watch)
                nursery.start_soon(answer_later, theirs)
                end = await wait.end()
                nursery.cancel_scope.cancel()
        return end

    clock = trio.testing.MockClock(autojump_threshold=0.001)
    assert trio.run(main, clock=clock) == "answered"
