from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest

from stress.analysis.goals.goal import parse_goals
from stress.analysis.limit.search import Searches, searches
from stress.model.client import Client
from stress.model.limit import Knob
from stress.model.plan import Load, Plan, Segment, Sweep
from stress.model.record import Record
from stress.model.target import Address, Target

GOALS = parse_goals(["failing<1%"])
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


def carry_out(plan: Plan, most: dict[int | None, float]) -> tuple[Searches, list[Segment]]:
    """The searches of a plan, against a target that takes so much of each client."""
    controller, seen = searches(plan, GOALS), list[Segment]()
    for segment in islice(iter(controller.next_segment, None), 500):
        seen.append(segment)
        controller.on_records(served(segment, most[segment.client]))
    return controller, seen


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


def test_what_has_not_begun_is_not_told() -> None:
    controller = searches(replace(PLAN, sweep=(Sweep.CLIENTS,)), GOALS)
    controller.next_segment()

    assert [limit.of for limit in controller.limits()] == ["rsa-only"]
