from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from stress.analysis.goals import parse_goals
from stress.analysis.limit import LimitSearch
from stress.errors import UsageError
from stress.model.limit import Limit, Standing
from stress.model.plan import Segment
from stress.model.record import Flag, Record

SECOND = 1_000_000_000
GOALS = parse_goals(["p99.total<250ms", "failing<0.1%"])
Target = Callable[[Segment, random.Random], list[Record]]


def row(due_ns: int, total_ns: int, outcome: str = "ok", late_ns: int = 0) -> Record:
    return Record(
        0, due_ns, due_ns + late_ns, 0, None, 40_000, 0, outcome, 5, None, None, None, None, None,
        None, 1_000, 1_000, total_ns, total_ns, 0, 100, 0, 0, None,
    )  # fmt: skip


def queue(capacity: float, *, patience_s: float = 3.0) -> Target:
    """One server, first come, first served, with constant service and impatient clients."""

    def serve(segment: Segment, draw: random.Random) -> list[Record]:
        free, at, rows = 0.0, 0.0, []
        while (at := at + draw.expovariate(segment.rate)) < segment.seconds:
            free = max(free, at) + 1 / capacity
            wait = free - at
            outcome = "ok" if wait < patience_s else "timeout-handshake"
            rows.append(row(int(at * SECOND), int(min(wait, patience_s) * SECOND), outcome))
        return rows

    return serve


def search(target: Target, *, seed: int = 1, start: float = 50, ceiling: float = 4_000) -> Limit:
    draw, conductor = random.Random(seed), LimitSearch(GOALS, start=start, ceiling=ceiling)
    while (segment := conductor.next()) is not None:
        rows = target(segment, draw)
        for place in range(0, len(rows), 500):
            conductor.take(rows[place : place + 500])
    return conductor.limit()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_the_limit_of_a_queue_is_found_within_five_percent(seed: int) -> None:
    limit = search(queue(400), seed=seed)

    assert limit.sustained is not None
    assert limit.sustained == pytest.approx(400, rel=0.05)
    assert limit.confirmed
    assert not limit.generator_limited


def test_what_gives_way_first_is_named() -> None:
    def resetting(segment: Segment, draw: random.Random) -> list[Record]:
        over = max(0.0, 1 - 200 / segment.rate)
        count = int(segment.rate * segment.seconds)
        return [
            row(
                int(place / segment.rate * SECOND),
                1_000_000,
                "reset" if draw.random() < over else "ok",
            )
            for place in range(count)
        ]

    limit = search(resetting)

    assert limit.gave_way == "reset"
    assert limit.sustained == pytest.approx(200, rel=0.05)


def test_our_own_limit_is_not_the_targets() -> None:
    def tired(segment: Segment, draw: random.Random) -> list[Record]:
        late = 200_000_000 if segment.rate > 300 else 0
        count = int(segment.rate * segment.seconds)
        return [
            row(int(place / segment.rate * SECOND), 1_000_000 + late, late_ns=late)
            for place in range(count)
        ]

    limit = search(tired)

    assert limit.generator_limited
    assert limit.steps[-1].standing is Standing.HELD
    assert {step.standing for step in limit.steps if step.rate > 300} == {Standing.GENERATOR}


def even(segment: Segment) -> list[Record]:
    count = int(segment.rate * segment.seconds)
    return [row(int(place / segment.rate * SECOND), 1_000_000) for place in range(count)]


def test_starts_that_we_missed_are_not_counted_against_the_target() -> None:
    """A tenth was due while our process stood still, above 300 a second."""

    def starved(segment: Segment, draw: random.Random) -> list[Record]:
        rows = even(segment)
        if segment.rate <= 300:
            return rows
        missed = [one._replace(outcome="not-sent", flags=Flag.LOCAL_PRESSURE) for one in rows[::10]]
        return missed + [one for n, one in enumerate(rows) if n % 10]

    limit = search(starved)

    assert limit.generator_limited
    assert limit.sustained == pytest.approx(300, rel=0.05)


def test_one_hiccup_of_our_own_does_not_bound_the_search() -> None:
    """What the machine did for a moment is forgiven when the step goes well the next time."""
    hiccups = [True]

    def hiccup(segment: Segment, draw: random.Random) -> list[Record]:
        late_ns = 200_000_000 if hiccups and hiccups.pop() else 0
        return [one._replace(started_ns=one.started_ns + late_ns) for one in even(segment)]

    limit = search(hiccup, ceiling=400)

    assert limit.sustained == 400
    assert not limit.generator_limited


def test_a_target_that_holds_everything_is_sustained_up_to_the_ceiling() -> None:
    limit = search(queue(1e6), ceiling=400)

    assert limit.sustained == 400
    assert limit.first_failing is None
    assert limit.confirmed


def test_a_target_that_holds_nothing_has_no_limit_to_report() -> None:
    def dead(segment: Segment, draw: random.Random) -> list[Record]:
        count = int(segment.rate * segment.seconds)
        return [row(int(n / segment.rate * SECOND), SECOND, "refused") for n in range(count)]

    limit = search(dead)

    assert limit.sustained is None
    assert limit.gave_way == "refused"


@pytest.mark.parametrize("text", ["failures>=20", "p99.total>5ms", "chains==1"])
def test_only_upper_bounds_can_be_searched(text: str) -> None:
    with pytest.raises(UsageError, match="upper bound"):
        LimitSearch(parse_goals([text]), start=1, ceiling=2)
