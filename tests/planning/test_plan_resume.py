from __future__ import annotations

import os
from dataclasses import replace

import pytest

from stress.errors import UsageError
from stress.model.plan import (
    Address,
    Client,
    Close,
    Combination,
    Limits,
    Load,
    Plan,
    Replay,
    Role,
    Segment,
    Target,
    Trust,
)
from stress.model.run import End, RunFacts
from stress.planning.addresses import SHORTEST_TTL_S
from stress.planning.plan import GAP_S, LOOPBACK_GAP_S, gap_s, remainder, replay_plan, with_anchors
from stress.planning.request import Request

START_NS = 1_800_000_000_000_000_000
PLAN = Plan(Target("a.test"), (Address("127.0.0.1", 443),), (Client("generic"),), seed=5)


def facts(load: Load, *, started: int = 40, end: End = End.INTERRUPTED, **odd: object) -> RunFacts:
    return RunFacts(
        name="night",
        file="night.db",
        plan=replace(PLAN, load=load, **odd),  # type: ignore[arg-type]  # fields by name
        started_ns=START_NS,
        ended_ns=None,
        end=end,
        started=started,
        recorded=started,
        versions={},
        reasons=(),
        invalid=False,
        lag_p99_ns=None,
    )


def left(of: RunFacts, after_s: float = 4.0) -> Load:
    last_ns = START_NS + int(after_s * 1e9)
    return remainder(of, PLAN.addresses, last_ns=last_ns, request=Request()).load


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (Load(100, concurrency=8), Load(60, concurrency=8)),
        (Load(50, concurrency=64, processes=1), Load(10, concurrency=10, processes=1)),
        (
            Load(None, 10.0, concurrency=8, rate=10.0),
            Load(None, 6.0, concurrency=8, rate=10.0),
        ),
        (Load(100, 10.0, concurrency=8), Load(60, 6.0, concurrency=8)),
    ],
)
def test_what_has_begun_is_taken_off(load: Load, expected: Load) -> None:
    assert left(facts(load)) == expected


def test_the_time_between_two_parts_was_not_used() -> None:
    """A night's rest before the run was taken up for the first time leaves the second its hours."""
    twice = replace(facts(Load(None, 10.0, rate=10.0)), stood_ns=30_000_000_000)

    assert left(twice, after_s=34.0).duration_s == 6.0


def test_the_rest_asks_all_addresses_in_another_order() -> None:
    joined = (*PLAN.addresses, Address("127.0.0.2", 443))

    plan = remainder(facts(Load(100)), joined, last_ns=START_NS, request=Request())

    assert plan.addresses == joined
    assert plan.seed != PLAN.seed


@pytest.mark.parametrize(
    ("of", "says"),
    [
        (facts(Load(100), end=End.COMPLETED), "nothing to resume"),
        (facts(Load(40)), "started every handshake"),
        (facts(Load(None, 3.0)), "started every handshake"),
        (facts(Load(None, 9.0, rate=1.0, segments=(Segment(1.0, 9.0),))), "one uninterrupted run"),
        (facts(Load(100), find_limit="failing<1%"), "one uninterrupted run"),
        (facts(Load(100), goals=("failures>=1",)), "one uninterrupted run"),
    ],
)
def test_what_cannot_be_resumed_is_refused(of: RunFacts, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        left(of)


def test_the_systems_anchors_are_read_again_and_private_ones_are_kept() -> None:
    private = replace(PLAN, trust=Trust(anchors=(b"der",), anchors_from="ca.pem", private=True))
    none = replace(PLAN, trust=Trust(policy="none", anchors_from=""))

    assert with_anchors(private) is private
    assert with_anchors(none) is none
    assert with_anchors(PLAN).trust.anchors


def test_the_path_of_root_stores_is_not_read_from_a_run_file() -> None:
    own = replace(PLAN, trust=replace(PLAN.trust, stores="/etc/passwd"))

    with pytest.raises(UsageError, match="not read from a run file") as caught:
        with_anchors(own)

    assert "--stores FILE" in (caught.value.hint or "")
    assert with_anchors(own, "mine.db").trust.stores == "mine.db"


HERE, NEAR, FAR = Address("127.0.0.1", 443), Address("10.0.0.1", 443), Address("9.9.9.9", 443)
PLAN_REPLAY = Plan(
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


def test_a_recorded_plan_cannot_flood_a_resolver_or_this_machine() -> None:
    of = facts(Load(10**6, concurrency=500, processes=500), resolve_again_s=1e-9)

    plan = remainder(of, PLAN.addresses, last_ns=START_NS, request=Request())

    assert plan.resolve_again_s == SHORTEST_TTL_S
    assert plan.load.processes <= (os.cpu_count() or 1)


def test_a_load_that_this_machine_cannot_hold_is_refused() -> None:
    with pytest.raises(UsageError, match="open files"):
        left(facts(Load(10**12, concurrency=10**11)))


@pytest.mark.parametrize(
    ("plan", "named"),
    [
        (replace(PLAN, load=Load(100, hold_s=-1.0)), "load.hold_s = -1"),
        (replace(PLAN, load=Load(100, concurrency=0)), "load.concurrency = 0"),
        (replace(PLAN, load=Load(100, rate=1e300)), r"load.rate = 1e\+300"),
        (replace(PLAN, load=Load(100, processes=-1)), "load.processes = -1"),
        (replace(PLAN, limits=Limits(connect_s=-1.0)), "limits.connect_s = -1"),
        (replace(PLAN, resumption=7.0), "resumption = 7"),
        (replace(PLAN, clients=()), "no client"),
    ],
)
def test_a_recorded_value_that_no_run_has_is_refused(plan: Plan, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        left(replace(facts(Load()), plan=plan))


def test_a_replay_of_what_the_file_does_not_hold_is_refused() -> None:
    one = replay(30).order[0]
    for strange in (replace(one, address=99), replace(one, client=7), replace(one, source=1)):
        with pytest.raises(UsageError, match="does not hold"):
            replay_plan(
                PLAN, PLAN.addresses, replace(replay(30), order=(strange,)), Request(), started=9
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
    plan = replay_plan(PLAN_REPLAY, (HERE, NEAR), replay(30), Request(), started=99)

    assert plan.addresses == (HERE, NEAR)
    assert (plan.load.count, plan.load.duration_s, plan.load.processes) == (30, None, 1)
    assert plan.load.segments == ()
    assert (plan.goals, plan.assertions, plan.resolve_again_s) == ((), (), None)
    assert plan.close is Close.RST
    assert (plan.clients, plan.trust) == (PLAN_REPLAY.clients, PLAN_REPLAY.trust)
    assert plan.replay == replay(30)


def test_a_few_tries_at_a_public_target_need_no_consent() -> None:
    assert replay_plan(PLAN_REPLAY, (FAR,), replay(600), Request(), started=99).authorized is None
    said = replace(PLAN_REPLAY, authorized="said so")
    with pytest.raises(UsageError, match="consent"):
        replay_plan(said, (FAR,), replay(1_001), Request(), started=99)
    plan = replay_plan(said, (FAR,), replay(1_001), Request(authorized=True), started=99)
    assert plan.load.count == 1_001
    assert str(plan.authorized).startswith("--i-am-authorized, for ")
    assert FAR.ip in str(plan.authorized)


def test_a_source_that_is_no_longer_ours_is_explained() -> None:
    with pytest.raises(UsageError, match=r"192\.0\.2\.77"):
        replay_plan(
            replace(PLAN_REPLAY, sources=("192.0.2.77",)), (HERE,), replay(2), Request(), started=99
        )


def test_where_load_may_decide_it_is_the_recorded_one() -> None:
    recorded = replace(
        PLAN_REPLAY, load=Load(None, 8.0, 40, 5.0, hold_s=0.7), resumption=0.3, close=Close.FIN
    )
    of = replace(replay(1), order=())

    plan = replay_plan(recorded, (HERE,), of, Request(), started=41)

    assert plan.load == replace(recorded.load, count=41)
    assert (plan.resumption, plan.close, plan.replay) == (0.3, Close.FIN, of)


def test_single_combinations_are_held_too_and_wait_for_their_port() -> None:
    recorded = replace(PLAN_REPLAY, load=Load(100, hold_s=2.5))

    plan = replay_plan(recorded, (HERE,), replay(3), Request(), started=100)

    assert plan.load.hold_s == 2.5
    assert plan.replay is not None
    assert plan.replay.gap_s == 2.5
