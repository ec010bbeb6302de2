"""Did a report find what the lab had planted? The demo's exit code, and the lab's scorecard.

Only here can the two be compared: the lab knows what it planted and sees no report, the report
knows what was seen and no lab.

What counts as found: of n planted causes each is among the first n that the report names, in the
dimensions in which it was planted (another name of the same connections will do). Where nothing
that is recorded tells the failing connections apart, a report that blames a place is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stress.lab.scenario import Planted
from stress.model.summary import Answer, Cause, Condition, Summary

Windows = Sequence[tuple[int, int | None]]
"""When it was planted to go wrong: Unix nanoseconds; None: without end."""

_TABLED = frozenset({"stage"})
"""Dimensions that are told by the table of failures, because an ending decides them."""
_MECHANISMS = frozenset({"chain"})
_SLACK_S = 2.0
_DAY_S = 86_400
NEAR = 0.8
"""Part of a limit from which arrivals at random can exceed it for a moment."""
_PER_SECOND = re.compile(r"([\d.e+]+)/s")
_SPAN = re.compile(r"(?:(from|until) )?(\d\d):(\d\d):(\d\d)(?:\u2013(\d\d):(\d\d):(\d\d))?")


def missed(summary: Summary, planted: Planted, windows: Windows = ()) -> tuple[str, ...]:
    """What was planted and is not in the report, in words; empty: all was found.

    Args:
        summary: the report.
        planted: what was wrong with the farm.
        windows: when, where that is a matter of time (`Farm.windows_ns`).
    """
    failing = [cause for cause in summary.causes if cause.failures]
    if planted.category is None:
        clean = summary.verdict is Answer.CLEAN and not failing
        return () if clean else ("nothing was planted, something failed",)
    return tuple(_missed(summary, failing, planted, windows))


def _missed(
    summary: Summary, failing: Sequence[Cause], planted: Planted, windows: Windows
) -> Iterator[str]:
    every = (planted, *planted.also)
    first = failing[: len(every)]
    for each in every:
        assert each.category is not None
        if not summary.failures.categories.get(each.category):
            yield f"no attempt failed with {each.category}"
            continue
        mine = [cause for cause in first if cause.category == each.category]
        for dimension, value in each.dimensions:
            if not _told(summary, mine, each.category, Condition(dimension, value), windows):
                yield f"{each.category} is not traced to {dimension} {value}"
        yield from _blamed(each, mine)


def _blamed(planted: Planted, causes: Sequence[Cause]) -> Iterator[str]:
    """Places that a report names though nothing that is recorded tells them apart."""
    if {dimension for dimension, _ in planted.dimensions} <= _TABLED | _MECHANISMS:
        for cause in causes:
            for condition in cause.conditions:
                yield f"{planted.category} is blamed on {condition}"


def _told(
    summary: Summary,
    causes: Sequence[Cause],
    category: str,
    place: Condition,
    windows: Windows,
) -> bool:
    """Whether one of the first causes, or the table of failures, points at the place."""
    if place.dimension in _TABLED:
        return bool(summary.failures.stages.get(category, {}).get(place.text))
    return any(
        _is(condition, place, windows) for cause in causes for condition in _conditions(cause)
    )


def _is(condition: Condition, place: Condition, windows: Windows) -> bool:
    """Whether a condition of a report is the planted place, in the report's way to write it."""
    if condition.dimension != place.dimension:
        return False
    if place.dimension == "chain":
        return place.text.startswith(condition.text)
    if place.dimension == "time":
        return _same_time(condition.text, windows)
    if place.dimension == "rate":
        return _rate(condition.text) >= NEAR * _rate(place.text)
    # A hash of the port has many descriptions.
    return place.dimension == "local_port" or condition.value == place.value


def _rate(text: str) -> float:
    """Attempts a second in `400/s or more` or `over 400/s`; what is below a rate is none."""
    found = _PER_SECOND.search(text)
    return float(found.group(1)) if found and "less" not in text else 0.0


def _same_time(told: str, windows: Windows) -> bool:
    """Whether all stretches that are told were planted, and no planted one is left out."""
    spans = [_span(match) for match in _SPAN.finditer(told)]
    planted = [(_of_day(begin), None if end is None else _of_day(end)) for begin, end in windows]
    true = all(any(_alike(span, window) for window in planted) for span in spans)
    whole = "more" in told or all(any(_alike(s, window) for s in spans) for window in planted)
    return bool(spans) and true and whole


Span = tuple[float | None, float | None]


def _span(match: re.Match[str]) -> Span:
    word, *numbers = match.groups()
    begin, end = _seconds(numbers[:3]), _seconds(numbers[3:])
    return (None, begin) if word == "until" else (begin, end)


def _seconds(clock: Sequence[str | None]) -> float | None:
    hours, minutes, seconds = (None if each is None else int(each) for each in clock)
    if hours is None or minutes is None or seconds is None:
        return None
    return hours * 3600.0 + minutes * 60 + seconds


def _of_day(unix_ns: int) -> float:
    return unix_ns / 1e9 % _DAY_S


def _alike(told: Span, planted: Span) -> bool:
    """An end that one of the two leaves open is none to differ in."""
    return all(
        one is None or other is None or abs(one - other) <= _SLACK_S
        for one, other in zip(told, planted, strict=True)
    )


def _conditions(cause: Cause) -> Iterator[Condition]:
    if cause.mechanism is not None:
        yield cause.mechanism
    yield from cause.conditions
    for alias in cause.aliases:
        yield from alias
