import numpy as np
import pytest

from stress.analysis.causes.changes import period, round_robin
from stress.analysis.proportions.estimate import BlockCounts


@pytest.mark.parametrize("length", [2, 8, 12, 100])
def test_one_in_turn_is_found(length: int) -> None:
    found = round_robin([length * n + 3 for n in range(40)], 1 / length if length > 2 else 0.49)

    assert found is not None
    assert found.length == length
    assert f"cycle of {length}" in found.sentence


def test_jitter_in_the_order_does_not_hide_it() -> None:
    random = np.random.default_rng(61)
    starts = [8 * n + int(random.integers(0, 2)) for n in range(60)]
    found = round_robin(starts, 0.125)

    assert found is not None
    assert found.length % 8 == 0


@pytest.mark.slow
def test_chance_has_no_turn() -> None:
    random = np.random.default_rng(62)
    found = [
        round_robin(np.sort(random.choice(20_000, 60, replace=False)).tolist(), 0.003)
        for _ in range(40)
    ]

    assert sum(one is not None for one in found) <= 2


def test_too_few_failures_have_no_turn() -> None:
    assert round_robin([8, 16, 24], 0.1) is None
    assert round_robin(list(range(50)), 0.9) is None


def test_failures_by_the_clock_have_a_period() -> None:
    failures = [0] * 600
    for block in range(7, 600, 30):
        failures[block] = 3
    found = period(BlockCounts((50,) * 600, tuple(failures), 1_000_000_000))

    assert found is not None
    ratio = 30.0 / found.seconds
    assert ratio == pytest.approx(round(ratio), abs=0.05)


@pytest.mark.slow
def test_chance_has_no_period() -> None:
    random = np.random.default_rng(63)
    found = 0
    for _ in range(30):
        failures = random.binomial(50, 0.002, size=600)
        found += (
            period(BlockCounts((50,) * 600, tuple(failures.tolist()), 1_000_000_000)) is not None
        )

    assert found <= 1
    assert period(BlockCounts((50,) * 5, (1,) * 5, 1_000_000_000)) is None


def test_a_cycle_of_our_own_workers_is_not_the_balancers() -> None:
    """With two processes every second start is the same worker's."""
    starts = [2 * index for index in range(60)]

    assert round_robin(starts, 0.1, workers=1) is not None
    assert round_robin(starts, 0.1, workers=2) is None
