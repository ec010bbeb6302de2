"""Whether a percentile moved between two runs, by resampling whole blocks of time.

Slow handshakes come in clusters, so single handshakes must not be resampled (that interval covers
the truth in one of three cases); blocks may.

Imported late: it needs numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stress.analysis.latency import WHOLE_RUN
from stress.analysis.proportions.binomial import Floats
from stress.measure import Histogram
from stress.model.run import HistogramRow, Phase

PHASES = (Phase.SERVER, Phase.HANDSHAKE)
PERCENTILES = (50.0, 99.0)
FEWEST_BLOCKS = 8
DRAWS = 400
SEED = 20260102
RELEVANT = 0.05
"""A shift must be at least this part of the old value to count as worse."""
FEWEST_ABOVE = 10
"""Handshakes that have to lie above a percentile for it to be compared."""


@dataclass(frozen=True, slots=True)
class LatencyChange:
    """A percentile before and after, with a 95% interval of the difference, in microseconds."""

    phase: Phase
    percentile: float
    before_us: float
    after_us: float
    low_us: float
    high_us: float

    @property
    def worse(self) -> bool:
        """Surely slower, and by enough to matter."""
        return self.low_us > 0.0 and self.low_us >= RELEVANT * self.before_us

    @property
    def sentence(self) -> str:
        """The shift in milliseconds."""
        return (
            f"p{self.percentile:g} of {self.phase.value}: {self.after_us / 1000:,.2f} ms, before "
            f"{self.before_us / 1000:,.2f} ms (difference {self.low_us / 1000:+,.2f} to "
            f"{self.high_us / 1000:+,.2f} ms)."
        )


def latency_changes(
    before: Sequence[HistogramRow], after: Sequence[HistogramRow]
) -> tuple[LatencyChange, ...]:
    """The shifts of all compared percentiles; none where the blocks are too few."""
    found = (
        _shift(_blocks(before, phase), _blocks(after, phase), phase, percentile)
        for phase in PHASES
        for percentile in PERCENTILES
    )
    return tuple(shift for shift in found if shift is not None)


def _blocks(rows: Sequence[HistogramRow], phase: Phase) -> list[Histogram]:
    ordered = sorted(
        (row for row in rows if row.phase is phase and row.good and row.block != WHOLE_RUN),
        key=lambda row: row.block,
    )
    return [Histogram.decode(row.hdr) for row in ordered]


def _shift(
    before: Sequence[Histogram], after: Sequence[Histogram], phase: Phase, percentile: float
) -> LatencyChange | None:
    if min(len(before), len(after)) < FEWEST_BLOCKS:
        return None
    wanted = FEWEST_ABOVE / (1.0 - percentile / 100.0)
    if min(sum(one.count for one in blocks) for blocks in (before, after)) < wanted:
        return None
    random = np.random.default_rng(SEED)
    one, old = _resampled(before, percentile, random)
    two, new = _resampled(after, percentile, random)
    low, high = np.quantile(two - one, (0.025, 0.975))
    return LatencyChange(phase, percentile, old, new, float(low), float(high))


def _resampled(
    blocks: Sequence[Histogram], percentile: float, random: np.random.Generator
) -> tuple[Floats, float]:
    """The percentile of resampled runs, and of the run as it was."""
    bins = [list(block.bins()) for block in blocks]
    edges = sorted({one.high_us for block in bins for one in block})
    places = {edge: place for place, edge in enumerate(edges)}
    counts = np.zeros((len(blocks), len(edges)))
    for row, block in enumerate(bins):
        for one in block:
            counts[row, places[one.high_us]] += one.count
    draws = random.multinomial(len(blocks), np.full(len(blocks), 1.0 / len(blocks)), size=DRAWS)
    values = np.asarray(edges, dtype=np.float64)
    drawn = values[_place(draws @ counts, percentile)]
    whole = values[_place(counts.sum(axis=0, keepdims=True), percentile)]
    return drawn, float(whole[0])


def _place(counts: Floats, percentile: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Bin of the percentile in each row of counts."""
    sums = np.cumsum(counts, axis=1)
    wanted = sums[:, -1:] * percentile / 100.0
    return np.asarray((sums < wanted).sum(axis=1).clip(max=counts.shape[1] - 1), dtype=np.int64)
