"""Targets that let a part through, in the time that the records tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from random import Random

import pytest

from stress.engine.checks.refusals import RateLimitDetector
from stress.model.record import Record

SECOND = 10**9
BLANK = Record(**dict.fromkeys(Record._fields))  # type: ignore[arg-type] # filled in where it tells
Answer = Callable[[float], tuple[str, int]]
"""Start, in seconds -> outcome, and the server's time in ns."""


def arrivals(rate: int, seconds: int, seed: int) -> Iterator[float]:
    draw = Random(seed)
    for second in range(seconds):
        yield from sorted(second + draw.random() for _ in range(rate))


def throttled(
    answer: Answer, *, rate: int = 400, seconds: int = 20, seed: int = 1
) -> RateLimitDetector:
    throttle = RateLimitDetector()
    rows = []
    for start_s in arrivals(rate, seconds, seed):
        outcome, server_ns = answer(start_s)
        good = server_ns if outcome == "ok" else None
        rows.append(
            BLANK._replace(started_ns=int(start_s * SECOND), outcome=outcome, server_ns=good)
        )
    for begin in range(0, len(rows), 100):
        throttle.add(rows[begin : begin + 100])
    return throttle


def bucket(rate: float, depth: float) -> Answer:
    tokens, filled = depth, 0.0

    def answer(start_s: float) -> tuple[str, int]:
        nonlocal tokens, filled
        tokens, filled = min(depth, tokens + (start_s - filled) * rate), start_s
        if tokens < 1:
            return "reset", 0
        tokens -= 1
        return "ok", 1_000_000

    return answer


def one_bad_node(nodes: int, outcome: str = "reset") -> Answer:
    turns = count()
    return lambda _: (outcome, 0) if next(turns) % nodes == 0 else ("ok", 1_000_000)


def by_chance(share: float) -> Answer:
    dice = Random(7)
    return lambda _: ("reset", 0) if dice.random() < share else ("ok", 1_000_000)


def bad_window(start_s: float) -> tuple[str, int]:
    return ("reset", 0) if 5 <= start_s < 12 else ("ok", 1_000_000)


def queueing(limiter: Answer) -> Answer:
    def answer(start_s: float) -> tuple[str, int]:
        outcome, _ = limiter(start_s)
        return outcome, int(1_000_000 + start_s * 20_000_000)

    return answer


@pytest.mark.parametrize("depth", [5, 50])
@pytest.mark.parametrize("limit", [100, 200, 350])
def test_a_token_bucket_is_told_with_its_rate(limit: int, depth: int) -> None:
    ceiling = throttled(bucket(limit, depth)).ceiling()

    assert ceiling == pytest.approx(limit, rel=0.15)


@pytest.mark.parametrize(
    "answer",
    [
        *(one_bad_node(nodes) for nodes in (2, 3, 8)),
        *(by_chance(share) for share in (0.05, 0.5, 0.9)),
        bad_window,
        lambda _: ("reset", 0),
        lambda _: ("ok", 1_000_000),
    ],
)
def test_a_share_that_fails_is_no_limiter(answer: Answer) -> None:
    assert throttled(answer).ceiling() is None


@pytest.mark.slow
def test_twenty_bad_nodes_are_never_called_a_limiter() -> None:
    told = [throttled(by_chance(0.3), seed=seed).ceiling() for seed in range(20)]

    assert told == [None] * 20


def test_a_server_with_a_queue_is_overloaded_and_not_limited() -> None:
    assert throttled(queueing(bucket(200, 1))).ceiling() is None


def test_failures_that_were_told_late_are_not_of_a_limiter() -> None:
    def slow(start_s: float) -> tuple[str, int]:
        outcome, server_ns = limiter(start_s)
        return ("timeout-connect" if outcome == "reset" else outcome), server_ns

    limiter = bucket(200, 1)

    assert throttled(slow).ceiling() is None


def test_a_short_run_says_nothing() -> None:
    assert throttled(bucket(200, 1), seconds=4).ceiling() is None
