"""A node counts its connections and does what its faults say; faults fire where conditions hold.

The rate of a limiter is exact: searches for a limit are measured by it.
"""

from __future__ import annotations

import socket

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from stress.lab.blueprint import Fault, FaultAction, Identity, NodeSpec, Window
from stress.lab.node import Hello, Node, RateLimiter, Trigger
from stress.lab.site import Site
from tests.lab.client import PLAIN, Attempt, Seen


@pytest.fixture
def good(site: Site) -> Identity:
    return Identity((site.shown("good.pem").file,))


def connect(site: Site, node: Node, times: int) -> list[Seen]:
    """Connect clients to the node, one after the other."""
    front = site.front()
    listener = socket.socket(fileno=front.descriptor)
    seen: list[Seen] = []

    async def serve(first_s: float) -> None:
        for _ in range(times):
            await trio.lowlevel.wait_readable(listener.fileno())
            peer, _ = listener.accept()
            peer.settimeout(0)
            await node.serve(peer, first_s)

    async def both() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, trio.current_time())
            attempts = [Attempt(front.address, PLAIN, PLAIN.context()) for _ in range(times)]
            seen.extend([await attempt.run() for attempt in attempts])

    try:
        trio.run(both)
    finally:
        listener.detach()
    return seen


@pytest.mark.parametrize(
    ("action", "outcome"),
    [(FaultAction.RESET, "reset"), (FaultAction.ANSWER, "ok")],
)
def test_a_fault_that_fires_does_its_action_and_is_counted(
    site: Site, good: Identity, action: FaultAction, outcome: str
) -> None:
    node = Node(NodeSpec("a", good, faults=(Fault(action),)), seed=0)
    seen = connect(site, node, 3)

    assert [one.outcome for one in seen] == [outcome] * 3
    assert (node.served, node.faulted) == (3, 3)


def test_a_node_without_faults_answers_and_counts_none(site: Site, good: Identity) -> None:
    node = Node(NodeSpec("a", good), seed=0)
    seen = connect(site, node, 2)

    assert [one.outcome for one in seen] == ["ok"] * 2
    assert (node.served, node.faulted) == (2, 0)


def test_the_first_fault_that_fires_decides(site: Site, good: Identity) -> None:
    other = site.shown("rsa.pem")
    faults = (
        Fault(FaultAction.RESET, best_version=0x0303),
        Fault(FaultAction.ANSWER, Identity((other.file,)), best_version=0x0304),
        Fault(FaultAction.RESET),
    )
    (seen,) = connect(site, Node(NodeSpec("a", good, faults=faults), seed=0), 1)

    assert (seen.outcome, seen.chain) == ("ok", other.sha256)


def test_a_client_that_hangs_up_in_the_middle_is_no_error(site: Site, good: Identity) -> None:
    node = Node(NodeSpec("a", good), seed=0)
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    theirs.sendall(b"\x16\x03\x01")
    theirs.close()
    trio.run(node.serve, ours, 0.0)

    assert node.served == 1
    assert ours.fileno() == -1


NEW = Hello(1_700, 0x0304, "www.lab.test")
OLD = Hello(300, 0x0303, "www.lab.test")
NAMELESS = Hello(500, 0x0304)


@pytest.mark.parametrize(
    ("fault", "hello", "at_s", "fires"),
    [
        (Fault(FaultAction.RESET), None, 0.0, True),
        (Fault(FaultAction.RESET, best_version=0x0303), OLD, 0.0, True),
        (Fault(FaultAction.RESET, best_version=0x0303), NEW, 0.0, False),
        (Fault(FaultAction.RESET, without_name=True), NAMELESS, 0.0, True),
        (Fault(FaultAction.RESET, without_name=True), NEW, 0.0, False),
        (Fault(FaultAction.RESET, hello_over=1_400), NEW, 0.0, True),
        (Fault(FaultAction.RESET, hello_over=1_400), OLD, 0.0, False),
        (Fault(FaultAction.RESET, hello_over=1_700), NEW, 0.0, False),
        (Fault(FaultAction.RESET, window=Window(1.0, 1.0)), None, 1.5, True),
        (Fault(FaultAction.RESET, window=Window(1.0, 1.0)), None, 2.5, False),
        (Fault(FaultAction.RESET, window=Window(1.0, 1.0), best_version=0x0303), OLD, 1.5, True),
        (Fault(FaultAction.RESET, window=Window(1.0, 1.0), best_version=0x0303), OLD, 0.5, False),
        (Fault(FaultAction.RESET, share=0.0), None, 0.0, False),
    ],
)
def test_a_fault_fires_when_all_its_conditions_hold(
    fault: Fault, hello: Hello | None, at_s: float, fires: bool
) -> None:
    assert Trigger(fault, "seed").fires(hello, at_s) is fires


def test_a_share_is_kept_within_chance() -> None:
    trigger = Trigger(Fault(FaultAction.RESET, share=0.08), "seed")
    fired = sum(trigger.fires(None, 0.0) for _ in range(5_000))

    assert 300 < fired < 500


def test_dice_are_only_thrown_for_connections_that_could_be_hit() -> None:
    """What other clients do in between must not change who is hit."""
    fault = Fault(FaultAction.RESET, share=0.5, best_version=0x0303)
    alone, mixed = Trigger(fault, "seed"), Trigger(fault, "seed")
    first = [alone.fires(OLD, 0.0) for _ in range(50)]
    second = []
    for _ in range(50):
        mixed.fires(NEW, 0.0)
        second.append(mixed.fires(OLD, 0.0))

    assert first == second


@given(st.floats(1.0, 400.0), st.floats(1.1, 4.0))
def test_a_limit_lets_its_rate_pass_and_hits_the_rest(rate: float, times: float) -> None:
    trigger = Trigger(Fault(FaultAction.RESET, over_per_s=rate), "seed")
    seconds = 20
    offered = int(rate * times * seconds)
    passed = sum(not trigger.fires(None, turn / (rate * times)) for turn in range(offered))

    assert passed == pytest.approx(rate * seconds, rel=0.02, abs=rate * 0.25 + 2)


def test_waiters_pass_in_order_at_the_rate() -> None:
    """Forty at once pass a limiter of 2.5 ms one each 2.5 ms."""
    passed: list[tuple[int, float]] = []

    async def work() -> None:
        limiter = RateLimiter(0.0025)
        began_s = trio.current_time()

        async def one(turn: int) -> None:
            await limiter.wait()
            passed.append((turn, trio.current_time() - began_s))

        async with trio.open_nursery() as nursery:
            for turn in range(1, 41):
                nursery.start_soon(one, turn)

    trio.run(work, clock=MockClock(autojump_threshold=0))

    assert sorted(round(at_s / 0.0025) for _, at_s in passed) == list(range(1, 41))


def test_a_late_wakeup_does_not_slow_the_rest() -> None:
    """The schedule counts, not the moment at which the one before was woken."""

    async def work() -> float:
        limiter = RateLimiter(1.0)
        began_s = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(limiter.wait)
            await trio.sleep(1.7)
        await limiter.wait()
        return trio.current_time() - began_s

    assert trio.run(work, clock=MockClock(autojump_threshold=0)) == pytest.approx(4.0)


def test_idle_time_is_not_made_up() -> None:
    async def work() -> float:
        limiter = RateLimiter(1.0)
        await limiter.wait()
        await trio.sleep(10)
        began_s = trio.current_time()
        await limiter.wait()
        return trio.current_time() - began_s

    assert trio.run(work, clock=MockClock(autojump_threshold=0)) == pytest.approx(1.0)


def test_a_queue_that_is_emptied_late_passes_at_the_rate() -> None:
    """Each of ten wakes 0.6 s late; ten of them take ten seconds and not sixteen."""

    async def work() -> float:
        limiter = RateLimiter(1.0)
        began_s = trio.current_time()
        limiter.arrive()
        for _ in range(10):
            await limiter.wait_next()
            await trio.sleep(0.6)
        return trio.current_time() - began_s

    assert trio.run(work, clock=MockClock(autojump_threshold=0)) == pytest.approx(10.6)


def test_a_lockout_begins_after_so_many_connections_and_stays() -> None:
    trigger = Trigger(Fault(FaultAction.RESET, after=50), "seed")

    assert [trigger.fires(None, n / 10) for n in range(80)] == [False] * 50 + [True] * 30
