"""A plan of which little was said does what the command line promises."""

from __future__ import annotations

from stress.model.plan import (
    Address,
    Arrivals,
    Client,
    Close,
    Combination,
    Limits,
    Load,
    Plan,
    Replay,
    Role,
    Segment,
    Stack,
    Target,
    Trust,
)


def test_a_plan_says_of_itself_whatever_was_left_out() -> None:
    plan = Plan(Target("a.test"), (Address("192.0.2.1", 443),), (Client("generic"),))

    assert (plan.load, plan.limits, plan.trust) == (Load(), Limits(), Trust())
    assert (plan.stack, plan.close) == (None, Close.AUTO)
    assert plan.stack_of(plan.clients[0]) is Stack.BORINGSSL
    assert plan.authorized is None


def test_a_load_is_a_closed_loop_unless_a_rate_is_given() -> None:
    load = Load()

    assert (load.count, load.duration_s, load.rate, load.concurrency) == (1000, None, None, 64)


def test_no_stage_may_take_longer_than_the_attempt() -> None:
    limits = Limits()

    stages = (limits.connect_s, limits.hello_s, limits.handshake_s, limits.after_handshake_s)
    assert max(stages) <= limits.attempt_s


def test_a_segment_is_level_unless_it_has_an_end() -> None:
    assert Segment(rate=50, seconds=2).to is None


def test_words_of_the_command_line_are_the_values() -> None:
    assert [close.value for close in Close] == ["auto", "fin", "rst"]
    assert [arrivals.value for arrivals in Arrivals] == ["constant", "poisson"]


def test_every_round_has_each_combination_once() -> None:
    pair = (Combination(Role.FAILED, 0, 0, None, 40_000), Combination(Role.GOOD, 0, 0, None, None))
    replay = Replay("lab", pair * 3, 3, 1.0, ("reset",), 0.5)

    assert replay.round_size == 2


def test_the_roles_have_the_names_of_the_document() -> None:
    assert [role.value for role in Role] == ["failed", "good"]
