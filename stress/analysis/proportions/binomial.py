"""Exact tails and likelihood ratios of binomial counts, over whole arrays of cohorts.

Imported late: it needs scipy. All functions take and give numpy arrays (or scalars).
"""

from __future__ import annotations

from math import expm1, inf, log
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, xlogy

from stress.model.summary import Interval, RiskRatio

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

_LARGEST_THETA = 700.0
"""exp() of more overflows; a tilt this strong already means "all of them"."""


def upper_tail(hits: Floats, draws: float, share: Floats) -> Floats:
    """P(Bin(draws, share) >= hits): Fisher's one-sided test made conservative.

    The binomial has fatter tails than the hypergeometric it stands for, and needs no loop.
    """
    found = np.maximum(hits, 1.0)
    tail = np.where(
        share >= 1.0, 1.0, betainc(found, np.maximum(draws - found + 1.0, 1e-300), share)
    )
    return np.asarray(np.where(hits <= 0, 1.0, np.where(hits > draws, 0.0, tail)), dtype=np.float64)


def smallest_tail(attempts: Floats, failures: float, share: Floats) -> Floats:
    """The smallest p-value a cohort of this size could ever reach (Tarone's testability)."""
    return upper_tail(np.minimum(attempts, failures), failures, share)


def tarone(smallest: Floats, level: float) -> int:
    """How many hypotheses the level has to be shared among: those which could reach it at all.

    The smallest m with #{smallest p <= level / m} <= m (Tarone 1990). At least 1.
    """
    ordered = np.sort(smallest)
    low, high = 1, max(1, len(ordered))
    while low < high:
        middle = (low + high) // 2
        if np.searchsorted(ordered, level / middle, side="right") <= middle:
            high = middle
        else:
            low = middle + 1
    return low


def two_rates(hits: Floats, size: Floats, all_hits: float, total: float) -> Floats:
    """Log-likelihood ratio of "two rates, inside and outside" against "one rate"."""
    inside = _loglik(hits, size)
    outside = _loglik(all_hits - hits, total - size)
    whole = _loglik(np.asarray(all_hits), np.asarray(total))
    return np.asarray(inside + outside - whole, dtype=np.float64)


def _loglik(hits: Floats, size: Floats) -> Floats:
    safe = np.maximum(size, 1.0)
    misses = size - hits
    return np.asarray(xlogy(hits, hits / safe) + xlogy(misses, misses / safe), dtype=np.float64)


def weighted_tail(weights: Floats, shares: Floats, observed: float) -> float:
    """An upper bound of P(sum of weights[i] * Bernoulli(shares[i]) >= observed).

    Chernoff's bound with the best tilt: never too small, exact when everything is hit, which is
    where rare failures live. A row with several independent draws is given several times by
    `repeats` in `repeated_tail`.
    """
    return repeated_tail(weights, shares, np.ones_like(weights), observed)


def repeated_tail(weights: Floats, shares: Floats, repeats: Floats, observed: float) -> float:
    """As `weighted_tail`, where row i is drawn `repeats[i]` times independently."""
    mean = float(np.sum(weights * shares * repeats))
    most = float(np.sum(weights * repeats))
    if observed <= mean:
        return 1.0
    if observed >= most:
        with np.errstate(divide="ignore"):
            return float(np.exp(np.sum(repeats * np.log(shares))))
    theta = _tilt(weights, shares, repeats, observed)
    return float(np.exp(min(0.0, _cumulant(theta, weights, shares, repeats) - theta * observed)))


def _cumulant(theta: float, weights: Floats, shares: Floats, repeats: Floats) -> float:
    with np.errstate(divide="ignore"):
        logs = np.logaddexp(np.log1p(-shares), np.log(shares) + theta * weights)
    return float(np.sum(repeats * logs))


def _tilt(weights: Floats, shares: Floats, repeats: Floats, observed: float) -> float:
    """The tilt at which the mean is what was observed; the mean grows with it, so bisect."""
    low, high = 0.0, _LARGEST_THETA / float(np.max(weights))
    for _ in range(80):
        theta = (low + high) / 2.0
        lifted = shares * np.exp(theta * weights)
        mean = float(np.sum(repeats * weights * lifted / (1.0 - shares + lifted)))
        low, high = (theta, high) if mean < observed else (low, theta)
    return (low + high) / 2.0


def risk_ratio(
    hits: int, size: int, other_hits: int, other_size: int, level: float = 0.95
) -> RiskRatio:
    """How much more often it fails inside than outside, exactly, given the number of failures.

    Given K failures in all, those inside are Bin(K, t); an exact interval of t turns into one of
    the ratio. It is defined with no failure outside (then the upper end is unbounded), where the
    usual logarithmic interval is not.
    """
    total = hits + other_hits
    if total == 0 or size == 0 or other_size == 0:
        return RiskRatio(None, 0.0, None)
    tail = (1.0 - level) / 2.0
    low = float(betaincinv(hits, other_hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, other_hits, 1.0 - tail)) if other_hits else 1.0
    scale = other_size / size
    bounds = [_odds(part) * scale for part in (hits / total, low, high)]
    value, upper = (None if bound == inf else bound for bound in (bounds[0], bounds[2]))
    return RiskRatio(value, bounds[1], upper)


def _odds(part: float) -> float:
    return inf if part >= 1.0 else part / (1.0 - part)


# Exact intervals for one share, and how small a share a run could have seen.
#
# Clopper-Pearson is used everywhere: at the small counts this tool lives on, Wilson's interval
# claims too often that "at least L are failing" (its coverage falls to 0.84), the exact one never
# covers less than it says. The quantiles come from `scipy.special.betaincinv`, which is as exact as
# `binomtest` and five hundred times faster.

LEVEL = 0.95
"""The confidence level of everything that is shown."""
EXACT = "exact"
"""`Interval.method` of Clopper-Pearson, for runs whose end was planned."""


def clopper_pearson(failures: int, attempts: int, level: float = LEVEL) -> Interval:
    """The exact two-sided interval for a share of which `failures` of `attempts` were seen.

    With no attempts everything is possible: 0 to 1.
    """
    low, high = exact_bounds(failures, attempts, (1.0 - level) / 2.0)
    return Interval(level, low, high, EXACT)


def exact_bounds(failures: float, attempts: float, tail: float) -> tuple[float, float]:
    """Clopper-Pearson bounds with the error `tail` on each side; counts may be effective ones."""
    from scipy.special import betaincinv  # noqa: PLC0415 - 140 ms, only when a rate is asked

    if attempts <= 0:
        return 0.0, 1.0
    good = attempts - failures
    low = float(betaincinv(failures, good + 1, tail)) if failures > 0 else 0.0
    high = float(betaincinv(failures + 1, good, 1.0 - tail)) if good > 0 else 1.0
    return low, high


def detectable(attempts: int, confidence: float = LEVEL) -> float:
    """The smallest share that shows at least once in `attempts` with this confidence.

    The rule of three, exactly: 1 - (1 - confidence)^(1 / attempts). 1.0 without attempts.
    """
    if attempts <= 0:
        return 1.0
    return -expm1(log(1.0 - confidence) / attempts)
