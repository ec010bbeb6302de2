"""Writes conditions as one phrase, such as "at 192.0.2.7:443 with TLS 1.2"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from stress.model.attributes import Dimension


class Place(Protocol):
    """A condition, of the summary or of the search."""

    @property
    def dimension(self) -> str: ...
    @property
    def value(self) -> str | tuple[str, str]: ...


def place(conditions: Iterable[Place]) -> str:
    """All conditions as one phrase."""
    return " ".join(_phrase(condition) for condition in conditions)


def _phrase(condition: Place) -> str:
    dimension, value = str(condition.dimension), condition.value
    words = _range(dimension, value) if isinstance(value, tuple) else _single(dimension, value)
    return f"not {words}" if getattr(condition, "op", "is") == "is not" else words


def _range(dimension: str, ends: tuple[str, str]) -> str:
    span = f"between {ends[0]} and {ends[1]}"
    return span if dimension == "time" else f"with {dimension} {span}"


def _single(dimension: str, value: str) -> str:
    if dimension == Dimension.TIME:
        # `from 10:31:07`, `until 10:31:07`, or a list of stretches.
        if value.startswith("from ") and "," not in value:
            return f"{value} on"
        return value if value[0] in "ftu" else f"in the times {value}"
    known = dimension in set(Dimension)
    return Dimension(dimension).phrase(value) if known else f"{dimension} = {value}"
