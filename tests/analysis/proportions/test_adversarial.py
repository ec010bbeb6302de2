"""The fast form of `python -m benchmarks.simulate adversarial`: false claims, and their price."""

from importlib import import_module
from types import ModuleType

import pytest

from stress.analysis.goals.evidence import Holds, Stopping, holds
from stress.analysis.goals.goal import parse_goal


@pytest.fixture(scope="module")
def adversarial() -> ModuleType:
    return import_module("benchmarks.adversarial")


def figures(line: str, *names: str) -> list[float]:
    """The numbers that follow these words."""
    return [float(line.split(f"{name} ")[1].split(maxsplit=1)[0].strip("()")) for name in names]


@pytest.mark.slow
def test_bursts_make_no_false_assertion_and_contradict_nothing(adversarial: ModuleType) -> None:
    false = covers = 0.0
    lines = list(adversarial.intervals(20))
    for line in lines:
        wrong, covered, contradictions = figures(line, "false", "covers", "contradictions")
        assert contradictions == 0
        false, covers = false + wrong / len(lines), covers + covered / len(lines)

    assert false <= 0.06
    assert covers >= 0.93


@pytest.mark.slow
def test_steady_worlds_pay_little_for_it(adversarial: ModuleType) -> None:
    lines = [line for line in adversarial.steady(6) if "width" in line]

    assert len(lines) == 4
    for line in lines:
        needed, wrong, width = figures(line, "(x", "wrong", "width x")
        assert needed <= 1.35
        assert wrong == 0
        assert width <= 1.3


@pytest.mark.slow
def test_a_world_is_not_worse_than_itself(adversarial: ModuleType) -> None:
    lines = list(adversarial.comparisons(5))
    told = [figures(line, " worse", "better") for line in lines if line.startswith("compare")]

    assert sum(worse for worse, _ in told) / len(told) <= 0.06
    assert sum(better for _, better in told) / len(told) <= 0.06
    for line in lines:
        if line.startswith("doubled"):
            assert figures(line, "called worse")[0] >= 0.9
        else:
            assert "counts are rows 5 of 5" in line


def test_no_dense_bursts_stop_a_run_that_fails_twice_as_often(adversarial: ModuleType) -> None:
    counts = [world.run(adversarial.np.random.default_rng(7)) for world in adversarial.DENSE]
    limits = [f"failing<{world.truth / 2:.8f}" for world in adversarial.DENSE]
    told = [adversarial.stops(*each)[0] for each in zip(limits, counts, strict=True)]

    assert Holds.YES not in told


def test_whoever_had_the_turn_in_a_burst_is_not_blamed(adversarial: ModuleType) -> None:
    assert all(figures(line, "blamed")[0] <= 0.2 for line in adversarial.blame(5))


def test_the_goal_is_answered_by_the_interval(adversarial: ModuleType) -> None:
    """A burst of fifty in a run of 60,000: 0.08% seen, and up to 0.59% possible."""
    counts = adversarial.BlockCounts((100,) * 600, (0,) * 300 + (50,) + (0,) * 299, 10**9)
    known = adversarial.evidence(counts, Stopping.PLANNED)

    assert known.interval.high == pytest.approx(0.0059, abs=0.0001)
    assert holds(parse_goal("failing<0.5%"), known) is Holds.UNKNOWN
    assert holds(parse_goal("failing<0.6%"), known) is Holds.YES
