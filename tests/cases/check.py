"""What differs between an answer and what is known of the case."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.cases.case import Asked, Case

INVALID = 4


def differences(case: Case, asked: Asked) -> Iterator[str]:
    """Each difference as a sentence; none: the answer is right."""
    summary, words = asked.summary, " ".join(asked.report.split())
    lists = likely_lists(summary)
    named = {one["id"] for each in lists for one in each}
    first = lists[0][0]["id"] if lists[0] else None
    # A machine that is too slow to measure it says so: that is no wrong answer.
    slow = asked.exit == INVALID and "generator" in " ".join(summary["validity"]["reasons"])
    if asked.exit not in case.exits and not slow:
        yield f"exit {asked.exit}, not one of {case.exits}"
    if case.share and not case.share[0] <= summary["failures"]["share"] <= case.share[1]:
        yield f"the share is {summary['failures']['share']}, planted was {case.share}"
    if case.likely and first not in case.likely:
        yield f"the first likely cause is {first}, not one of {case.likely}"
    for pattern in case.say:
        if not re.search(pattern, words, re.IGNORECASE):
            yield f"it does not say /{pattern}/"
    for pattern in case.never:
        is_id = re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", pattern)
        if pattern in named if is_id else re.search(pattern, words, re.IGNORECASE):
            yield f"it says {pattern}"


def likely_lists(summary: dict[str, Any]) -> list[list[dict[str, str]]]:
    """The likely root causes of each cause; else of the failures without one."""
    causes = [one["likely"] for one in summary["causes"]]
    return causes or [summary["unexplained"]["likely"]]
