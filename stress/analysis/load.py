"""Configuration or capacity: does the failing share follow the load that we offer?

Only *randomised* rates can tell. With a ramp, whatever breaks late in the run is blamed on load; a
deploy in the middle of a ramp fooled it in every simulated run. Over rate segments in random order
the elasticity d ln(share) / d ln(rate) is estimated by Poisson regression, with a standard error
that allows for clustering (sandwich, HC2). Together with whether one place holds the failures it
gives one of four answers.

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import stdtrit

from stress.analysis.recording import segment_rates
from stress.analysis.tails import Floats
from stress.analysis.tally import side_of
from stress.model.outcome import Side
from stress.model.plan import Load
from stress.model.run import Cube

FEWEST_SEGMENTS = 8
FEWEST_LEVELS = 3
FEWEST_FAILURES = 8
DEPENDENT = 0.5
INDEPENDENT = 0.75
CONCENTRATED = 0.5
"""A cause that holds at least this share of the failures."""
_STEPS = 50


class LoadShape(StrEnum):
    """Whether the failing share follows the offered load."""

    INDEPENDENT = "independent"
    DEPENDENT = "dependent"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Segment:
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


def segments(load: Load, cube: Cube) -> tuple[Segment, ...]:
    """Attempts and failures in each load segment."""
    cells, rates = cube.cells, segment_rates(load, cube)
    counts = {segment: [0, 0] for segment in rates}
    for cell in cells:
        side = side_of(cell.outcome)
        if side in {Side.NOBODY, Side.TARGET}:
            counts[cell.segment][0] += cell.count
            counts[cell.segment][1] += cell.count if side is Side.TARGET else 0
    return tuple(
        Segment(rates[segment], attempts, failures)
        for segment, (attempts, failures) in counts.items()
        if attempts and rates[segment] > 0.0
    )


def elasticity(stretches: Sequence[Segment]) -> Elasticity | None:
    """Estimates it; None when too few segments, rates or failures were seen."""
    levels = {float(f"{one.rate:.2g}") for one in stretches}
    failures = sum(one.failures for one in stretches)
    if len(stretches) < FEWEST_SEGMENTS or len(levels) < FEWEST_LEVELS:
        return None
    if failures < FEWEST_FAILURES or failures == sum(one.attempts for one in stretches):
        return None
    value, error = _regression(stretches)
    reach = float(stdtrit(len(stretches) - 2, 0.975)) * error
    rates = [one.rate for one in stretches]
    return Elasticity(value, value - reach, value + reach, len(stretches), min(rates), max(rates))


def _regression(stretches: Sequence[Segment]) -> tuple[float, float]:
    """Slope and standard error of ln E(failures) = ln attempts + a + b ln rate."""
    attempts = np.asarray([one.attempts for one in stretches], dtype=np.float64)
    failures = np.asarray([one.failures for one in stretches], dtype=np.float64)
    logs = np.log([one.rate for one in stretches])
    design = np.column_stack((np.ones(len(logs)), logs - logs.mean()))
    beta = np.asarray([np.log(failures.sum() / attempts.sum()), 0.0])
    for _ in range(_STEPS):
        expected = attempts * np.exp((design @ beta).clip(-60.0, 10.0))
        curvature = design.T @ (design * expected[:, None]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, design.T @ (failures - expected))
        beta = beta + step.clip(-2.0, 2.0)
        if np.abs(step).max() < 1e-9:
            break
    return float(beta[1]), _error(design, attempts * np.exp(design @ beta), failures)


def _error(design: Floats, expected: Floats, failures: Floats) -> float:
    """The larger of the sandwich (HC2) and the model's standard error of the slope."""
    bread = np.linalg.inv(design.T @ (design * expected[:, None]) + 1e-9 * np.eye(2))
    leverage = np.einsum("ij,jk,ik->i", design, bread, design) * expected
    residuals = (failures - expected) ** 2 / (1.0 - leverage).clip(0.05)
    meat = design.T @ (design * residuals[:, None])
    sandwich = bread @ meat @ bread
    return float(np.sqrt(max(sandwich[1, 1], bread[1, 1])))


def verdict(found: Elasticity | None, *, concentrated: bool) -> str:
    """The two-by-two of load and place, as a sentence; empty when the load was not varied."""
    if found is None:
        return ""
    figures = (
        f"elasticity {found.value:.2f}, 95 % {found.low:.2f} to {found.high:.2f}, "
        f"{found.segments} stretches of {found.slowest:,.0f} to {found.fastest:,.0f}/s"
    )
    if found.shape is LoadShape.UNDECIDED:
        return f"Whether the failing share follows the load is not decided ({figures}): {_MORE}."
    depends = found.shape is LoadShape.DEPENDENT
    head = f"The failing share {'grows with' if depends else 'does not depend on'} the load"
    return f"{head} ({figures}): {_KINDS[depends, concentrated]}."


_MORE = "vary it for longer"
_KINDS = {
    (False, True): "a fault of configuration there, not of capacity",
    (False, False): "no fault of capacity, and no one place; ask from a second network",
    (True, True): "that member is too small, or a limit applies to it",
    (True, False): "the shared tier is at its capacity (or this machine is: look at the lag)",
}
