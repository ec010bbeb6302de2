"""The anytime-valid interval of a rate: valid however often one looks, whenever one stops.

Looking at an exact interval again and again until it shows what one hopes for is wrong in a quarter
to a half of the runs. Here each side is a bet against the hypothesis (a mixture e-process): a
nonnegative supermartingale under "the rate is at least x" (or "at most x"), so by Ville's
inequality it ever exceeds 1/a with probability at most a. See Howard, Ramdas, McAuliffe and Sekhon
2021, "Time-uniform, nonparametric, nonasymptotic confidence sequences". The mixtures are
Beta(1/2, 1/2) cut to [0, x] for the upper side, and a Pareto of index 1/2 on [x, 1] for the lower.
It costs a quarter more handshakes than a planned number at zero failures (4.57 / rate instead of
3.69 / rate). A claim about one side needs the two-sided interval on that side, as it is shown.

Invariants: `evidence_below` is only meaningful at x >= failures / attempts, `evidence_above` only
at x <= failures / attempts; elsewhere the incomplete beta functions underflow, so they are not
evaluated there. The interval contains the exact one.

Only what is computed here imports scipy.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log

from stress.analysis.proportions.binomial import LEVEL
from stress.model.summary import Interval

ANYTIME = "anytime"
"""`Interval.method` of the confidence sequence, for runs that were stopped."""
_STEPS = 32
"""Halvings of a bracket; each is at most as wide as its upper end."""


def confidence_sequence(failures: float, attempts: float, level: float = LEVEL) -> Interval:
    """The two-sided interval that is valid at any stopping time."""
    if not attempts:
        return Interval(level, 0.0, 1.0, ANYTIME)
    share, bar = failures / attempts, log(2.0 / (1.0 - level))
    below, above = share, max(share, 1.0 / attempts)
    while above < 1.0 and evidence_below(failures, attempts, above) < bar:
        below, above = above, min(1.0, above * 2.0)
    high = _crossing(lambda x: evidence_below(failures, attempts, x) >= bar, below, above)
    low = _crossing(lambda x: evidence_above(failures, attempts, x) < bar, 0.0, share)
    return Interval(level, low if failures else 0.0, high, ANYTIME)


def claims_below(failures: int, attempts: int, share: float, level: float = LEVEL) -> bool:
    """Whether "the rate is below this" may be claimed now, at any stopping time."""
    if not attempts or failures >= share * attempts:
        return False
    return evidence_below(failures, attempts, share) >= log(2.0 / (1.0 - level))


def evidence_below(failures: float, attempts: float, share: float) -> float:
    """Log of the e-value against "the rate is at least this"; for this >= failures / attempts."""
    if share >= 1.0:
        return inf if failures < attempts else 0.0
    from scipy.special import betainc, betaln, xlog1py, xlogy  # noqa: PLC0415 - heavy

    hits, misses = failures + 0.5, attempts - failures + 0.5
    bet = betaln(hits, misses) + _log(betainc(hits, misses, share))
    bet -= betaln(0.5, 0.5) + _log(betainc(0.5, 0.5, share))
    return float(bet - xlogy(failures, share) - xlog1py(attempts - failures, -share))


def evidence_above(failures: float, attempts: float, share: float) -> float:
    """Log of the e-value against "the rate is at most this"; for this <= failures / attempts."""
    if not failures:
        return 0.0
    if share <= 0.0:
        return inf
    from scipy.special import betaincc, betaln, xlog1py, xlogy  # noqa: PLC0415 - heavy

    hits, misses = failures - 0.5, attempts - failures + 1.0
    bet = betaln(hits, misses) + _log(betaincc(hits, misses, share))
    bet -= log(2.0 * (share**-0.5 - 1.0))
    return float(bet - xlogy(failures, share) - xlog1py(attempts - failures, -share))


def _log(value: float) -> float:
    return log(value) if value > 0.0 else -inf


def _crossing(passed: Callable[[float], bool], low: float, high: float) -> float:
    """The point in [low, high] from which on `passed` holds; it is monotone."""
    if low > 0.0 and passed(low):
        return low
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if passed(middle) else (middle, high)
    return high
