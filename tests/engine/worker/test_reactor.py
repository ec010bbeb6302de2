from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic_ns

import pytest
import trio
import trio.lowlevel
import trio.testing

from stress.engine.worker.poller import READABLE, Poller, SelectorPoller, best_poller
from stress.engine.worker.reactor import TICK_S, Reactor

LONG_NS = 60_000_000_000
HELD_NS = 50_000_000


class Wait:
    """Waits for a socket; notes how that ends."""

    def __init__(self, reactor: Reactor, sock: socket.socket, deadline_ns: int) -> None:
        self.reactor, self.sock = reactor, sock
        self.deadline_ns, self.latest_ns = deadline_ns, deadline_ns
        self.end, self.reads = "", 0
        self.over = trio.Event()
        reactor.add(sock.fileno(), self, READABLE)

    def on_ready(self, events: int) -> bool:
        try:
            self.reads += bool(self.sock.recv(1))
        except BlockingIOError:
            return False
        self.finish("answered")
        return False

    def on_overdue(self) -> None:
        self.finish("overdue")

    def cancel(self) -> None:
        self.finish("cancelled")

    def finish(self, end: str) -> None:
        self.end = end
        self.reactor.remove(self.sock.fileno(), closing=False)
        self.over.set()


class Eater(Wait):
    """Reads byte by byte, and says that there is more."""

    def on_ready(self, events: int) -> bool:
        try:
            self.reads += len(self.sock.recv(1))
        except BlockingIOError:
            return False
        return True


@pytest.fixture(params=[best_poller, SelectorPoller])
def reactor(request: pytest.FixtureRequest) -> Reactor:
    make: Callable[[], Poller] = request.param
    return Reactor(make())


async def answer_later(peer: socket.socket) -> None:
    await trio.sleep(0.1)
    peer.send(b"!")


def outcome(reactor: Reactor, deadline_ns: int, change: Callable[[Wait], None]) -> str:
    """How a wait with this deadline ends; its socket answers soon when the deadline is far."""

    async def main() -> str:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            wait = Wait(reactor, ours, monotonic_ns() + deadline_ns)
            change(wait)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(reactor.run)
                if wait.deadline_ns > monotonic_ns() + LONG_NS // 2:
                    nursery.start_soon(answer_later, theirs)
                await wait.over.wait()
                nursery.cancel_scope.cancel()
        return wait.end

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.001))


def move(by_ns: int) -> Callable[[Wait], None]:
    def change(wait: Wait) -> None:
        wait.deadline_ns += by_ns

    return change


@pytest.mark.parametrize(
    ("deadline_ns", "change", "end"),
    [
        (0, move(0), "overdue"),
        (LONG_NS, move(0), "answered"),
        (LONG_NS, move(-LONG_NS), "overdue"),
        (0, move(LONG_NS), "answered"),
        (0, lambda wait: wait.reactor.extend(LONG_NS), "answered"),
        (LONG_NS, lambda wait: wait.reactor.cancel(), "cancelled"),
    ],
)
def test_what_is_overdue_is_called_and_nothing_else(
    reactor: Reactor, deadline_ns: int, change: Callable[[Wait], None], end: str
) -> None:
    assert outcome(reactor, deadline_ns, change) == end


def test_bytes_that_no_further_event_tells_of_are_read_all_the_same(reactor: Reactor) -> None:
    """Edge-triggered, one event stands for them all; each call reads one."""
    assert eaten(reactor, b"x" * 500) == 500


def eaten(reactor: Reactor, data: bytes) -> int:
    async def main() -> int:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            eater = Eater(reactor, ours, monotonic_ns() + LONG_NS)
            theirs.send(data)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(reactor.run)
                while eater.reads < len(data):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
        return eater.reads

    return trio.run(main)


def test_a_flood_delays_neither_other_connections_nor_other_tasks(reactor: Reactor) -> None:
    """The flood is never over: were it read to its end, nothing else would ever run."""

    async def main() -> str:
        ours, theirs = socket.socketpair()
        flooded, flooder = socket.socketpair()
        with ours, theirs, flooded, flooder:
            for sock in (ours, flooded, flooder):
                sock.setblocking(False)

            class Flood(Eater):
                def on_ready(self, events: int) -> bool:
                    with suppress(BlockingIOError):
                        flooder.send(b"xx")
                    return super().on_ready(events)

            flood = Flood(reactor, flooded, monotonic_ns() + LONG_NS)
            flooder.send(b"x")
            wait = Wait(reactor, ours, monotonic_ns() + LONG_NS)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(reactor.run)
                while flood.reads < 5:
                    await trio.lowlevel.checkpoint()
                theirs.send(b"!")
                await wait.over.wait()
                nursery.cancel_scope.cancel()
        return wait.end

    assert trio.run(main) == "answered"


def test_the_loops_own_lag_is_measured(reactor: Reactor) -> None:
    """Nothing else may hide it: not even a connection whose every call takes long."""

    async def main() -> list[int]:
        lags_ns: list[int] = []
        enough = trio.Event()
        ours, theirs = socket.socketpair()

        def note(lag_ns: int) -> None:
            lags_ns.append(lag_ns)
            if len(lags_ns) == 3:
                enough.set()

        with ours, theirs:
            ours.setblocking(False)

            class Slow(Eater):
                def on_ready(self, events: int) -> bool:
                    until_ns = monotonic_ns() + HELD_NS
                    while monotonic_ns() < until_ns:
                        pass
                    return super().on_ready(events)

            Slow(reactor, ours, monotonic_ns() + LONG_NS)
            theirs.send(b"x" * 3)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(reactor.run, note)
                await enough.wait()
                nursery.cancel_scope.cancel()
        return lags_ns

    lags_ns = trio.run(main)

    assert max(lags_ns) > HELD_NS - int(TICK_S * 1e9) - 1_000_000
    assert min(lags_ns) >= 0


def test_another_task_wakes_in_time_though_the_reactor_waits_by_itself(reactor: Reactor) -> None:
    """It waits with the whole thread, but never beyond what Trio has to do next."""

    async def main() -> float:
        late_s: list[float] = []
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            Eater(reactor, ours, monotonic_ns() + LONG_NS)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(reactor.run)
                for _ in range(50):
                    theirs.send(b"x")
                    begin = trio.current_time()
                    await trio.sleep(0.003)
                    late_s.append(trio.current_time() - begin - 0.003)
                nursery.cancel_scope.cancel()
        return min(late_s)  # the machine may be busy; the reactor must not be late each time

    assert trio.run(main) < 0.005
