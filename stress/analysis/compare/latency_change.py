"""Whether a percentile of latency changed between two runs, by resampling whole blocks of time.

A block bootstrap: slow handshakes come in clusters, so that the interval from resampling single
handshakes covers the truth in one of three cases only. Blocks may be resampled.

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
RELEVANT = 0.1
"""An increase must be at least this part of the old value to count as worse (`--tolerance`)."""
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
    tolerance: float = RELEVANT

    @property
    def worse(self) -> bool:
        """Surely slower, and by enough to matter."""
        return self.low_us > 0.0 and self.low_us >= self.tolerance * self.before_us

    @property
    def sentence(self) -> str:
        """The change in milliseconds."""
        return (
            f"p{self.percentile:g} of {self.phase.value}: {self.after_us / 1000:,.2f} ms, before "
            f"{self.before_us / 1000:,.2f} ms (difference {self.low_us / 1000:+,.2f} to "
            f"{self.high_us / 1000:+,.2f} ms)."
        )


def latency_changes(
    before: Sequence[HistogramRow], after: Sequence[HistogramRow], tolerance: float = RELEVANT
) -> tuple[LatencyChange, ...]:
    """The changes of all compared percentiles; none where the blocks or handshakes are too few."""
    changes: list[LatencyChange] = []
    for phase in PHASES:
        runs = [
            [
                Histogram.decode(row.hdr)
                for row in sorted(rows, key=lambda row: row.block)
                if row.phase is phase and row.good and row.block != WHOLE_RUN
            ]
            for rows in (before, after)
        ]
        fewest = min(sum(block.count for block in blocks) for blocks in runs)
        if min(len(blocks) for blocks in runs) < FEWEST_BLOCKS:
            continue
        matrices = list(map(_matrix, runs))
        for percentile in PERCENTILES:
            if fewest < FEWEST_ABOVE / (1.0 - percentile / 100.0):
                continue
            random = np.random.default_rng(SEED)
            (one, old), (two, new) = (_resampled(*each, percentile, random) for each in matrices)
            low, high = np.quantile(two - one, (0.025, 0.975))
            changes.append(
                LatencyChange(phase, percentile, old, new, float(low), float(high), tolerance)
            )
    return tuple(changes)


def _matrix(blocks: Sequence[Histogram]) -> tuple[Floats, Floats]:
    """What each block counts below each edge of a bucket, and these edges in microseconds."""
    bins = [list(block.bins()) for block in blocks]
    edges = sorted({one.high_us for block in bins for one in block})
    places = {edge: place for place, edge in enumerate(edges)}
    counts = np.zeros((len(blocks), len(edges)))
    for row, block in enumerate(bins):
        for one in block:
            counts[row, places[one.high_us]] += one.count
    return counts, np.asarray(edges, dtype=np.float64)


def _resampled(
    counts: Floats, values: Floats, percentile: float, random: np.random.Generator
) -> tuple[Floats, float]:
    """The percentile of resampled runs, and of the run as it was."""
    size = len(counts)
    draws = random.multinomial(size, np.full(size, 1.0 / size), size=DRAWS)
    drawn = values[_place(draws @ counts, percentile)]
    whole = values[_place(counts.sum(axis=0, keepdims=True), percentile)]
    return drawn, float(whole[0])


def _place(counts: Floats, percentile: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Bin of the percentile in each row of counts."""
    sums = np.cumsum(counts, axis=1)
    wanted = sums[:, -1:] * percentile / 100.0
    return np.asarray((sums < wanted).sum(axis=1).clip(max=counts.shape[1] - 1), dtype=np.int64)
