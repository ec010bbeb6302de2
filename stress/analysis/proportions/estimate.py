"""The failure rate of a run, with the interval that the run supports.

Which interval is valid depends on how the run ended and on how its failures came:

* A planned end gets the exact interval; a run that was stopped, the one that is valid at any
  stopping time.
* Attempts that were cut off are the slow ones, and the slow ones are those that would have failed.
  So only the blocks before the first cut-off count; where these hold too little of the run, the
  interval covers every way in which the missing attempts could have ended.
* Clustered failures are worth less than independent ones (`stress.analysis.proportions.clusters`).
  With fewer than about ten episodes no statement per handshake says much, and the episodes
  themselves are counted; with fewer than three the interval is wide because of that.

This one interval is shown, and goals, assertions and `--until` are answered by it.

Imported late: it needs scipy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil

from stress.analysis.proportions.clusters import FEW, Effective, effective
from stress.analysis.proportions.sequence import confidence_sequence
from stress.analysis.tally import by_block
from stress.model.outcome import Category, Side, side_of
from stress.model.run import Cell, Cells, Cube, End
from stress.model.summary import Interval

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
