import numpy as np
import pytest

from stress.analysis.proportions.binomial import clopper_pearson, confidence_sequence
from stress.analysis.proportions.estimate import LiveInterval, effective


def test_independent_failures_have_the_exact_interval() -> None:
    found = effective((1, 2) * 20, (100,) * 40)

    assert (found.effect, found.clusters) == (1.0, 0)
    planned, stopped = (found.interval(planned=each) for each in (True, False))
    exact, anytime = clopper_pearson(60, 4000), confidence_sequence(60, 4000)
    assert (planned.low, planned.high) == pytest.approx((exact.low, exact.high))
    assert (stopped.low, stopped.high) == pytest.approx((anytime.low, anytime.high))


def test_one_burst_is_one_observation() -> None:
    found = effective((0,) * 20 + (50,) + (0,) * 19, (100,) * 40)

    assert (found.effect, found.clusters) == (50.0, 1)
    assert found.interval(planned=True).high > 5 * 50 / 4000


def test_a_burst_stands_out_of_a_steady_background() -> None:
    failures = [1, 0, 2, 1] * 100
    failures[50:52] = 40, 60

    assert effective(failures, (1000,) * 400).clusters == 1


def test_a_rate_that_wanders_has_clusters_without_any_hot_block() -> None:
    hours = [6] * 60 + [14] * 60 + [6] * 60 + [14] * 60
    found = effective(hours, (1000,) * 240)

    assert found.clusters
    assert found.effect > 4


@pytest.mark.parametrize(
    ("failures", "attempts"),
    [((), ()), ((0,), (0,)), ((1,), (10,)), ((0, 0), (5, 0)), ((5, 5), (5, 5)), ((2,), (2,))],
)
def test_little_is_no_cluster(failures: tuple[int, ...], attempts: tuple[int, ...]) -> None:
    found = effective(failures, attempts)

    assert found.clusters == 0
    for planned in (True, False):
        interval = found.interval(planned=planned)
        assert 0.0 <= interval.low <= interval.high <= 1.0


@pytest.mark.slow
def test_the_interval_covers_the_long_run_rate_of_bursts() -> None:
    random = np.random.default_rng(52)
    covered = naive = 0
    for _ in range(200):
        failing = random.random(600) < 0.1
        failures = np.where(failing, random.binomial(100, 0.2, size=600), 0)
        interval = effective(failures.tolist(), (100,) * 600).interval(planned=True)
        exact = clopper_pearson(int(failures.sum()), 60_000)
        covered += interval.low <= 0.02 <= interval.high
        naive += exact.low <= 0.02 <= exact.high

    assert covered >= 184
    assert naive <= 120


def test_a_live_interval_counts_what_came_between_two_looks() -> None:
    burst, spread = LiveInterval(), LiveInterval()
    for second in range(1, 61):
        one = burst(60 if second > 30 else 0, 100 * second)
        other = spread(second, 100 * second)

    assert one.high > 3 * other.high
    assert other == confidence_sequence(60, 6_000)


def test_a_long_live_interval_keeps_its_counts() -> None:
    live = LiveInterval()
    for second in range(1, 5_000):
        shown = live(second // 100, 10 * second)

    assert shown == confidence_sequence(49, 49_990)
