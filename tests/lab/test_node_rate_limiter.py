"""The limit of a limited thing is exact: it is what searches for limits are measured by."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from stress.lab.node import RateLimiter


def test_whoever_waits_is_let_through_in_order_at_the_rate() -> None:
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


def test_a_late_waker_does_not_slow_the_rest() -> None:
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


def test_a_rest_is_not_made_up_for() -> None:
    async def work() -> float:
        limiter = RateLimiter(1.0)
        await limiter.wait()
        await trio.sleep(10)
        began_s = trio.current_time()
        await limiter.wait()
        return trio.current_time() - began_s

    assert trio.run(work, clock=MockClock(autojump_threshold=0)) == pytest.approx(1.0)


def test_a_queue_that_is_fetched_from_late_is_let_through_at_the_rate_all_the_same() -> None:
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
