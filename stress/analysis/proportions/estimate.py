"""Chooses the interval of the failing share that this run deserves.

A planned end gets the exact interval; a run that was stopped, the one that is valid at any
stopping time, over the attempts that were all resolved; clustered failures, the one that counts
stretches of time. Where two apply, the wider bounds of both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from stress.analysis.proportions.binomial import clopper_pearson
from stress.analysis.proportions.clusters import (
    CLUSTERED,
    FEW_EPISODES,
    Episodes,
    Timeline,
    closed_prefix,
    design_effect,
    episodes,
    korn_graubard,
    timeline,
)
from stress.analysis.proportions.sequence import confidence_sequence
from stress.model.outcome import Category
from stress.model.run import Cube, End
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
    whole = timeline(cube.cells, cube.block_ns)
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


def clean_s(line: Timeline) -> float:
    """Seconds from the last block with a failure to the end of the last block."""
    last = max((block for block, failed in enumerate(line.failures) if failed), default=-1)
    return (len(line.failures) - 1 - last) * line.block_ns / 1e9


def _interval(line: Timeline, end: End) -> Interval:
    failures, attempts = line.totals
    planned = end is End.COMPLETED
    return (clopper_pearson if planned else confidence_sequence)(failures, attempts)


def _cut_off(cube: Cube) -> int:
    return sum(cell.count for cell in cube.cells if cell.outcome == Category.CANCELLED)


def _before(line: Timeline, cut: int | None) -> Timeline:
    """The blocks whose attempts are all resolved."""
    return Timeline(line.attempts[:cut], line.failures[:cut], line.block_ns)


def _whatever(line: Timeline, unresolved: int) -> Interval:
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
