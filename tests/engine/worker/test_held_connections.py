from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from stress.engine import coordinator
from stress.engine.worker.held_connections import HeldConnections
from stress.model.record import Flag
from tests.engine.conftest import Book, Serve, plan_for


def pair() -> tuple[socket.socket, socket.socket]:
    """A TCP connection with itself: ours, theirs."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname()[:2])
        theirs, _ = server.accept()
    theirs.settimeout(10)
    return ours, theirs


def in_virtual_time(main: Callable[[], Awaitable[None]]) -> None:
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_connection_stays_open_for_its_time_and_says_farewell() -> None:
    held = HeldConnections(60.0, reset=False)
    ours, theirs = pair()

    async def main() -> None:
        held.add(ours, b"bye")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(held.watch)
            await trio.sleep(59)
            assert held.count == 1
            await trio.sleep(2)
            assert held.count == 0
            nursery.cancel_scope.cancel()

    with theirs:
        in_virtual_time(main)

        assert theirs.recv(10) == b"bye"
        assert theirs.recv(10) == b""


def test_each_is_closed_when_its_time_has_passed_and_hardly_later() -> None:
    """What stays open for longer than asked would count against the target's limit."""
    held = HeldConnections(0.3, reset=False)
    closed: list[bool] = []

    async def one(begin_s: float, ours: socket.socket) -> None:
        await trio.sleep(begin_s)
        held.add(ours, b"")
        due = trio.current_time() + 0.3
        await trio.sleep_until(due - 0.001)
        assert ours.fileno() != -1
        await trio.sleep_until(due + 0.011)  # a hundredth of a second, and a little
        closed.append(ours.fileno() == -1)

    async def main() -> None:
        async with trio.open_nursery() as watching:
            watching.start_soon(held.watch)
            async with trio.open_nursery() as nursery:
                for begin_s, (ours, _) in zip((0.0, 0.004, 0.137, 0.7, 1.234), pairs, strict=True):
                    nursery.start_soon(one, begin_s, ours)
            watching.cancel_scope.cancel()

    pairs = [pair() for _ in range(5)]
    in_virtual_time(main)

    assert closed == [True] * 5
    for _, theirs in pairs:
        theirs.close()


@pytest.mark.parametrize("reset", [True, False])
def test_at_the_end_all_are_closed_also_those_whose_server_has_left(reset: bool) -> None:
    held = HeldConnections(60.0, reset=reset)
    pairs = [pair() for _ in range(3)]
    pairs[0][1].close()

    async def main() -> None:
        for ours, _ in pairs:
            held.add(ours, b"")
        held.close()

    in_virtual_time(main)

    assert held.count == 0
    for ours, theirs in pairs:
        assert ours.fileno() == -1
        theirs.close()


class Crowd:
    """A server that counts how many connections are open at once."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._open = 0
        self.most = 0

    def serve(self, connection: socket.socket) -> None:
        with self._context.wrap_socket(connection, server_side=True) as secure:
            self._count(1)
            try:
                secure.recv(1)
            finally:
                self._count(-1)

    def _count(self, change: int) -> None:
        with self._lock:
            self._open += change
            self.most = max(self.most, self._open)


@pytest.mark.slow
def test_held_connections_are_open_together_though_few_are_in_flight(
    serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    crowd, book = Crowd(tls), Book()
    plan = plan_for(
        serve(crowd.serve), pki[1], count=60, concurrency=2, hold_s=60.0, warm_up_s=3600.0
    )

    coordinator.run(plan, book)

    assert book.outcomes == {"ok": 60}
    assert crowd.most > 40  # a slow server may see the last ones when the first are gone
    assert all(record.flags & Flag.WARM_UP for record in book.records)
