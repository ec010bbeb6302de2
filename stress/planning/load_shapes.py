"""The shape of an open loop: stretches of rates, how starts are spaced, warm-up and holding.

A stretch is written `{rate = "200/s", to = "1000/s", duration = "30s"}` in a profile; as one text,
which is also how it is carried, it is `200/s to 1000/s for 30s`, or `200/s for 30s`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from stress.errors import UsageError
from stress.model.plan import Arrivals, Load, Segment
from stress.planning.request import Request
from stress.text.suggestions import chosen, printable
from stress.text.units import (
    duration_s,
    option,
    positive_duration_s,
    rate_per_s,
    show_duration,
    written,
)

_STRETCH = re.compile(r"\s*(\S+)(?:\s+to\s+(\S+))?\s+for\s+(\S+)\s*")
_KEYS = frozenset({"rate", "to", "duration"})
_HINT = 'Write {rate = "200/s", to = "1000/s", duration = "30s"}; without `to` it is constant.'


def stretch(text: str) -> Segment:
    """Read one stretch of the load.

    Raises:
        UsageError: it is none.
    """
    found = _STRETCH.fullmatch(text)
    if found is None:
        raise UsageError(f'"{printable(text)}" is no stretch of a load', _HINT)
    rate, seconds = rate_per_s(found[1]), positive_duration_s(found[3])
    to = None if found[2] is None else rate_per_s(found[2])
    if rate is None or (found[2] is not None and to is None):
        raise UsageError(f'"{printable(text)}": a stretch needs a rate', _HINT)
    return Segment(rate, seconds, to)


def stretch_words(table: Mapping[str, object]) -> str:
    """Write a profile's table as the text that `stretch` reads.

    Raises:
        UsageError: a key is unknown, missing, or no amount.
    """
    amounts = {key: value for key, value in table.items() if isinstance(value, str | int | float)}
    if set(amounts) != set(table) or set(table) - _KEYS or not {"rate", "duration"} <= set(table):
        raise UsageError(f"a stretch has {', '.join(sorted(table)) or 'no key'}", _HINT)
    to = f" to {written(amounts['to'])}" if "to" in amounts else ""
    return f"{written(amounts['rate'])}{to} for {written(amounts['duration'])}"


def stretches_of(request: Request) -> tuple[Segment, ...]:
    """Return the stretches that were asked for; none: the rate does not vary.

    Raises:
        UsageError: one is none, or another option says how much and how fast, too.
    """
    if not request.segments:
        return ()
    rivals = {
        "rate": request.rate,
        "duration": request.duration,
        "count": request.count,
        "detect": request.detect,
        "find-limit": request.find_limit,
        "rate-blocks": request.rate_blocks or None,
    }
    for name, given in rivals.items():
        if given is not None:
            raise UsageError(
                f"--{name} and `segments` both say how much is asked, and how fast",
                "Leave one of them out.",
            )
    return tuple(stretch(text) for text in request.segments)


def shaped(request: Request, load: Load) -> Load:
    """Return the load with its spacing, warm-up and holding.

    Raises:
        UsageError: one is none, or nothing bounds how many connections are held.
    """
    arrivals = option("--arrivals", lambda text: chosen(Arrivals, text), request.arrivals)
    hold_s = option("--hold", duration_s, request.hold) or 0.0
    if hold_s and load.count is None and load.rate is None:
        raise UsageError(
            "--hold: nothing bounds how many connections are held open",
            "Add --rate 100 or --count 1000.",
        )
    return replace(
        load,
        arrivals=arrivals or load.arrivals,
        warm_up_s=option("--warm-up", duration_s, request.warm_up) or 0.0,
        hold_s=hold_s,
        stop_on_refusal=bool(request.stop_on_refusal),
    )


def highest(segments: Sequence[Segment]) -> float | None:
    """Return the highest rate that stretches reach; None: there are none."""
    return max((max(each.rate, each.to or 0.0) for each in segments), default=None)


def held_open(load: Load) -> int:
    """Return how many finished connections are held open at most."""
    rate = highest(load.segments) or load.rate
    bounds = [] if load.count is None else [load.count]
    if rate is not None:
        bounds.append(math.ceil(rate * load.hold_s))
    return min(bounds, default=0) if load.hold_s else 0


# Randomised rates (`--rate-blocks`): does the failing share follow the load that is offered?
#
# Only rates in random order can tell: with a ramp, whatever breaks late in the run is blamed on
# load. Every repeat has each level once, in an order of its own, so that a slow change of the
# target falls on all levels alike.

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
        rate: that was asked for; the stretches offer 25 to 125% of it.
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
