"""The failure rate of a run, with the interval that the run supports.

Which interval is valid depends on how the run ended and on how its failures came:

* A planned end gets the exact interval; a run that was stopped, the one that is valid at any
  stopping time.
* Attempts that were cut off are the slow ones, and the slow ones are those that would have failed.
  So only the blocks before the first cut-off count; where these hold too little of the run, the
  interval covers every way in which the missing attempts could have ended.
* Clustered failures are worth less than independent ones (`effective`).
  With fewer than about ten episodes no statement per handshake says much, and the episodes
  themselves are counted; with fewer than three the interval is wide because of that.

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

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil, sqrt
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from stress.analysis.proportions.binomial import (
    EXACT,
    LEVEL,
    Floats,
    confidence_sequence,
    exact_bounds,
)
from stress.analysis.tally import by_block
from stress.model.outcome import Category, Side, side_of
from stress.model.run import Cell, Cells, Cube, End
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


CLOSED_SHARE = 0.5
"""The resolved blocks represent the run when they hold at least this part of the attempts."""
CLUSTERED = 2.0
"""Above this design effect failures are clustered."""
FEW_EPISODES = 10
GAP_S = 5.0
"""Quiet for longer than this ends an episode."""


@dataclass(frozen=True, slots=True)
class BlockCounts:
    """Attempts and failures of the target by time block."""

    attempts: tuple[int, ...]
    failures: tuple[int, ...]
    block_ns: int

    @property
    def totals(self) -> tuple[int, int]:
        """Failures and attempts."""
        return sum(self.failures), sum(self.attempts)

    @property
    def clean_s(self) -> float:
        """Seconds from the last block with a failure to the end of the last block."""
        last = max((block for block, failed in enumerate(self.failures) if failed), default=-1)
        return (len(self.failures) - 1 - last) * self.block_ns / 1e9


@dataclass(frozen=True, slots=True)
class Episodes:
    """Failures that came in stretches with quiet between them."""

    count: int
    longest_s: float
    outside: int
    """Attempts outside the episodes; none of them failed."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The failure rate with its interval, and how clustered the failures are."""

    failures: int
    """Among the attempts that were resolved; see `closed_prefix`."""
    attempts: int
    clean_s: float
    """Seconds at the end without a failure."""
    interval: Interval
    worth: Effective
    """How many independent observations they are worth."""
    episodes: Episodes | None
    """When failures are clustered in fewer than ten episodes."""
    unresolved: int = 0
    """Attempts without an outcome of the target, where they are too many to be left out: the
    interval then covers every way in which they could have ended."""

    @property
    def too_few(self) -> int | None:
        """Clusters of failures, where one or two with little beside them allow no tight interval.

        None: they are enough, or failures are independent.
        """
        worth = self.worth
        few = 0 < worth.clusters < FEW and worth.failures < FEW * worth.effect
        return worth.clusters if few else None


def estimate(cube: Cube, end: End, unrecorded: int = 0) -> Estimate:
    """The failure rate of a run that came to this end.

    Args:
        cube: its attempts.
        end: how it ended.
        unrecorded: attempts that had begun and left no record, in a run that died.
    """
    whole = line = block_counts(cube.cells, cube.block_ns)
    failures, attempts = whole.totals
    unresolved = 0
    if end is not End.COMPLETED:
        unresolved = unrecorded + sum(
            count
            for kind, count in Cells.of_cells(cube.cells).by_kind()
            if kind.outcome == Category.CANCELLED
        )
    if unresolved:
        # Without a record nobody knows when the missing ones began: no block is certainly resolved.
        cut = 0 if unrecorded else closed_prefix(cube.cells)
        line = BlockCounts(whole.attempts[:cut], whole.failures[:cut], whole.block_ns)
        if line.totals[1] >= CLOSED_SHARE * attempts:
            unresolved = 0
    worth = effective(line.failures, line.attempts)
    if unresolved:
        everything = attempts + unresolved
        least = confidence_sequence(failures, everything)
        most = confidence_sequence(failures + unresolved, everything)
        interval = replace(least, low=min(least.low, most.low), high=max(least.high, most.high))
    else:
        interval = worth.interval(planned=end is End.COMPLETED)
    found = episodes(whole) if worth.effect > CLUSTERED else None
    # The rate that is shown beside the interval may count more rows; the interval has to hold it.
    share = failures / attempts if attempts else 0.0
    return Estimate(
        *line.totals,
        whole.clean_s,
        replace(interval, low=min(interval.low, share), high=max(interval.high, share)),
        worth,
        found if found and found.count < FEW_EPISODES and found.outside else None,
        unresolved,
    )


def block_counts(cells: Iterable[Cell], block_ns: int) -> BlockCounts:
    """Counts a cube's cells by time block."""
    attempts: Counter[int] = Counter()
    failures: Counter[int] = Counter()
    for (block, side), count in by_block(cells, lambda cell: side_of(cell.outcome)).items():
        if side in {Side.NOBODY, Side.TARGET}:
            attempts[block] += count
        if side is Side.TARGET:
            failures[block] += count
    blocks = range(max(attempts, default=-1) + 1)
    return BlockCounts(
        tuple(attempts[block] for block in blocks),
        tuple(failures[block] for block in blocks),
        block_ns,
    )


def closed_prefix(cells: Iterable[Cell]) -> int | None:
    """The first block in which an attempt was cut off; None when all are resolved.

    Attempts due before it have all ended. Of the later ones the slow are missing: what was cut off
    is what would have timed out.
    """
    met = by_block(cells, lambda cell: cell.outcome == Category.CANCELLED)
    return min((block for block, cut_off in met if cut_off), default=None)


def episodes(line: BlockCounts) -> Episodes:
    """Joins failing blocks with less than five quiet seconds between them."""
    gap = max(1, ceil(GAP_S * 1e9 / line.block_ns))
    spans: list[list[int]] = []
    for block in (block for block, failed in enumerate(line.failures) if failed):
        if spans and block - spans[-1][1] <= gap:
            spans[-1][1] = block
        else:
            spans.append([block, block])
    inside = sum(sum(line.attempts[begin : end + 1]) for begin, end in spans)
    longest = max((end - begin + 1 for begin, end in spans), default=0)
    return Episodes(len(spans), longest * line.block_ns / 1e9, sum(line.attempts) - inside)
