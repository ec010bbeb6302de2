"""How many there are, counted from how often each of those that were seen came.

The lower end of the interval is the number seen; the estimate is Chao's lower bound, from those
that came once and twice (Chao 1984). The upper end is the larger of two. One is that of Chao's
log-normal interval (Chao 1987). The other is the largest number at which so few seen would still
not be unlikely (2.5%), if their shares were spread as widely as the counts say: gamma-distributed,
with the squared coefficient of variation that Chao and Lee (1992) estimate. It is exact where few
are missing and none came once, where Chao's interval is a point. `benchmarks/simulate.py` has its
coverage.

It assumes that each draw is independent. A balancer that takes turns shows everybody sooner, so
the interval is then too wide, never too narrow. One that goes by the source address shows one of
many for ever: that cannot be seen from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import erfc, exp, log, sqrt

UNLIKELY = 0.025
_NORMAL = 1.959964
"""Two-sided 95% quantile of the normal distribution."""
_FEW = 3.0
"""Expected number of unseen below which their number is Poisson, else nearly normal."""
MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Richness:
    """How many there are."""

    seen: int
    estimate: float
    high: int | None
    """Upper end of the 95% interval, whose lower one is `seen`; None: unbounded."""


def richness(counts: Iterable[int]) -> Richness:
    """How many there are, from how often each that was seen came (above 0)."""
    met = list(counts)
    seen, draws = len(met), sum(met)
    if not seen:
        return Richness(0, 0.0, None)
    once, twice = met.count(1), met.count(2)
    part = (draws - 1) / draws
    missing = part * once * (once - 1) / (2 * (twice + 1))
    estimate = seen + missing
    if once == draws:
        return Richness(seen, estimate, None)
    pairs = sum(one * (one - 1) for one in met) / (draws * (draws - 1))
    spread = max(0.0, estimate * pairs - 1)
    high = low = seen
    high += 1
    while high < MOST and _unlikely(high, seen, draws, spread) > UNLIKELY:
        low, high = high, 2 * high - seen
    while high - low > 1:
        middle = (low + high) // 2
        if _unlikely(middle, seen, draws, spread) > UNLIKELY:
            low = middle
        else:
            high = middle
    return Richness(seen, estimate, max(low, int(_chao_high(met, missing))))


def _unlikely(number: int, seen: int, draws: int, spread: float) -> float:
    """The chance that no more than `seen` of so many are seen."""
    if spread:
        never = (1 + spread * draws / number) ** (-1 / spread)
        expected = number * never
        variance = expected * (1 - never)
    else:
        expected = number * (1 - 1 / number) ** draws
        both = number * (number - 1) * (1 - 2 / number) ** draws
        variance = both + expected - expected**2
    missing = number - seen
    if expected < _FEW:
        term, below = exp(-expected), 0.0
        for count in range(missing):
            below += term
            term *= expected / (count + 1)
        return 1 - below
    return erfc((missing - 0.5 - expected) / sqrt(2 * max(variance, 1e-9))) / 2


def _chao_high(met: list[int], missing: float) -> float:
    """The upper end of Chao's log-normal interval."""
    seen, once, twice = len(met), met.count(1), met.count(2)
    if missing <= 0:
        return seen
    part = 1 - 1 / sum(met)
    if twice:
        ratio = once / twice
        variance = twice * (part * ratio**2 / 2 + part**2 * ratio**3 + part**2 * ratio**4 / 4)
    else:
        variance = part * once * (once - 1) / 2 + part**2 * once * (2 * once - 1) ** 2 / 4
        variance -= part**2 * once**4 / (4 * (seen + missing))
    return seen + missing * exp(_NORMAL * sqrt(log(1 + variance / missing**2)))


def least_share(draws: int) -> float:
    """The share that one of them needs to be among those seen with 95% confidence."""
    return float(1 - 0.05 ** (1 / draws)) if draws else 1.0
