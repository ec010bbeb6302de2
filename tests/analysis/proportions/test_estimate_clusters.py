from collections.abc import Callable

import numpy as np
import pytest

from stress.analysis.proportions.binomial import clopper_pearson
from stress.analysis.proportions.estimate import (
    BlockCounts,
    block_counts,
    closed_prefix,
    design_effect,
    episodes,
    korn_graubard,
)
from stress.model.run import Cell

SECOND = 1_000_000_000


def test_a_cube_becomes_a_timeline(cell: Callable[..., Cell]) -> None:
    line = block_counts(
        [cell(5), cell(2, block=2, outcome="reset"), cell(9, block=3, outcome="cancelled")], SECOND
    )

    assert line.attempts == (5, 0, 2)
    assert line.failures == (0, 0, 2)


def test_the_prefix_ends_where_something_was_cut_off(cell: Callable[..., Cell]) -> None:
    assert closed_prefix([cell(5), cell(1, block=7, outcome="cancelled")]) == 7
    assert closed_prefix([cell(5), cell(0, block=7, outcome="cancelled")]) is None


def test_bursts_have_a_design_effect_and_chance_has_none() -> None:
    burst = BlockCounts((100,) * 40, (0,) * 20 + (50,) + (0,) * 19, SECOND)
    chance = BlockCounts((100,) * 40, (1, 2) * 20, SECOND)

    assert design_effect(burst) > 40
    assert design_effect(chance) == 1.0
    assert design_effect(BlockCounts((100,) * 5, (0, 0, 50, 0, 0), SECOND)) == 1.0
    assert design_effect(BlockCounts((), (), SECOND)) == 1.0
    assert korn_graubard(burst).high > 2 * clopper_pearson(50, 4000).high


@pytest.mark.slow
def test_the_interval_covers_the_long_run_share_of_bursts() -> None:
    random = np.random.default_rng(52)
    covered = naive = 0
    for _ in range(200):
        failing = random.random(600) < 0.1
        failures = np.where(failing, random.binomial(100, 0.2, size=600), 0)
        line = BlockCounts((100,) * 600, tuple(failures.tolist()), SECOND)
        interval, exact = korn_graubard(line), clopper_pearson(int(failures.sum()), 60_000)
        covered += interval.low <= 0.02 <= interval.high
        naive += exact.low <= 0.02 <= exact.high

    assert covered >= 184
    assert naive <= 120


def test_episodes_are_told_apart_by_quiet() -> None:
    failures = [0] * 60
    for block in (10, 11, 14, 30):
        failures[block] = 5
    found = episodes(BlockCounts((10,) * 60, tuple(failures), SECOND))

    assert (found.count, found.longest_s, found.outside) == (2, 5.0, 540)
    assert episodes(BlockCounts((10,), (0,), SECOND)).count == 0
