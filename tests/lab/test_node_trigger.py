"""Faults fire where all their conditions hold, and only there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.lab.blueprint import FaultCondition, Window
from stress.lab.hello import Hello
from stress.lab.node import Trigger

NEW = Hello(1_700, (0x0304, 0x0303), "www.lab.test")
OLD = Hello(300, (0x0303,), "www.lab.test")
NAMELESS = Hello(500, (0x0304,))


@pytest.mark.parametrize(
    ("when", "said", "at_s", "fires"),
    [
        (FaultCondition(), None, 0.0, True),
        (FaultCondition(best_version=0x0303), OLD, 0.0, True),
        (FaultCondition(best_version=0x0303), NEW, 0.0, False),
        (FaultCondition(without_name=True), NAMELESS, 0.0, True),
        (FaultCondition(without_name=True), NEW, 0.0, False),
        (FaultCondition(hello_over=1_400), NEW, 0.0, True),
        (FaultCondition(hello_over=1_400), OLD, 0.0, False),
        (FaultCondition(hello_over=1_700), NEW, 0.0, False),
        (FaultCondition(window=Window(1.0, 1.0)), None, 1.5, True),
        (FaultCondition(window=Window(1.0, 1.0)), None, 2.5, False),
        (FaultCondition(window=Window(1.0, 1.0), best_version=0x0303), OLD, 1.5, True),
        (FaultCondition(window=Window(1.0, 1.0), best_version=0x0303), OLD, 0.5, False),
        (FaultCondition(share=0.0), None, 0.0, False),
    ],
)
def test_a_fault_fires_when_all_its_conditions_hold(
    when: FaultCondition, said: Hello | None, at_s: float, fires: bool
) -> None:
    assert Trigger(when, "seed").fires(said, at_s) is fires


def test_a_share_is_kept_within_chance() -> None:
    trigger = Trigger(FaultCondition(share=0.08), "seed")
    fired = sum(trigger.fires(None, 0.0) for _ in range(5_000))

    assert 300 < fired < 500


def test_dice_are_only_thrown_for_connections_that_could_be_hit() -> None:
    """What other clients do in between must not change who is hit."""
    when = FaultCondition(share=0.5, best_version=0x0303)
    alone, mixed = Trigger(when, "seed"), Trigger(when, "seed")
    first = [alone.fires(OLD, 0.0) for _ in range(50)]
    second = []
    for _ in range(50):
        mixed.fires(NEW, 0.0)
        second.append(mixed.fires(OLD, 0.0))

    assert first == second


@given(st.floats(1.0, 400.0), st.floats(1.1, 4.0))
def test_a_limit_lets_its_rate_pass_and_hits_the_rest(rate: float, times: float) -> None:
    trigger = Trigger(FaultCondition(over_per_s=rate), "seed")
    seconds = 20
    offered = int(rate * times * seconds)
    passed = sum(not trigger.fires(None, turn / (rate * times)) for turn in range(offered))

    assert passed == pytest.approx(rate * seconds, rel=0.02, abs=rate * 0.25 + 2)
