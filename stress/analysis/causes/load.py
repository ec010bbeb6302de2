"""Configuration or capacity: does the failing share follow the load that we offer?

Only *randomised* rates can tell. With a ramp, whatever breaks late in the run is blamed on load; a
deploy in the middle of a ramp fooled it in every simulated run. So each rate must have been offered
more than once, and then the elasticity d ln(share) / d ln(rate) is the power of the rate that
leaves no order in the shares. Its interval holds all powers after which the shares could have come
in any order: it leans on nothing but the randomisation, so it holds for bursts as well, and where
nothing at all fails below a limit. Together with whether one place holds the failures it gives one
of four answers.

Failures that a rush leaves behind count as its own: see `stress.analysis.recording`.

Imported late: it needs numpy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

import numpy as np

from stress.analysis.causes.cohorts import SEED
from stress.analysis.proportions.binomial import Floats
from stress.analysis.recording import segment_rates, with_backlog
from stress.analysis.tally import side_of
from stress.model.outcome import Side
from stress.model.plan import Load
from stress.model.run import Cube

FEWEST_SEGMENTS = 8
FEWEST_LEVELS = 3
"""Rates that were offered at least twice."""
FEWEST_FAILURES = 8
DEPENDENT = 0.5
INDEPENDENT = 0.75
CONCENTRATED = 0.5
"""A cause that holds at least this share of the failures."""
STEEPEST = 30.0
"""An elasticity beyond this is a wall: its figure means nothing."""
TAIL = 0.025
ORDERS = 4_000
"""Random orders of the rates; the interval's ends are known to about 0.003 of a probability."""
_STEPS = 40


class LoadShape(StrEnum):
    """Whether the failing share follows the offered load."""

    INDEPENDENT = "independent"
    DEPENDENT = "dependent"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class LoadSegment:
    """A stretch with one offered rate."""

    rate: float
    """Attempts due a second."""
    attempts: int
    failures: int


@dataclass(frozen=True, slots=True)
class Elasticity:
    """By how many per cent the share grows when the rate grows by one per cent."""

    value: float
    low: float
    high: float
    segments: int
    slowest: float
    fastest: float

    @property
    def shape(self) -> LoadShape:
        """What the interval allows to say."""
        if self.low > DEPENDENT:
            return LoadShape.DEPENDENT
        if self.low > -INDEPENDENT and self.high < INDEPENDENT:
            return LoadShape.INDEPENDENT
        return LoadShape.UNDECIDED


def segments(load: Load, cube: Cube) -> tuple[LoadSegment, ...]:
    """Attempts and failures of each load segment, with what it left behind."""
    rates = segment_rates(load, cube)
    counts = {segment: [0, 0] for segment in rates}
    varied = _came_back(list(rates.values()))
    for cell in (with_backlog(cube) if varied else cube).cells:
        side = side_of(cell.outcome)
        if side in {Side.NOBODY, Side.TARGET}:
            counts[cell.segment][0] += cell.count
            counts[cell.segment][1] += cell.count if side is Side.TARGET else 0
    return tuple(
        LoadSegment(rates[segment], attempts, failures)
        for segment, (attempts, failures) in counts.items()
        if attempts and rates[segment] > 0.0
    )


def _came_back(rates: Sequence[float]) -> bool:
    """Whether enough rates were offered again after others; in a ramp or a staircase none is."""
    levels = [level for level, _ in groupby(float(f"{rate:.2g}") for rate in rates)]
    again = [level for level, times in Counter(levels).items() if times > 1]
    return len(rates) >= FEWEST_SEGMENTS and len(again) >= FEWEST_LEVELS


def elasticity(stretches: Sequence[LoadSegment]) -> Elasticity | None:
    """Estimates it; None when too few segments, rates or failures were seen."""
    rates = [one.rate for one in stretches]
    failures = sum(one.failures for one in stretches)
    if failures < FEWEST_FAILURES or failures == sum(one.attempts for one in stretches):
        return None
    if not _came_back(rates):
        return None
    orders = _Orders(rates, [one.failures / one.attempts for one in stretches])
    value = _crossing(lambda power: orders.lean(power) > 0.0, -STEEPEST, STEEPEST)
    return Elasticity(
        value,
        _crossing(lambda power: orders.steeper(power) <= TAIL, -STEEPEST, value),
        _crossing(lambda power: orders.flatter(power) > TAIL, value, STEEPEST),
        len(stretches),
        min(rates),
        max(rates),
    )


class _Orders:
    """The shares as they came, against the same shares in random orders of the rates."""

    def __init__(self, rates: Sequence[float], shares: Sequence[float]) -> None:
        logs = np.log(rates)
        self._logs: Floats = logs - logs.mean()
        self._shares = np.asarray(shares, dtype=np.float64)
        random = np.random.default_rng(SEED)
        self._orders = random.permuted(np.tile(self._logs, (ORDERS, 1)), axis=1)

    def _left(self, power: float) -> Floats:
        """The shares without their growth with this power of the rate, summing to 1."""
        left = self._shares * np.exp(-power * self._logs)
        return np.asarray(left / left.sum(), dtype=np.float64)

    def lean(self, power: float) -> float:
        """Above 0: even so, the shares still grow with the rate."""
        return float(self._logs @ self._left(power))

    def steeper(self, power: float) -> float:
        """How likely a random order leans at least as far towards the high rates."""
        left = self._left(power)
        leaning = int(np.count_nonzero(self._orders @ left >= self._logs @ left - 1e-12))
        return (leaning + 1) / (ORDERS + 1)

    def flatter(self, power: float) -> float:
        """How likely a random order leans at least as far towards the low rates."""
        left = self._left(power)
        leaning = int(np.count_nonzero(self._orders @ left <= self._logs @ left + 1e-12))
        return (leaning + 1) / (ORDERS + 1)


def _crossing(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Where it ceases to hold; one of the ends where it never or always does."""
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if holds(middle) else (low, middle)
    return (low + high) / 2.0


def verdict(found: Elasticity | None, *, concentrated: bool) -> str:
    """The two-by-two of load and place, as a sentence; empty when the load was not varied."""
    if found is None:
        return ""
    figures = (
        f"{_figures(found)}, "
        f"{found.segments} stretches of {found.slowest:,.0f} to {found.fastest:,.0f}/s"
    )
    if found.shape is LoadShape.UNDECIDED:
        return f"Whether the failing share follows the load is not decided ({figures}): {_MORE}."
    depends = found.shape is LoadShape.DEPENDENT
    head = f"The failing share {'grows with' if depends else 'does not depend on'} the load"
    return f"{head} ({figures}): {_KINDS[depends, concentrated]}."


def _figures(found: Elasticity) -> str:
    """The elasticity; of a wall, below which nothing fails, only that it is steep."""
    if found.value < STEEPEST - 1.0:
        return f"elasticity {found.value:.2f}, 95% {found.low:.2f} to {found.high:.2f}"
    return f"elasticity over {min(found.low, STEEPEST - 1.0):.1f}, 95%"


_MORE = "vary it for longer"
_KINDS = {
    (False, True): "a fault of configuration there, not of capacity",
    (False, False): "no fault of capacity, and no one place; ask from a second network",
    (True, True): "that member is too small, or a limit applies to it",
    (True, False): "the shared tier is at its capacity (or this machine is: look at the lag)",
}
