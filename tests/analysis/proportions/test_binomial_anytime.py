import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.analysis.proportions.binomial import claims_below, clopper_pearson, confidence_sequence


@given(st.integers(0, 3000), st.integers(1, 10_000_000))
def test_it_contains_the_exact_interval(failures: int, attempts: int) -> None:
    failures = min(failures, attempts)
    exact, anytime = clopper_pearson(failures, attempts), confidence_sequence(failures, attempts)

    assert 0.0 <= anytime.low <= exact.low * 1.000001
    assert exact.high * 0.999999 <= anytime.high <= 1.0


def test_the_price_of_looking_is_a_quarter() -> None:
    share = 1e-3
    fewest = next(n for n in range(2000, 5000) if claims_below(0, n, share))

    assert fewest * share == pytest.approx(4.57, abs=0.01)
    assert not claims_below(1, fewest, share)


def test_claims_need_the_observed_rate_on_their_side() -> None:
    assert not claims_below(50, 1000, 0.01)
    assert not claims_below(0, 0, 0.5)
    assert claims_below(0, 10, 1.0)
    assert confidence_sequence(0, 0).high == 1.0


@pytest.mark.slow
def test_repeated_looks_are_rarely_wrong() -> None:
    random = np.random.default_rng(51)
    share, wrong = 1e-3, 0
    looks = np.unique(np.geomspace(500, 60_000, 120).astype(int))
    for _ in range(300):
        failures = np.cumsum(random.binomial(np.diff(looks, prepend=0), share))
        wrong += any(
            claims_below(int(k), int(n), share)
            for k, n in zip(failures, looks, strict=True)
            if k < 12
        )

    assert wrong / 300 <= 0.065
