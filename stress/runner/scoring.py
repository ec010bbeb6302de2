"""Compares a report with what the lab had planted, for the demo and the lab's scorecard.

Of n planted causes each must be among the first n in the report, in the dimensions in which it was
planted; another name of the same connections will do. Where no recorded dimension separates the
failing connections, a report that blames one is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stress.lab.scenarios import Planted
from stress.model.attributes import Dimension
from stress.model.summary import LATENCY, Answer, Cause, Condition, Summary

Windows = Sequence[tuple[int, int | None]]
"""When something was planted to go wrong: Unix nanoseconds; None: without end."""
Span = tuple[float | None, float | None]
"""Begin and end as seconds of a day; None: open."""

_SLACK_S = 2.0
_DAY_S = 86_400
NEAR = 0.8
"""Part of a limit from which on random arrivals can exceed it for a moment."""
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
        if any(cause.kind == LATENCY for cause in summary.causes):
            return ("nothing was planted, but something is called slow",)
        clean = summary.verdict is Answer.CLEAN and not failing
        return () if clean else ("nothing was planted, but something failed",)
    every = (planted, *planted.also)
    first = failing[: len(every)]
    return tuple(line for each in every for line in _missed(summary, first, each, windows))


def _missed(
    summary: Summary, first: Sequence[Cause], planted: Planted, windows: Windows
) -> Iterator[str]:
    category = planted.category
    assert category is not None
    failed = bool(summary.failures.categories.get(category))
    if not failed and category not in {cause.category for cause in summary.causes}:
        yield f"no attempt failed with {category}"
        return
    if not failed:  # what differs or is slow, fails nowhere
        first = [cause for cause in summary.causes if not cause.failures]
    causes = [cause for cause in first if cause.category == category]
    reported: list[Condition] = []
    for cause in causes:
        reported += [cause.mechanism] if cause.mechanism is not None else []
        reported += [*cause.conditions, *(one for alias in cause.aliases for one in alias)]
    likely = [one.likely for one in causes] or [summary.unexplained.likely]
    named = not planted.likely or planted.likely in {one.id for each in likely for one in each}
    if not named:
        yield f"{category} is not called {planted.likely}"
    lines = summary.lines
    if planted.says not in f"{lines.verdict} {lines.where} {lines.asked}":
        yield f'the report does not say "{planted.says}"'
    stages = summary.failures.stages.get(category, {})
    # A lockout says itself since when it lasts, where no cause does.
    since = {"time"} if not causes and planted.likely and named else set()
    for dimension, value in planted.dimensions:
        # The outcome decides the stage, so no cause has it.
        found = bool(stages.get(value)) if dimension == "stage" else dimension in since
        if not found and not any(_matches(each, dimension, value, windows) for each in reported):
            yield f"{category} is not traced to {dimension} {value}"
    if {dimension for dimension, _ in planted.dimensions} <= {"stage", "chain"}:
        # Behind which server it is may be told, and decides nothing else.
        blamed = {one for cause in causes for one in cause.conditions}
        for condition in blamed - {one for one in blamed if one.dimension == Dimension.BACKEND}:
            yield f"{category} is blamed on {condition}"


def _matches(reported: Condition, dimension: str, value: str, windows: Windows) -> bool:
    """Whether a condition of a report is the planted one, as the report writes it."""
    if reported.dimension != dimension:
        return False
    if dimension == "chain":
        return value.startswith(reported.text)
    if dimension == "time":
        return _same_time(reported.text, windows)
    if dimension == "rate":
        return _rate(reported.text) >= NEAR * _rate(value)
    # A hash of the port has many descriptions.
    return dimension == "local_port" or reported.text == value


def _rate(text: str) -> float:
    """The rate in `400/s or more` or `over 400/s`; 0 for what is below a rate."""
    found = _PER_SECOND.search(text)
    return float(found.group(1)) if found and "less" not in text else 0.0


def _same_time(reported: str, windows: Windows) -> bool:
    """Whether all reported spans were planted, and no planted one is left out."""
    spans: list[Span] = []
    for word, *clock in _SPAN.findall(reported):
        begin, end = (
            int(hours) * 3600.0 + int(minutes) * 60 + int(seconds) if hours else None
            for hours, minutes, seconds in (clock[:3], clock[3:])
        )
        spans.append((None, begin) if word == "until" else (begin, end))
    planted: list[Span] = [
        (begin / 1e9 % _DAY_S, None if end is None else end / 1e9 % _DAY_S)
        for begin, end in windows
    ]
    true = all(any(_alike(span, window) for window in planted) for span in spans)
    complete = "more" in reported or all(
        any(_alike(s, window) for s in spans) for window in planted
    )
    return bool(spans) and true and complete


def _alike(one: Span, other: Span) -> bool:
    """Whether two spans have the same begin and end; an open one matches any."""
    return all(
        a is None or b is None or abs(a - b) <= _SLACK_S for a, b in zip(one, other, strict=True)
    )
