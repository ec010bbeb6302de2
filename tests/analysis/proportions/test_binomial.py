import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from stress.analysis.proportions.binomial import (
    clopper_pearson,
    detectable,
    risk_ratio,
    smallest_tail,
    tarone,
    two_rates,
    upper_tail,
    weighted_tail,
)


def array(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(values, dtype=np.float64)


def test_the_tail_is_the_binomial_one() -> None:
    hits, share = array(0, 1, 5, 20), array(0.1, 0.1, 0.3, 1.0)

    expected = [1.0, *binom.sf(array(0, 4), 20, array(0.1, 0.3)), 1.0]

    assert upper_tail(hits, 20, share) == pytest.approx(expected)
    assert upper_tail(array(21), 20, array(0.5)) == pytest.approx([0.0])
    assert smallest_tail(array(2, 100), 5, array(0.1, 0.5)) == pytest.approx(
        [binom.sf(1, 5, 0.1), 0.5**5]
    )


def test_the_level_is_shared_among_those_that_could_reach_it() -> None:
    assert tarone(array(1e-9, 1e-9, 0.5, 0.9), 0.05) == 2
    assert tarone(array(0.5, 0.9), 0.05) == 1
    assert tarone(array(), 0.05) == 1
    assert tarone(np.full(1000, 1e-9), 0.05) == 1000


def test_two_rates_beat_one_by_the_likelihood() -> None:
    same, apart, all_or_none = two_rates(array(1, 10, 10), array(10, 20, 10), 10, 100)

    assert same == pytest.approx(0.0)
    assert 0.0 < apart < all_or_none


def test_the_bound_of_a_weighted_tail_is_never_too_small() -> None:
    shares, weights = array(0.1, 0.2, 0.3, 0.5), array(3, 1, 2, 1)
    draws = np.random.default_rng(1).random((200_000, 4)) < shares

    for observed in (3, 4, 5, 6, 7):
        exact = float((draws @ weights >= observed).mean())
        assert weighted_tail(weights, shares, observed) >= exact * 0.9

    assert weighted_tail(weights, shares, 7) == pytest.approx(0.1 * 0.2 * 0.3 * 0.5)
    assert weighted_tail(weights, shares, 0.5) == 1.0


def test_repeats_are_independent_draws() -> None:
    bound = weighted_tail(array(1), array(0.1), 10, array(20))

    assert binom.sf(9, 20, 0.1) <= bound <= 20 * binom.sf(9, 20, 0.1)
    assert weighted_tail(array(1), array(0.1), 3, array(3)) == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("inside", "outside", "value", "low", "high"),
    [
        ((515, 2558), (0, 197_442), None, 10_000, None),
        ((10, 100), (10, 100), 1.0, 0.37, 2.7),
        ((5, 100), (5, 1000), 10.0, 2.2, 46.0),
    ],
)
def test_the_risk_ratio_has_an_exact_interval(
    inside: tuple[int, int],
    outside: tuple[int, int],
    value: float | None,
    low: float,
    high: float | None,
) -> None:
    found = risk_ratio(*inside, *outside)

    assert found.value == (None if value is None else pytest.approx(value))
    assert found.low == pytest.approx(low, rel=0.1)
    assert found.high == (None if high is None else pytest.approx(high, rel=0.1))


def test_without_an_outside_there_is_no_ratio() -> None:
    assert risk_ratio(5, 10, 0, 0).value is None
    assert risk_ratio(0, 10, 0, 10).low == 0.0


@pytest.mark.parametrize(
    ("failures", "attempts", "low", "high"),
    [
        (0, 1000, 0.0, 0.0036821),
        (7, 140_000, 2.0103e-5, 1.03016e-4),
        (98, 20_000, 0.0039799, 0.0059683),
        (100, 100, 0.9637833, 1.0),
        (0, 0, 0.0, 1.0),
        (1, 1, 0.025, 1.0),
    ],
)
def test_the_interval_is_the_exact_one(
    failures: int, attempts: int, low: float, high: float
) -> None:
    interval = clopper_pearson(failures, attempts)

    assert interval.low == pytest.approx(low, rel=1e-4)
    assert interval.high == pytest.approx(high, rel=1e-4)


def test_it_agrees_with_scipys_slow_form() -> None:
    for failures, attempts in ((3, 10), (515, 200_000), (9, 10)):
        expected = binomtest(failures, attempts).proportion_ci(method="exact")
        interval = clopper_pearson(failures, attempts)

        assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


@given(st.integers(0, 10_000), st.integers(1, 10_000_000))
def test_the_observed_rate_is_always_inside(failures: int, attempts: int) -> None:
    failures = min(failures, attempts)
    interval = clopper_pearson(failures, attempts)

    assert 0.0 <= interval.low <= failures / attempts <= interval.high <= 1.0


def test_the_detectable_rate_follows_the_rule_of_three() -> None:
    assert detectable(1000) == pytest.approx(0.002991, rel=1e-3)
    assert detectable(0) == 1.0
    assert detectable(10**9) == pytest.approx(2.9957e-9, rel=1e-3)
