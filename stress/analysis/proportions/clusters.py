"""What clustered failures are worth: design effect, Korn-Graubard interval, episodes.

Four thousand failures in three bursts are three observations. Over equal stretches of time the
variance of the failing share is compared with what independent handshakes would have; the ratio is
the design effect, and the exact interval is made for as many handshakes as there really are
(Korn and Graubard 1998). With fewer than about ten episodes nothing on the level of handshakes is
honest, and the episodes themselves are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from stress.analysis.proportions.binomial import LEVEL, exact_bounds
from stress.analysis.tally import side_of
from stress.model.outcome import Category, Side
from stress.model.run import Cell
from stress.model.summary import Interval

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
class Timeline:
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


def timeline(cells: Iterable[Cell], block_ns: int) -> Timeline:
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
    return Timeline(
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


def design_effect(line: Timeline) -> float:
    """How many times the variance is what independent handshakes would have; at least 1."""
    stretches = _stretches(line)
    failures, attempts = line.totals
    if len(stretches) < FEWEST_STRETCHES or not failures or failures == attempts:
        return 1.0
    share, count = failures / attempts, len(stretches)
    spread = sum((failed - share * size) ** 2 for failed, size in stretches)
    variance = count / (count - 1) * spread / attempts**2
    return max(1.0, variance / (share * (1.0 - share) / attempts))


def korn_graubard(line: Timeline, level: float = LEVEL) -> Interval:
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


def episodes(line: Timeline) -> Episodes:
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


def _stretches(line: Timeline) -> list[tuple[int, int]]:
    """Failures and attempts of up to forty equal stretches of time that had attempts."""
    width = max(1, ceil(len(line.attempts) / STRETCHES))
    sums = (
        (sum(line.failures[begin : begin + width]), sum(line.attempts[begin : begin + width]))
        for begin in range(0, len(line.attempts), width)
    )
    return [(failed, size) for failed, size in sums if size]
