"""Chooses the interval of the failing share that this run deserves.

A planned end gets the exact interval; a run that was stopped, the one that is valid at any
stopping time, over the attempts that were all resolved; clustered failures, the one that counts
stretches of time. Where two apply, the wider bounds of both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil

from stress.analysis.proportions.binomial import LEVEL, clopper_pearson, exact_bounds
from stress.analysis.proportions.sequence import confidence_sequence
from stress.analysis.tally import side_of
from stress.model.outcome import Category, Side
from stress.model.run import Cell, Cube, End
from stress.model.summary import Interval

CLOSED_SHARE = 0.5
"""The resolved prefix stands for the run when it holds at least this part of the attempts."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The failing share with its interval, and how clustered the failures are."""

    failures: int
    """Among the attempts that were resolved; see `stress.analysis.share.clusters.closed_prefix`."""
    attempts: int
    clean_s: float
    """Seconds at the end without a failure."""
    interval: Interval
    effect: float
    """Design effect; 1 for independent handshakes."""
    episodes: Episodes | None
    """When failures are clustered in fewer than ten episodes."""
    unresolved: int = 0
    """Attempts without an ending of the target, where they are too many to be left out: the
    interval then holds whatever became of them."""


def estimate(cube: Cube, end: End, unrecorded: int = 0) -> Estimate:
    """The failing share of a run that came to this end.

    Args:
        cube: its attempts.
        end: how it ended.
        unrecorded: attempts that had begun and left no record, in a run that died.
    """
    whole = block_counts(cube.cells, cube.block_ns)
    open_ended = 0 if end is End.COMPLETED else unrecorded + _cut_off(cube)
    line = whole
    if open_ended:
        # Without a record nobody knows when the missing ones began: no prefix is surely closed.
        line = _before(whole, 0 if unrecorded else closed_prefix(cube.cells))
        if line.totals[1] >= CLOSED_SHARE * whole.totals[1]:
            open_ended = 0
    interval = _whatever(whole, open_ended) if open_ended else _interval(line, end)
    effect = design_effect(line)
    if effect > CLUSTERED:
        interval = _wider(korn_graubard(line), interval)
    failures, attempts = whole.totals
    resolved_failures, resolved = line.totals
    found = episodes(whole) if effect > CLUSTERED else None
    return Estimate(
        resolved_failures,
        resolved,
        clean_s(whole),
        _around(interval, failures / attempts if attempts else 0.0),
        effect,
        found if found and found.count < FEW_EPISODES and found.outside else None,
        open_ended,
    )


def clean_s(line: BlockCounts) -> float:
    """Seconds from the last block with a failure to the end of the last block."""
    last = max((block for block, failed in enumerate(line.failures) if failed), default=-1)
    return (len(line.failures) - 1 - last) * line.block_ns / 1e9


def _interval(line: BlockCounts, end: End) -> Interval:
    failures, attempts = line.totals
    planned = end is End.COMPLETED
    return (clopper_pearson if planned else confidence_sequence)(failures, attempts)


def _cut_off(cube: Cube) -> int:
    return sum(cell.count for cell in cube.cells if cell.outcome == Category.CANCELLED)


def _before(line: BlockCounts, cut: int | None) -> BlockCounts:
    """The blocks whose attempts are all resolved."""
    return BlockCounts(line.attempts[:cut], line.failures[:cut], line.block_ns)


def _whatever(line: BlockCounts, unresolved: int) -> Interval:
    """The interval that holds whether all the unresolved attempts would have failed, or none.

    What is cut off is what is slow, and the slow ones are the failing ones: to leave them out
    would flatter the target.
    """
    failures, attempts = line.totals
    best = confidence_sequence(failures, attempts + unresolved)
    worst = confidence_sequence(failures + unresolved, attempts + unresolved)
    return _wider(best, worst)


def _wider(one: Interval, other: Interval) -> Interval:
    return replace(one, low=min(one.low, other.low), high=max(one.high, other.high))


def _around(interval: Interval, share: float) -> Interval:
    """The interval, made to hold the share that is shown beside it (it may count fewer rows)."""
    return replace(interval, low=min(interval.low, share), high=max(interval.high, share))


# What clustered failures are worth: design effect, Korn-Graubard interval, episodes.
#
# Four thousand failures in three bursts are three observations. Over equal stretches of time the
# variance of the failing share is compared with what independent handshakes would have; the ratio
# is the design effect, and the exact interval is made for as many handshakes as there really are
# (Korn and Graubard 1998). With fewer than about ten episodes nothing on the level of handshakes
# is honest, and the episodes themselves are counted.

BLOCKS = "blocks"
"""`Interval.method` of the exact interval with design effect."""
STRETCHES = 40
FEWEST_STRETCHES = 10
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


@dataclass(frozen=True, slots=True)
class Episodes:
    """Failures that came in stretches with quiet between them."""

    count: int
    longest_s: float
    outside: int
    """Attempts outside the episodes; none of them failed."""


def block_counts(cells: Iterable[Cell], block_ns: int) -> BlockCounts:
    """Counts a cube's cells by time block."""
    attempts: Counter[int] = Counter()
    failures: Counter[int] = Counter()
    for cell in cells:
        side = side_of(cell.outcome)
        if side in {Side.NOBODY, Side.TARGET}:
            attempts[cell.block] += cell.count
        if side is Side.TARGET:
            failures[cell.block] += cell.count
    length = max(attempts, default=-1) + 1
    blocks = range(length)
    return BlockCounts(
        tuple(attempts[block] for block in blocks),
        tuple(failures[block] for block in blocks),
        block_ns,
    )


def closed_prefix(cells: Iterable[Cell]) -> int | None:
    """The first block in which an attempt was cut off; None when all are resolved.

    Attempts due before it have all ended. Later ones have not, and those that are missing are the
    slow ones: what was cut off is what would have timed out.
    """
    cut = (cell.block for cell in cells if cell.outcome == Category.CANCELLED and cell.count)
    return min(cut, default=None)


def design_effect(line: BlockCounts) -> float:
    """How many times the variance is what independent handshakes would have; at least 1."""
    stretches = _stretches(line)
    failures, attempts = line.totals
    if len(stretches) < FEWEST_STRETCHES or not failures or failures == attempts:
        return 1.0
    share, count = failures / attempts, len(stretches)
    spread = sum((failed - share * size) ** 2 for failed, size in stretches)
    variance = count / (count - 1) * spread / attempts**2
    return max(1.0, variance / (share * (1.0 - share) / attempts))


def korn_graubard(line: BlockCounts, level: float = LEVEL) -> Interval:
    """The exact interval for as many handshakes as the clustered ones are worth."""
    from scipy.special import ndtri, stdtrit  # noqa: PLC0415 - only clustered failures need it

    failures, attempts = line.totals
    tail = (1.0 - level) / 2.0
    freedom = max(1, len(_stretches(line)) - 1)
    fewer = (ndtri(tail) / stdtrit(freedom, tail)) ** 2
    effective = attempts / design_effect(line) * float(fewer)
    share = failures / attempts if attempts else 0.0
    low, high = exact_bounds(share * effective, effective, tail)
    return Interval(level, low, high, BLOCKS)


def episodes(line: BlockCounts) -> Episodes:
    """Joins failing blocks with less than five quiet seconds between them."""
    gap = max(1, ceil(GAP_S * 1e9 / line.block_ns))
    failing = [block for block, failed in enumerate(line.failures) if failed]
    spans: list[list[int]] = []
    for block in failing:
        if spans and block - spans[-1][1] <= gap:
            spans[-1][1] = block
        else:
            spans.append([block, block])
    inside = sum(sum(line.attempts[begin : end + 1]) for begin, end in spans)
    longest = max((end - begin + 1 for begin, end in spans), default=0)
    return Episodes(len(spans), longest * line.block_ns / 1e9, sum(line.attempts) - inside)


def episode_bounds(count: int, level: float = LEVEL) -> tuple[float, float]:
    """Exact Poisson bounds of how many episodes there could have been in such a time."""
    from scipy.special import gammaincinv  # noqa: PLC0415 - as above

    tail = (1.0 - level) / 2.0
    low = float(gammaincinv(count, tail)) if count else 0.0
    return low, float(gammaincinv(count + 1, 1.0 - tail))


def _stretches(line: BlockCounts) -> list[tuple[int, int]]:
    """Failures and attempts of up to forty equal stretches of time that had attempts."""
    width = max(1, ceil(len(line.attempts) / STRETCHES))
    sums = (
        (sum(line.failures[begin : begin + width]), sum(line.attempts[begin : begin + width]))
        for begin in range(0, len(line.attempts), width)
    )
    return [(failed, size) for failed, size in sums if size]
