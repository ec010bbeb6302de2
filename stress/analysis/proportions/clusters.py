"""How many independent observations clustered failures are worth: the one source of uncertainty.

Four thousand failures in three bursts are three observations. Everything that is claimed about a
failure rate (the interval, goals and assertions, `--until`, `compare`, the search for the limit)
counts in *effective* failures and attempts, which are made here, and so nothing can contradict
anything else.

* *Clusters.* A time block is hot when it holds more failures than chance puts into the worst block
  of a run (Poisson, 5% over all blocks) at the rate of the other blocks; hot blocks are taken out
  until no more are found. Hot blocks in a row are one cluster, whose weight is its failures. Every
  other failure is a cluster of weight 1: with no hot block, the counts are the rows' own.
* *Slow changes.* A rate that wanders has no hot block, yet its sums vary more than chance allows.
  The variance over stretches of one, two, four … blocks is compared with that of independent
  attempts, and the largest ratio counts where chance does not explain it.
* *Bounds.* With weights w_c, let y be their sum, v the sum of their squares, and w the largest.
  Fay and Feuer (1997, "Confidence intervals for directly standardized rates: a method based on the
  gamma distribution") match a gamma distribution to the first two moments. The lower bound is that
  of y * y / v effective failures. The upper one allows for one more cluster, as heavy as the
  heaviest seen: moments y + w and v + w * w. With all weights 1 both are the exact bounds. One
  or two clusters show too little of how heavy they get, so the one more is half as heavy again;
  with one in the run the upper bound is seven times what was seen: one burst says little.

What has not happened cannot be weighed. Before the first burst a run looks steady; how long it ran
limits which outages it could have seen (see docs/decisions/0020-one-interval.md).

Imported late: it needs numpy, and scipy where anything failed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from stress.analysis.proportions.binomial import EXACT, LEVEL, Floats, exact_bounds
from stress.analysis.proportions.sequence import confidence_sequence
from stress.model.summary import Interval

BLOCKS = "blocks"
"""`Interval.method` where failures are clustered."""
CHANCE = 0.05
"""Steady runs in which some block is hot."""
FEWEST_GROUPS = 8
"""Stretches of time over which a variance is compared."""
SURELY = 3.0
"""Standard errors by which the variance must exceed that of independent attempts."""
FEW = 3
"""Clusters below which an interval is wide because of them."""
SPARE = 1.5
"""How much heavier than the heaviest of so few clusters the next may be."""


MOST_LIVE = 500
"""Blocks of a live interval; it is computed once a second while handshakes wait."""


@dataclass(frozen=True, slots=True)
class Effective:
    """Counts of a run, and how many independent observations they are worth."""

    failures: int
    attempts: int
    squares: float
    """Sum of the squared weights of the clusters."""
    largest: float
    """Weight of the heaviest cluster; 1 where failures are independent."""
    clusters: int
    """Stretches in which failures came together; 0 where they are independent."""

    @property
    def effect(self) -> float:
        """Failures that are worth one: the design effect."""
        return max(1.0, self.squares / self.failures) if self.failures else 1.0

    @classmethod
    def independent(cls, failures: int, attempts: int) -> Self:
        """Each failure is an observation of its own."""
        return cls(failures, attempts, float(failures), 1.0, 0)

    def times(self, factor: float) -> Self:
        """So many times as much of the same: more clusters, none heavier than the heaviest."""
        failures, clusters = round(self.failures * factor), round(self.clusters * factor)
        attempts, squares = round(self.attempts * factor), self.squares * factor
        return replace(
            self, failures=failures, attempts=attempts, squares=squares, clusters=clusters
        )

    @property
    def above(self) -> tuple[float, float]:
        """Failures and attempts for the upper bound: one more cluster could have come."""
        largest = self.largest * (SPARE if 0 < self.clusters < FEW else 1.0)
        effect = (self.squares + largest**2) / (self.failures + largest)
        return (self.failures + largest) / effect - 1.0, self.attempts / effect

    @property
    def below(self) -> tuple[float, float]:
        """Failures and attempts for the lower bound."""
        return self.failures / self.effect, self.attempts / self.effect

    def interval(self, *, planned: bool, level: float = LEVEL) -> Interval:
        """The two-sided interval: exact for a planned end, else valid at any stopping time."""
        if planned:
            tail = (1.0 - level) / 2.0
            low, high = exact_bounds(*self.below, tail)[0], exact_bounds(*self.above, tail)[1]
            return Interval(level, low, high, BLOCKS if self.clusters else EXACT)
        lower = confidence_sequence(*self.below, level)
        if not self.clusters:
            return lower
        return Interval(level, lower.low, confidence_sequence(*self.above, level).high, BLOCKS)


def effective(failures: ArrayLike, attempts: ArrayLike) -> Effective:
    """What the failures and attempts of equal blocks of time are worth."""
    failed = np.asarray(failures, dtype=np.float64)
    size = np.asarray(attempts, dtype=np.float64)
    total, whole = int(failed.sum()), int(size.sum())
    if total < 2 or total == whole:
        return Effective.independent(total, whole)
    weights = _weights(failed, size)
    clustered = float((weights**2).sum()) + total - float(weights.sum())
    largest, wandering = float(weights.max(initial=1.0)), _variance(failed, size)
    if wandering <= clustered:
        return Effective(total, whole, clustered, largest, len(weights))
    largest = max(largest, wandering / total)
    clusters = max(len(weights), round(total**2 / wandering))
    return Effective(total, whole, wandering, largest, clusters)


def _weights(failed: Floats, size: Floats) -> Floats:
    """The failures of each stretch of hot blocks."""
    from scipy.special import pdtrc  # noqa: PLC0415 - heavy: only where something failed

    hot = np.zeros(len(failed), dtype=np.bool_)
    level = CHANCE / max(1, int(np.count_nonzero(size)))
    while True:
        rate = float(failed[~hot].sum()) / max(1.0, float(size[~hot].sum()))
        # P(so many or more): of one failure alone it says nothing.
        more = ~hot & (failed >= 2) & (pdtrc(failed - 1.0, rate * size) < level)
        if not more.any():
            break
        hot |= more
    starts = np.flatnonzero(hot & ~np.concatenate(([False], hot[:-1])))
    if not len(starts):
        return np.zeros(0)
    return np.add.reduceat(np.where(hot, failed, 0.0), starts)


def _variance(failed: Floats, size: Floats) -> float:
    """The variance of the number of failures over stretches of time; 0 where chance explains it."""
    share, width, most = float(failed.sum() / size.sum()), 1, 0.0
    while len(failed) // width >= FEWEST_GROUPS:
        starts = np.arange(0, len(failed), width)
        found, of = np.add.reduceat(failed, starts), np.add.reduceat(size, starts)
        found, of = found[of > 0], of[of > 0]
        groups, expected = len(of), share * of
        if groups >= FEWEST_GROUPS:
            spread = groups / (groups - 1) * float(((found - expected) ** 2).sum())
            ratio = spread / float(failed.sum() * (1.0 - share))
            error = sqrt(2.0 / (groups - 1) + 1.0 / float(failed.sum()))
            if ratio > 1.0 + SURELY * error:
                most = max(most, spread)
        width *= 2
    return most


class LiveInterval:
    """The interval of a run that goes on, of counts that are taken at equal distances of time."""

    def __init__(self) -> None:
        self._seen: list[tuple[int, int]] = [(0, 0)]
        """Failures and attempts so far, at each time but the last ones."""
        self._calls, self._each = 0, 1

    def __call__(self, failures: int, attempts: int) -> Interval:
        """The interval that is valid now, whenever one looks; between two calls is a block."""
        self._calls += 1
        counts = np.diff([*self._seen, (failures, attempts)], axis=0)
        if self._calls % self._each == 0:
            self._seen.append((failures, attempts))
        if len(self._seen) > MOST_LIVE:
            self._seen, self._each = self._seen[::2], self._each * 2
        return effective(counts[:, 0], counts[:, 1]).interval(planned=False)
