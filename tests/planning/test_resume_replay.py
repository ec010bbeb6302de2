from __future__ import annotations

from dataclasses import replace

import pytest

from stress.errors import UsageError
from stress.model.client import Client
from stress.model.plan import Close, Combination, Load, Plan, Replay, Role, Segment, Trust
from stress.model.target import Address, Target
from stress.planning.resume import GAP_S, LOOPBACK_GAP_S, gap_s, replay_plan

HERE, NEAR, FAR = Address("127.0.0.1", 443), Address("10.0.0.1", 443), Address("9.9.9.9", 443)
PLAN = Plan(
    Target("a.test"),
    (HERE,),
    (Client("generic"),),
    Load(None, 60.0, 2_000, 500.0, (Segment(500, 60),), processes=2),
    trust=Trust(host="a.test", anchors=(b"root",), private=True),
    goals=("failures>=3",),
    assertions=("chains==1",),
    find_limit="",
    resolve_again_s=60.0,
)


def replay(tries: int) -> Replay:
    return Replay("lab", (Combination(Role.FAILED, 0, 0, None, 4),) * tries, 1, 1.0, ("eof",), 1.0)


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ([HERE], LOOPBACK_GAP_S),
        ([HERE, Address("::1", 443)], LOOPBACK_GAP_S),
        ([HERE, NEAR], GAP_S),
        ([FAR], GAP_S),
    ],
)
def test_the_wait_is_for_what_is_between(addresses: list[Address], expected: float) -> None:
    assert gap_s(addresses) == expected


def test_only_what_is_asked_stays_of_a_recorded_plan() -> None:
    plan = replay_plan(PLAN, (HERE, NEAR), replay(30))

    assert plan.addresses == (HERE, NEAR)
    assert (plan.load.count, plan.load.duration_s, plan.load.processes) == (30, None, 1)
    assert plan.load.segments == ()
    assert (plan.goals, plan.assertions, plan.resolve_again_s) == ((), (), None)
    assert plan.close is Close.RST
    assert (plan.clients, plan.trust) == (PLAN.clients, PLAN.trust)
    assert plan.replay == replay(30)


def test_a_few_tries_at_a_public_target_need_no_consent() -> None:
    assert replay_plan(PLAN, (FAR,), replay(600)).authorized is None
    with pytest.raises(UsageError, match="consent"):
        replay_plan(PLAN, (FAR,), replay(1_001))
    assert replay_plan(replace(PLAN, authorized="said so"), (FAR,), replay(1_001)).load.count


def test_a_source_that_is_no_longer_ours_is_explained() -> None:
    with pytest.raises(UsageError, match=r"192\.0\.2\.77"):
        replay_plan(replace(PLAN, sources=("192.0.2.77",)), (HERE,), replay(2))
