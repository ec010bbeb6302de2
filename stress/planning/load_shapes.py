"""The shape of an open loop: segments of rates, spacing of starts, warm-up, held connections.

A segment is written `{rate = "200/s", to = "1000/s", duration = "30s"}` in a profile; as one text,
which is also how it is carried, it is `200/s to 1000/s for 30s`, or `200/s for 30s`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from stress.errors import UsageError
from stress.model.plan import Load, Segment
from stress.planning.request import Request, options
from stress.text.escape import quoted
from stress.text.units import positive_duration_s, rate_per_s, show_duration, written

_SEGMENT = re.compile(r"\s*(\S+)(?:\s+to\s+(\S+))?\s+for\s+(\S+)\s*")
_HINT = 'Write {rate = "200/s", to = "1000/s", duration = "30s"}; without `to` it is constant.'


def segment(text: str) -> Segment:
    """Read one segment of the load.

    Raises:
        UsageError: it is not a segment.
    """
    found = _SEGMENT.fullmatch(text)
    if found is None:
        raise UsageError(f'"{quoted(text)}" is not a segment of a load', _HINT)
    rate, seconds = rate_per_s(found[1]), positive_duration_s(found[3])
    to = None if found[2] is None else rate_per_s(found[2])
    if rate is None or (found[2] is not None and to is None):
        raise UsageError(f'"{quoted(text)}": a segment needs a rate', _HINT)
    return Segment(rate, seconds, to)


def segment_text(table: Mapping[str, object]) -> str:
    """Write a profile's table as the text that `segment` reads.

    Raises:
        UsageError: a key is unknown or missing, or its value is neither text nor number.
    """
    amounts = {key: value for key, value in table.items() if isinstance(value, str | int | float)}
    if len(amounts) < len(table) or not {"rate", "duration"} <= set(table) <= {
        *("rate", "to", "duration")
    }:
        raise UsageError(f"a segment has the keys {', '.join(sorted(table)) or '(none)'}", _HINT)
    to = f" to {written(amounts['to'])}" if "to" in amounts else ""
    return f"{written(amounts['rate'])}{to} for {written(amounts['duration'])}"


def segments_of(request: Request) -> tuple[Segment, ...]:
    """Return the segments that the profile sets; none: the rate does not vary.

    Raises:
        UsageError: one is not a segment, or another option sets amount or rate, too.
    """
    rivals = ("rate", "duration", "count", "detect", "find_limit", "rate_blocks")
    for field in rivals if request.segments else ():
        if field in request.given():
            raise UsageError(
                f"{options()[field].shown} and `segments` both set amount and rate of the load",
                "Remove one of them.",
            )
    return request.values("segments", Segment)


def shaped(request: Request, load: Load) -> Load:
    """Return the load with its spacing, warm-up and held connections.

    Raises:
        UsageError: one cannot be read, or nothing bounds how many connections are held.
    """
    load = replace(load, **request.part("load"))
    if load.hold_s and load.count is None and load.rate is None:
        raise UsageError(
            "--hold: nothing bounds the number of connections held open",
            "Add --rate 100 or --count 1000.",
        )
    return load


def highest(segments: Sequence[Segment]) -> float | None:
    """Return the highest rate of the segments; None: there are none."""
    return max((max(each.rate, each.to or 0.0) for each in segments), default=None)


def held_open(load: Load) -> int:
    """Return the most connections that are held open after their handshake."""
    rate = highest(load.segments) or load.rate
    bounds = [] if load.count is None else [load.count]
    if rate is not None:
        bounds.append(math.ceil(rate * load.hold_s))
    return min(bounds, default=0) if load.hold_s else 0


# Randomised rates (`--rate-blocks`): does the failure rate follow the offered load?
#
# Only rates in random order can show that: with a ramp, whatever breaks late in the run is blamed
# on load. Every round has each level once, in an order of its own, so that a slow change of the
# target affects all levels alike.

LEVELS = (0.25, 0.5, 0.75, 1.0, 1.25)
"""Fractions of the requested rate."""
ROUNDS = 8
SEGMENT_S = 10.0
SHORTEST_S = 4.0
"""A segment needs whole seconds of its own to be counted in."""
FEWEST_ROUNDS = 2


def rate_blocks(rate: float | None, duration_s: float | None, seed: int) -> tuple[Segment, ...]:
    """Return the segments of a run that varies its rate at random.

    Args:
        rate: as requested; the segments offer 25 to 125% of it.
        duration_s: of all segments together; None: 5 levels, 8 rounds, 10 s each.
        seed: of the order.

    Raises:
        UsageError: there is no rate, or the duration is too short to show anything.
    """
    if rate is None:
        raise UsageError("--rate-blocks: no rate is given to vary", "Add --rate 200.")
    rounds, seconds = ROUNDS, SEGMENT_S
    if duration_s is not None:
        shortest = FEWEST_ROUNDS * len(LEVELS) * SHORTEST_S
        if duration_s < shortest:
            raise UsageError(
                f"--rate-blocks: {show_duration(duration_s)} is too short for {len(LEVELS)} rates"
                f" in {FEWEST_ROUNDS} rounds",
                f"Give --duration {show_duration(shortest)} or more, or remove it.",
            )
        fitting = int(duration_s / (len(LEVELS) * SHORTEST_S))
        rounds = max(min(fitting, ROUNDS), round(duration_s / (len(LEVELS) * SEGMENT_S)))
        seconds = duration_s / (rounds * len(LEVELS))
    random = Random(seed)  # noqa: S311 - an order, no secret
    orders = [random.sample(LEVELS, len(LEVELS)) for _ in range(rounds)]
    return tuple(Segment(rate * level, seconds) for order in orders for level in order)
