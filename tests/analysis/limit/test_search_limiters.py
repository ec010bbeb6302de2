"""What limiters let through is found, with evenly spaced starts as a search has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from stress.analysis.goals.goal import parse_goals
from stress.analysis.limit.search import LimitSearch
from stress.model.limit import Limit
from stress.model.plan import Segment
from stress.model.record import Record

BLANK = Record(**dict.fromkeys(Record._fields))  # type: ignore[arg-type]  # filled in below
SECOND = 1_000_000_000
Serve = Callable[[Segment], list[Record]]


def search(limiter: Serve, goal: str, begin: float) -> Limit:
    controller = LimitSearch(parse_goals([goal]), start=begin, ceiling=4_000)
    while (segment := controller.next_segment()) is not None:
        controller.on_records(limiter(segment))
    return controller.limit()


def evenly(segment: Segment) -> list[float]:
    """When each attempt of a segment is due, in seconds."""
    return [(place + 0.5) / segment.rate for place in range(int(segment.rate * segment.seconds))]


def refusing(lets_through: Callable[[list[float]], list[bool]]) -> Serve:
    """A limiter that refuses at once what it does not let through."""

    def serve(segment: Segment) -> list[Record]:
        due = evenly(segment)
        good = BLANK._replace(total_ns=1_000_000, flags=0, outcome="ok")
        return [
            good._replace(
                due_ns=int(at * SECOND),
                started_ns=int(at * SECOND),
                outcome="ok" if passed else "reset",
            )
            for at, passed in zip(due, lets_through(due), strict=True)
        ]

    return serve


def token_bucket(per_s: float, burst: float) -> Serve:
    """As nftables' `limit rate`, full at the beginning of each step."""

    def lets_through(due: list[float]) -> list[bool]:
        tokens, last, passed = burst, 0.0, []
        for at in due:
            tokens, last = min(burst, tokens + (at - last) * per_s), at
            passed.append(tokens >= 1)
            tokens -= passed[-1]
        return passed

    return refusing(lets_through)


def connection_rate(per_s: float) -> Serve:
    """As HAProxy's `conn_rate(1s)`: of two periods, refused connections count as well."""

    def lets_through(due: list[float]) -> list[bool]:
        counts: Counter[int] = Counter()
        passed = []
        for at in due:
            period, part = int(at), at % 1.0
            counts[period] += 1
            passed.append(counts[period] + counts[period - 1] * (1.0 - part) <= per_s)
        return passed

    return refusing(lets_through)


@pytest.mark.parametrize("begin", [20.0, 50.0, 110.0])
@pytest.mark.parametrize("goal", ["failing<0.1%", "failing<1%"])
@pytest.mark.parametrize(
    ("limiter", "through"),
    [
        (token_bucket(150, 5), 150),
        (token_bucket(150, 40), 150),
        (token_bucket(150, 150), 150),
        (connection_rate(150), 150),
        (connection_rate(60), 60),
    ],
    ids=["bucket-5", "bucket-40", "bucket-150", "conn-rate-150", "conn-rate-60"],
)
def test_the_rate_that_a_limiter_lets_through_is_found_within_five_percent(
    limiter: Serve, through: float, goal: str, begin: float
) -> None:
    limit = search(limiter, goal, begin)

    assert limit.confirmed
    assert limit.sustained == pytest.approx(through, rel=0.05)
    assert limit.first_failing == pytest.approx(through, rel=0.06)
