from types import ModuleType

import numpy as np
import pytest

from stress.analysis.causes.stratified_check import (
    PASSES,
    episode_parts,
    refuted,
    robustness,
)


def test_a_cohort_that_was_busy_in_the_burst_does_not_pass() -> None:
    blocks = np.repeat(np.arange(10), 2)
    inside = np.tile([True, False], 10)
    attempts = np.where(blocks == 4, np.where(inside, 90, 10), np.where(inside, 10, 90))
    failures = np.where(blocks == 4, np.where(inside, 45, 5), 0)

    found = robustness(blocks, attempts, failures, inside)

    assert found.within > PASSES
    assert (found.failing_blocks, found.blocks) == (1, 10)


def test_one_block_is_one_observation() -> None:
    blocks = np.repeat(np.arange(10), 2)
    inside = np.tile([True, False], 10)
    attempts = np.where(inside, 20, 80)
    failures = np.where((blocks == 4) & inside, 20, 0)

    found = robustness(blocks, attempts, failures, inside)

    assert found.within < 1e-9
    assert found.by_block == pytest.approx(0.2)


def test_failing_again_and_again_is_robust() -> None:
    blocks = np.repeat(np.arange(10), 2)
    inside = np.tile([True, False], 10)
    failures = np.where(inside, 1, 0)

    found = robustness(blocks, np.where(inside, 20, 80), failures, inside)

    assert found.by_block == pytest.approx(0.2**10)
    assert robustness(blocks, np.where(inside, 20, 80), failures * 0, inside).within == 1.0


@pytest.mark.slow
def test_bursts_with_a_drifting_mix_blame_nobody(simulate: ModuleType) -> None:
    random = np.random.default_rng(31)
    wrong = naive = 0
    for _ in range(15):
        told = simulate.bursts(random, 20_000, blocks=120)
        if told.failed.sum() < 3:
            continue
        wrong += simulate.blamed(simulate.story(told.columns, told.blocks, told.failed)) > 0
        naive += simulate.naive(told)

    assert wrong <= 1
    assert naive >= 5


def strata(*counts: tuple[int, int, int, int]) -> bool:
    """For each stratum: attempts and failures inside the cohort, then outside it."""
    flat = np.asarray(counts).reshape(-1, 2)
    inside = np.tile([True, False], len(counts))
    return refuted(np.repeat(np.arange(len(counts)), 2), flat[:, 0], flat[:, 1], inside)


def test_a_client_that_mostly_meets_bad_nodes_is_not_to_blame() -> None:
    """Simpson's paradox: 90% of its attempts are where 4% fail, whoever asks."""
    assert strata((1000, 10, 9000, 90), (9000, 360, 1000, 40))


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param([(1000, 40, 9000, 0), (9000, 360, 1000, 0)], id="it fails in each stratum"),
        pytest.param([(1000, 40, 0, 0), (0, 0, 9000, 0)], id="the stratum follows from it"),
        pytest.param([(1000, 30, 9000, 90), (9000, 360, 1000, 30)], id="a part of it is its own"),
        pytest.param([(50, 2, 50, 0), (100, 0, 0, 0)], id="too little to say so"),
    ],
)
def test_a_cohort_is_only_refuted_by_what_was_seen(
    counts: list[tuple[int, int, int, int]],
) -> None:
    assert not strata(*counts)


def test_without_a_comparison_nothing_is_refuted() -> None:
    """As when only the failing connections came far enough to have a value."""
    inside = np.array([True, True, False])

    assert not refuted(np.array([0, 1, -1]), np.array([9, 9, 80]), np.array([9, 8, 0]), inside)


def test_failures_that_stand_close_in_their_block_are_one_observation() -> None:
    sizes = dict.fromkeys(range(3), 1000)
    bursts = [(block, block * 1000 + 500 + number) for block in range(3) for number in range(8)]
    steady = [(number // 50, number * 20) for number in range(150)]
    all_failed = [(number // 1000, number) for number in range(3000)]

    assert episode_parts(bursts, sizes) == {0: (1.0,), 1: (1.0,), 2: (1.0,)}
    for even in (steady, all_failed, []):
        assert episode_parts(even, sizes) is None


def test_a_cohort_that_only_had_its_turn_in_a_burst_does_not_pass() -> None:
    blocks = np.repeat(np.arange(3), 2)
    inside = np.tile([True, False], 3)
    attempts = np.tile([25, 75], 3)
    failures = np.tile([8, 0], 3)
    alone = robustness(blocks, attempts, failures, inside)
    together = robustness(blocks, attempts, failures, inside, {0: (1.0,), 1: (1.0,), 2: (0.5, 0.5)})

    assert alone.within < 1e-9
    assert together.within == pytest.approx(0.25**4, rel=1e-3)
