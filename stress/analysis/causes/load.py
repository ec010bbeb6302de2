"""Configuration or capacity: whether the failure rate follows the load that we offer.

Only *randomised* rates can answer that. With a ramp, whatever breaks late in the run is blamed on
load; a deploy in the middle of a ramp was taken for load in every simulated run. So each rate must
have been offered more than once. Then the elasticity d ln(failure rate) / d ln(rate) is the power
of the rate that leaves no order in the failure rates (a randomisation test, inverted). Its interval
holds all powers after which the failure rates could have come in any order: it assumes nothing but
the randomisation, so it holds for bursts as well, and where nothing at all fails below a limit.
Together with whether one slice holds the failures this gives one of four answers.

Failures that an earlier, higher rate left behind count for that rate: see
`stress.analysis.recording`.

Imported late: it needs numpy.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from operator import add, attrgetter

import numpy as np

from stress.analysis.causes.cohorts import SEED
from stress.analysis.proportions.binomial import Floats
from stress.analysis.proportions.estimate import block_counts
from stress.analysis.recording import segment_rates, with_backlog
from stress.analysis.tally import counted_by
from stress.analysis.verdict import NANOSECONDS
from stress.model.claims import LoadClaim
from stress.model.plan import Arrivals, Load
from stress.model.run import Cube

FEWEST_SEGMENTS = 8
FEWEST_LEVELS = 3
"""Rates that were offered at least twice."""
FEWEST_FAILURES = 8
DEPENDENT = 0.5
"""The failure rate follows the load when the whole interval is above this."""
INDEPENDENT = 0.75
"""It does not when the interval holds 0 and is between minus and plus this."""
CONCENTRATED = 0.5
"""A slice is to blame when it holds at least this part of the failures."""
STEEPEST = 30.0
"""An elasticity beyond this is a wall: its value has no meaning."""
TAIL = 0.025
ORDERS = 4_000
"""Random orders of the rates; the interval's ends are known to about 0.003 of a probability."""
_STEPS = 40
EVEN = 0.5
"""What passes a limit varies less than this part of what chance would make of it."""


@dataclass(frozen=True, slots=True)
class LoadSegment:
    """A stretch of the run with one offered rate."""

    rate: float
    """Attempts due a second."""
    attempts: int
    failures: int


def segments(load: Load, cube: Cube) -> tuple[LoadSegment, ...]:
    """Attempts and failures of each load segment, with what it left behind."""
    rates = segment_rates(load, cube)
    cells = (with_backlog(cube) if _varied(list(rates.values())) else cube).cells
    counts = counted_by(cells, attrgetter("segment"))
    return tuple(
        LoadSegment(rate, counts[segment].attempts, counts[segment].failures)
        for segment, rate in rates.items()
        if segment in counts and rate > 0.0
    )


def _varied(rates: Sequence[float]) -> bool:
    """Whether enough rates were offered again after others; in a ramp or a staircase none is."""
    levels = [level for level, _ in groupby(float(f"{rate:.2g}") for rate in rates)]
    again = [level for level, times in Counter(levels).items() if times > 1]
    return len(rates) >= FEWEST_SEGMENTS and len(again) >= FEWEST_LEVELS


def follows_load(stretches: Sequence[LoadSegment]) -> LoadClaim | None:
    """Whether the failure rate follows the load; None with too few segments, rates or failures."""
    rates = [one.rate for one in stretches]
    failures = sum(one.failures for one in stretches)
    everything = sum(one.attempts for one in stretches)
    if not FEWEST_FAILURES <= failures < everything or not _varied(rates):
        return None
    logs: Floats = np.log(rates)
    logs = logs - logs.mean()
    shares = np.asarray([one.failures / one.attempts for one in stretches], dtype=np.float64)
    random = np.random.default_rng(SEED)
    orders = random.permuted(np.tile(logs, (ORDERS, 1)), axis=1)

    def left(power: float) -> Floats:
        """The failure rates without their growth with this power of the rate, summing to 1."""
        rest = shares * np.exp(-power * logs)
        return np.asarray(rest / rest.sum(), dtype=np.float64)

    def tail(power: float, sign: float) -> float:
        """How likely a random order leans at least as far, up (+1) or down (-1), as the real one.

        The slack keeps orders that only differ by rounding from counting as smaller.
        """
        rest = left(power)
        leaning = int(np.count_nonzero(sign * (orders @ rest) >= sign * (logs @ rest) - 1e-12))
        return (leaning + 1) / (ORDERS + 1)

    value = _crossing(lambda power: float(logs @ left(power)) > 0.0, -STEEPEST, STEEPEST)
    low = _crossing(lambda power: tail(power, 1.0) <= TAIL, -STEEPEST, value)
    high = _crossing(lambda power: tail(power, -1.0) > TAIL, value, STEEPEST)
    # An interval without 0 is a sign of load, however narrow it is.
    independent = False if -INDEPENDENT < low <= 0.0 <= high < INDEPENDENT else None
    wall = value >= STEEPEST - 1.0
    return LoadClaim(
        dependent=low > DEPENDENT or independent,
        elasticity=None if wall else value,
        low=min(low, STEEPEST - 1.0) if wall else low,
        high=high,
        segments=len(stretches),
        slowest=min(rates),
        fastest=max(rates),
    )


def _crossing(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Where it ceases to hold; one of the ends where it never or always does."""
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if holds(middle) else (low, middle)
    return (low + high) / 2.0


def passing_rate(load: Load, cube: Cube) -> float | None:
    """What a limit lets through, in attempts a second; None: nothing shows that there is one.

    At one offered rate the arrivals still vary from second to second. Behind a limit every further
    arrival fails: what passes stays the same, and the failure rate follows the arrivals.
    """
    arrivals, failures, seconds_each = _windows(load, cube)
    passed = arrivals - failures
    if not passed.sum() or passed.var() > EVEN * min(passed.mean(), arrivals.var()):
        return None
    if not _follow(arrivals, failures):
        return None
    return float(passed.mean()) / seconds_each


def follow_arrivals(load: Load, cube: Cube) -> bool:
    """Whether more fails in seconds in which chance made us offer more."""
    arrivals, failures, _ = _windows(load, cube)
    return _follow(arrivals, failures)


def _windows(load: Load, cube: Cube) -> tuple[Floats, Floats, float]:
    """Arrivals and failures by second while failures lasted, and how long each of them is.

    Seconds are longer where connections are held for longer. None without one random rate.
    """
    width = max(1, ceil(max(1.0, load.hold_s) * NANOSECONDS / cube.block_ns))
    line = block_counts(cube.cells, cube.block_ns)
    counts: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    for block, both in enumerate(zip(line.failures, line.attempts, strict=True)):
        if both[1]:
            counts[block // width] = [*map(add, counts[block // width], both)]
    failing = [window for window, (failures_there, _) in counts.items() if failures_there]
    # The first and the last window are cut short, or before a limit was reached.
    inside = range(min(failing, default=0) + 1, max(failing, default=0))
    steady = load.rate is not None and len(load.segments) <= 1
    if not steady or load.arrivals is not Arrivals.POISSON:
        inside = range(0)
    whole = [counts[window] for window in inside if window in counts]
    arrivals: Floats = np.asarray([tried for _, tried in whole], dtype=np.float64)
    failures: Floats = np.asarray([failed for failed, _ in whole], dtype=np.float64)
    return arrivals, failures, width * cube.block_ns / NANOSECONDS


def _follow(arrivals: Floats, failures: Floats) -> bool:
    """Whether the same failure rates in any other order would follow the arrivals less."""
    if len(arrivals) < FEWEST_SEGMENTS or not failures.sum():
        return False
    random, apart = np.random.default_rng(SEED), arrivals - arrivals.mean()
    orders = random.permuted(np.tile(failures / arrivals, (ORDERS, 1)), axis=1)
    leaning = int(np.count_nonzero(orders @ apart >= failures / arrivals @ apart - 1e-12))
    return (leaning + 1) / (ORDERS + 1) <= TAIL
