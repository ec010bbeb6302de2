"""Failures that come back: every n-th connection, or every so many seconds.

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, gcd, pi

import numpy as np
from scipy.special import bdtrc

from stress.analysis.proportions.clusters import Timeline

LEVEL = 0.01
LARGEST_CYCLE = 512
FEWEST = 8
"""Failures below which nothing periodic is claimed."""
PERIODS = 3000
FEWEST_TURNS = 4
"""A period must fit at least so often into the run."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """Failing connections sit at one place of a cycle of start indices (round robin)."""

    length: int
    hits: int
    of: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Period:
    """Failures come back after a fixed time."""

    seconds: float
    p_value: float


def round_robin(starts: Sequence[int], share: float, workers: int = 1) -> Cycle | None:
    """The shortest cycle of start indices in which the failures share a place.

    Needs one generator and little concurrency, so that the order of our starts is the order at the
    balancer; else it finds nothing.

    Args:
        starts: start indices of the failing attempts.
        share: the failing share; a cycle shorter than it allows is not looked for.
        workers: how many processes shared the start indices. Worker w has those that leave w when
            divided by their number, so a cycle with a common factor would show our own workers.
    """
    if len(starts) < FEWEST or share >= 0.5:
        return None
    indices = np.asarray(starts, dtype=np.int64)
    best: Cycle | None = None
    tried = LARGEST_CYCLE - 1
    for length in range(2, LARGEST_CYCLE + 1):
        if gcd(length, workers) > 1:
            continue
        hits = int(np.bincount(indices % length).max())
        p = float(bdtrc(hits - 1, len(indices), 1.0 / length)) * length * tried
        if p <= LEVEL and (best is None or p < best.p_value * 1e-3):
            best = Cycle(length, hits, len(indices), p)
    return best


def period(line: Timeline) -> Period | None:
    """The period at which failing blocks line up best (Rayleigh's test, Bonferroni)."""
    failures = np.asarray(line.failures, dtype=np.float64)
    # One burst within a block is one event.
    failing = np.flatnonzero(failures)
    span = len(line.failures)
    if len(failing) < FEWEST or span < 4 * FEWEST_TURNS:
        return None
    frequencies = np.linspace(FEWEST_TURNS / span, 0.25, PERIODS)
    turns = np.exp(2j * pi * np.outer(frequencies, failing + 0.5)).sum(axis=1)
    power = np.abs(turns) ** 2 / len(failing)
    best = int(power.argmax())
    p = min(1.0, PERIODS * exp(-float(power[best])))
    if p > LEVEL:
        return None
    return Period(1.0 / float(frequencies[best]) * line.block_ns / 1e9, p)
