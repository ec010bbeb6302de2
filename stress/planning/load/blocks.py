"""Randomised rates (`--rate-blocks`): does the failing share follow the load that is offered?

Only rates in random order can tell: with a ramp, whatever breaks late in the run is blamed on load.
Every repeat has each level once, in an order of its own, so that a slow change of the target falls
on all levels alike.
"""

from __future__ import annotations

from random import Random

from stress.errors import UsageError
from stress.model.plan import Segment
from stress.planning.units import show_duration

LEVELS = (0.25, 0.5, 0.75, 1.0, 1.25)
"""Of the rate that was asked for."""
REPEATS = 8
STRETCH_S = 10.0
SHORTEST_S = 4.0
"""A stretch needs whole seconds of its own to be counted in."""
FEWEST_REPEATS = 2


def rate_blocks(rate: float, duration_s: float | None, seed: int) -> tuple[Segment, ...]:
    """The stretches of a run that varies its rate at random.

    Args:
        rate: that was asked for; the stretches offer 25 to 125 % of it.
        duration_s: of all stretches together; None: 5 levels, 8 repeats, 10 s each.
        seed: of the order.

    Raises:
        UsageError: the duration is too short to tell anything.
    """
    repeats = _repeats(duration_s)
    seconds = STRETCH_S if duration_s is None else duration_s / (repeats * len(LEVELS))
    random = Random(seed)  # noqa: S311 - an order, no secret
    rounds = (random.sample(LEVELS, len(LEVELS)) for _ in range(repeats))
    return tuple(Segment(rate * level, seconds) for one in rounds for level in one)


def _repeats(duration_s: float | None) -> int:
    if duration_s is None:
        return REPEATS
    shortest = FEWEST_REPEATS * len(LEVELS) * SHORTEST_S
    if duration_s < shortest:
        raise UsageError(
            f"--rate-blocks: {show_duration(duration_s)} is too short for {len(LEVELS)} rates"
            f" in {FEWEST_REPEATS} rounds",
            f"Give --duration {show_duration(shortest)} or more, or leave it out.",
        )
    by_time = int(duration_s / (len(LEVELS) * SHORTEST_S))
    return max(min(by_time, REPEATS), round(duration_s / (len(LEVELS) * STRETCH_S)))
