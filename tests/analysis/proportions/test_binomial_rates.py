import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from stress.analysis.proportions.binomial import clopper_pearson, detectable


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
def test_the_share_always_lies_inside(failures: int, attempts: int) -> None:
    failures = min(failures, attempts)
    interval = clopper_pearson(failures, attempts)

    assert 0.0 <= interval.low <= failures / attempts <= interval.high <= 1.0


def test_a_thousand_handshakes_show_three_in_a_thousand() -> None:
    assert detectable(1000) == pytest.approx(0.002991, rel=1e-3)
    assert detectable(0) == 1.0
    assert detectable(10**9) == pytest.approx(2.9957e-9, rel=1e-3)
