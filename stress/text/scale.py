"""Values that lie on a scale: versions (`17.2`, `iOS 17.2.1`) and numbers, or ranges of these.

Of such values a range means something; of names (`node-07`, `192.0.2.7`) it does not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

FEWEST_VERSIONS, FEWEST_NUMBERS = 2, 3
"""Values that make a range. Whole numbers may be mere names, so two neighbours may be chance."""
TO = " to "
"""Between the ends of a range of numbers that is one value."""
_NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_RANGE = re.compile(rf"(?P<low>{_NUMBER}){TO}(?P<high>{_NUMBER})")
_VERSION = re.compile(r"(?P<kind>|[A-Za-z][\w .-]*?[ /v])(?P<numbers>\d+(?:\.\d+)*)", re.ASCII)
_ADDRESS = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}", re.ASCII)
_DECIMAL = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Scale:
    """How the values of a column are ordered."""

    kinds: tuple[str, ...]
    """By value: what stands before its numbers, such as `iOS `; a range is of one kind."""
    fewest: int
    """Values that make a range."""


class _Place(NamedTuple):
    """A value on its scale."""

    kind: str
    numbers: tuple[float, ...]
    dotted: bool


def scale(values: Sequence[str]) -> Scale | None:
    """The scale on which all of these values lie; None: some are names."""
    places = _places(values)
    if places is None:
        return None
    dotted = any(one.dotted for one in places)
    fewest = FEWEST_VERSIONS if dotted else FEWEST_NUMBERS
    return Scale(tuple(one.kind for one in places), fewest)


def in_order(values: Collection[str]) -> tuple[str, ...]:
    """Distinct values in the order of their scale, names in that of the alphabet."""
    ordered = sorted(values)
    places = _places(ordered)
    if places is not None:
        ordered = [value for _, value in sorted(zip(places, ordered, strict=True))]
    return tuple(ordered)


def ends(low: str, high: str) -> tuple[str, str]:
    """The ends of a range between two values, which may be ranges themselves."""
    first, last = _RANGE.fullmatch(low), _RANGE.fullmatch(high)
    return first["low"] if first else low, last["high"] if last else high


def _places(values: Sequence[str]) -> list[_Place] | None:
    """Where each value lies; None: some are names, or all are addresses."""
    if not values or max(map(len, values)) > _LONGEST or all(map(_ADDRESS.fullmatch, values)):
        return None
    numbers = [_DECIMAL.fullmatch(value) for value in values]
    ranges = [_RANGE.fullmatch(value) for value in values]
    if any(ranges) and all(one or two for one, two in zip(ranges, numbers, strict=True)):
        return [_Place("", (float(value.partition(TO)[0]),), dotted=True) for value in values]
    # 0.05 is a number and 1.10 a version, unless others beside it show otherwise.
    parts = [part for value in values for part in value.split(".")[1:]]
    if all(numbers) and (
        any(len(one) > 1 and one.startswith("0") for one in parts)
        or any(value.startswith("-") for value in values)
    ):
        return [_Place("", (float(value),), dotted="." in value) for value in values]
    places = []
    for value in values:
        found = _VERSION.fullmatch(value)
        if found is None:
            return None
        dotted = "." in found["numbers"]
        places.append(_Place(found["kind"], tuple(map(float, found["numbers"].split("."))), dotted))
    return places
