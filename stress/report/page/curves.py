"""Latency as curves: which duration is not exceeded by how many of the attempts.

The axis is that of HdrHistogram's percentile plots: the distance between 90 %, 99 % and 99.9 % is
the same, because what hurts is in the tail. A curve ends where its data ends: of 1,000 values
nothing can be said about 99.99 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10

from stress.analysis.latency import whole_run
from stress.measure import Histogram
from stress.model.run import HistogramRow, Phase

SHOWN = (Phase.CONNECT, Phase.SERVER, Phase.HANDSHAKE, Phase.TOTAL)
"""The phases that have a panel; our own lag stands in each."""
_POINTS = 160
_SHORTEST_MS = 0.001


@dataclass(frozen=True, slots=True)
class Curve:
    """One distribution: `nines` is -log10 of the share that takes longer (1 is 90 %)."""

    count: int
    nines: tuple[float, ...]
    milliseconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One phase: good and failing attempts apart, and what this machine added. None: no data."""

    phase: Phase
    good: Curve | None
    failing: Curve | None
    lag: Curve | None


def panels(rows: Sequence[HistogramRow]) -> tuple[Panel, ...]:
    """A panel for each phase in which something was measured."""
    lag = curve(whole_run(rows, Phase.LAG))
    made = (
        Panel(
            phase,
            curve(whole_run(rows, phase)),
            curve(whole_run(rows, phase, good=False)),
            lag,
        )
        for phase in SHOWN
    )
    return tuple(panel for panel in made if panel.good or panel.failing)


def curve(histogram: Histogram | None) -> Curve | None:
    """The distribution in even steps of nines; None when nothing was recorded."""
    if histogram is None or not histogram.count:
        return None
    longest = log10(histogram.count)
    nines = [longest * step / _POINTS for step in range(_POINTS + 1)]
    percents = [100.0 * (1.0 - 10.0**-each) for each in nines]
    values = [*histogram.percentiles(percents), histogram.max]
    durations = [max(_SHORTEST_MS, (value or 0.0) / 1000.0) for value in values]
    return Curve(histogram.count, (*nines, longest), tuple(durations))
