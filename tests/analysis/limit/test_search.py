from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from stress.analysis.goals.goal import Goal, parse_goals
from stress.analysis.limit.search import LimitSearch, SearchSequence, limit_searches
from stress.errors import UsageError
from stress.model.limit import Knob, Limit, Standing
from stress.model.plan import Address, Client, Load, Plan, Segment, Sweep, Target
from stress.model.record import Flag, Record

SECOND = 1_000_000_000
GOALS = parse_goals(["p99.total<250ms", "failing<0.1%"])
Serve = Callable[[Segment, random.Random], list[Record]]


def row(due_ns: int, total_ns: int, outcome: str = "ok", late_ns: int = 0) -> Record:
    return Record(
        0, due_ns, due_ns + late_ns, 0, None, 40_000, 0, outcome, 5, None, None, None, None, None,
        None, 1_000, total_ns, total_ns, total_ns, 0, 100, 0, 0, None,
    )  # fmt: skip


def queue(capacity: float, *, patience_s: float = 3.0) -> Serve:
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


def search(
    target: Serve,
    *,
    goals: Sequence[Goal] = GOALS,
    seed: int = 1,
    start: float = 50,
    ceiling: float = 4_000,
    **more: Any,
) -> Limit:
    draw = random.Random(seed)
    controller = LimitSearch(goals, start=start, ceiling=ceiling, **more)
    while (segment := controller.next_segment()) is not None:
        rows = target(segment, draw)
        for place in range(0, len(rows), 500):
            controller.on_records(rows[place : place + 500])
    return controller.limit()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_the_limit_of_a_queue_is_found_within_five_percent(seed: int) -> None:
    limit = search(queue(400), seed=seed)

    assert limit.sustained is not None
    assert limit.sustained == pytest.approx(400, rel=0.05)
    assert limit.confirmed
    assert not limit.generator_limited
    assert limit.gave_way == "slow-answer"
    assert limit.high is not None
    assert 380 < limit.high < 440
    assert (limit.low or 0) < limit.high


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


def test_each_step_records_how_often_it_was_offered() -> None:
    """So that what was offered in each segment is known, though steps are repeated."""
    offered: list[float] = []

    def noted(segment: Segment, draw: random.Random) -> list[Record]:
        offered.append(segment.rate)
        return queue(400)(segment, draw)

    limit = search(noted)

    assert [step.rate for step in limit.steps for _ in range(step.tries)] == offered
    assert max(step.tries for step in limit.steps) > 1


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


def test_a_hiccup_of_our_own_in_the_confirmation_does_not_decide_it() -> None:
    hiccups: list[bool] = []

    def hiccup(segment: Segment, draw: random.Random) -> list[Record]:
        late_ns = 0
        if segment.seconds >= 30 and not hiccups:
            hiccups.append(True)
            late_ns = 200_000_000
        return [one._replace(started_ns=one.started_ns + late_ns) for one in even(segment)]

    limit = search(hiccup, ceiling=400)

    assert hiccups
    assert limit.confirmed
    assert limit.sustained == 400


def test_a_machine_that_is_always_busy_ends_a_search_within_its_time() -> None:
    """Each confirmation goes wrong by our doing; it must not be excused for ever."""
    seconds = []

    def busy(segment: Segment, draw: random.Random) -> list[Record]:
        seconds.append(segment.seconds)
        late_ns = 200_000_000 if segment.seconds >= 30 else 0
        return [one._replace(started_ns=one.started_ns + late_ns) for one in even(segment)]

    limit = search(busy, ceiling=400)

    assert limit.generator_limited
    assert not limit.confirmed
    assert sum(each >= 30 for each in seconds) <= 12


def test_what_we_held_up_for_a_moment_is_not_the_targets_slowness() -> None:
    """Fewer than one in a hundred, but enough to break a bound on the 99.9th percentile."""

    def stalling(segment: Segment, draw: random.Random) -> list[Record]:
        return [
            one._replace(lag_ns=400_000_000, total_ns=400_000_000) if n % 150 == 0 else one
            for n, one in enumerate(even(segment))
        ]

    goals = parse_goals(["p99.9.total<250ms"])

    limit = search(stalling, goals=goals, ceiling=200)

    assert limit.sustained == 200


def test_reaching_the_concurrency_limit_fails_the_step_whatever_the_goal() -> None:
    """A bound on the failing share alone: what could not be sent has not failed."""

    def clogged(segment: Segment, draw: random.Random) -> list[Record]:
        unsent = segment.rate > 300
        return [
            one._replace(outcome="not-sent") if unsent and n % 50 == 0 else one
            for n, one in enumerate(even(segment))
        ]

    limit = search(clogged, goals=parse_goals(["failing<1%"]))

    assert limit.sustained == pytest.approx(300, rel=0.05)
    assert not limit.generator_limited
    assert {s.reason for s in limit.steps if s.standing is Standing.GAVE_WAY} == {
        "more than 1% were not sent: the concurrency limit was reached"
    }


def test_a_step_that_was_cut_short_is_judged_by_what_there_is() -> None:
    """A target that refuses everything ends its step within the second that is a warm-up."""

    def refusing(segment: Segment, draw: random.Random) -> list[Record]:
        rows = even(segment)
        return rows if segment.rate <= 200 else [one._replace(outcome="reset") for one in rows[:60]]

    limit = search(refusing)

    assert limit.sustained == pytest.approx(200, rel=0.05)
    assert limit.gave_way == "reset"
    assert not limit.generator_limited


def test_a_run_whose_workers_have_died_comes_to_an_end() -> None:
    limit = search(lambda _segment, _draw: [])

    assert limit.sustained is None
    assert limit.generator_limited


def test_the_number_in_flight_is_searched_for_in_whole_numbers() -> None:
    """More than 37 at once wait for each other."""

    def pool(segment: Segment, draw: random.Random) -> list[Record]:
        assert segment.slots is not None
        waiting_ns = 400_000_000 if segment.slots > 37 else 10_000_000
        count = int(100 * segment.seconds)
        return [row(n * SECOND // 100, waiting_ns) for n in range(count)]

    limit = search(pool, start=1, ceiling=1_000, knob=Knob.CONCURRENCY, of="generic")

    assert (limit.sustained, limit.first_failing) == (37, 38)
    assert (limit.knob, limit.of, limit.confirmed) == (Knob.CONCURRENCY, "generic", True)


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 7, 100])
def test_every_number_in_flight_is_found(most: int) -> None:
    def pool(segment: Segment, draw: random.Random) -> list[Record]:
        slow = (segment.slots or 0) > most
        return [row(n * SECOND // 100, 400_000_000 if slow else 1_000) for n in range(500)]

    limit = search(pool, start=1, ceiling=1_000, knob=Knob.CONCURRENCY)

    assert limit.sustained is not None
    assert most / 1.031 <= limit.sustained <= most


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


FAILING = parse_goals(["failing<1%"])
PLAN = Plan(
    Target("lab.test", 443),
    (Address("127.0.0.1", 443),),
    (Client("rsa-only"), Client("ecdsa-only")),
    Load(None, rate=50.0, concurrency=64),
    find_limit="failing<1%",
)
BLANK = Record(**dict.fromkeys(Record._fields))  # type: ignore[arg-type]  # filled in below


def served(segment: Segment, most: float) -> list[Record]:
    """One attempt in each tenth of a second; all fail above `most`."""
    outcome = "reset" if max(segment.rate, segment.slots or 0) > most else "ok"
    times = (n * 100_000_000 for n in range(int(segment.seconds * 10)))
    return [
        BLANK._replace(due_ns=at, started_ns=at, total_ns=1_000, outcome=outcome, flags=0)
        for at in times
    ]


def carry_out(plan: Plan, most: dict[int | None, float]) -> tuple[SearchSequence, list[Segment]]:
    """The searches of a plan, against a target that takes so much of each client."""
    conductor, seen = limit_searches(plan, FAILING), list[Segment]()
    for segment in islice(iter(conductor.next_segment, None), 500):
        seen.append(segment)
        conductor.on_records(served(segment, most[segment.client]))
    return conductor, seen


def test_without_a_sweep_there_is_one_search_for_the_whole_mix() -> None:
    done, seen = carry_out(PLAN, {None: 200})

    (limit,) = done.limits()
    assert limit.sustained == pytest.approx(200, rel=0.05)
    assert (limit.of, limit.knob) == ("", Knob.RATE)
    assert seen[0] == Segment(50.0, 5.0)


def test_each_client_is_searched_alone_in_one_run() -> None:
    plan = replace(PLAN, sweep=(Sweep.CLIENTS,))

    done, seen = carry_out(plan, {0: 100, 1: 400})

    first, second = done.limits()
    assert first.sustained == pytest.approx(100, rel=0.05)
    assert second.sustained == pytest.approx(400, rel=0.05)
    assert (first.of, second.of) == ("rsa-only", "ecdsa-only")
    clients = [segment.client for segment in seen]
    assert clients == sorted(clients, key=lambda client: client or 0)


def test_with_resumption_each_client_is_searched_full_and_resumed() -> None:
    plan = replace(PLAN, sweep=(Sweep.CLIENTS,), clients=PLAN.clients[:1], resumption=0.7)

    done, seen = carry_out(plan, {0: 100})

    assert [limit.of for limit in done.limits()] == ["rsa-only, full", "rsa-only, 70% resumed"]
    assert {segment.resumption for segment in seen} == {0.0, 0.7}


def test_the_concurrency_is_searched_up_to_the_plans() -> None:
    plan = replace(PLAN, sweep=(Sweep.CONCURRENCY,), load=replace(PLAN.load, rate=None))

    done, seen = carry_out(plan, {None: 1_000})

    (limit,) = done.limits()
    assert (limit.knob, limit.sustained, limit.first_failing) == (Knob.CONCURRENCY, 64, None)
    assert [segment.slots for segment in seen[:7]] == [1, 2, 4, 8, 16, 32, 64]


def test_a_search_that_has_not_begun_is_not_reported() -> None:
    conductor = limit_searches(replace(PLAN, sweep=(Sweep.CLIENTS,)), FAILING)
    conductor.next_segment()

    assert [limit.of for limit in conductor.limits()] == ["rsa-only"]


def test_the_state_follows_the_search_step_by_step() -> None:
    draw, target = random.Random(1), queue(400)
    controller = LimitSearch(GOALS, start=50, ceiling=4_000)
    states = []
    while (segment := controller.next_segment()) is not None:
        states.append((controller.state(), segment))
        controller.on_records(target(segment, draw))
    limit = controller.limit()

    assert [state.load for state, _ in states] == [segment.rate for _, segment in states]
    assert [state.seconds for state, _ in states] == [segment.seconds for _, segment in states]
    assert states[0][0].last is None
    assert states[0][0].after_s is None
    numbers = [state.step for state, _ in states]
    assert numbers == sorted(numbers)
    assert numbers[-1] == len(limit.steps)
    assert states[-1][0].confirming
    assert states[-1][0].after_s == 0.0
    for state, _ in states:
        assert state.held is None or state.failed is None or state.held < state.failed
