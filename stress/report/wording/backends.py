"""Words the servers behind one address: by whom they were named, and how many are known."""

from __future__ import annotations

from stress.model.run import JoinedLog
from stress.text.numbers import milliseconds, of, seconds, thousands

SHOWN = 3
"""Files that are named."""


def joined_sentences(result: JoinedLog) -> tuple[str, str]:
    """How many attempts were found in a balancer's log, and how far its clock is from ours."""
    attempts = result.joined + result.ambiguous + result.unmatched
    by = "by time alone, so this is a suggestion" if result.by_time else "by client port and time"
    more = len(result.files) - SHOWN
    names = ", ".join(result.files[:SHOWN]) + (f" and {more} more" if more > 0 else "")
    offset_ns, side = abs(result.offset_ns), "ahead of" if result.offset_ns >= 0 else "behind"
    offset = f"{milliseconds(offset_ns / 1e3)} ms" if offset_ns < 1e9 else seconds(offset_ns / 1e9)
    found = (
        f"Backends: {of(result.joined, attempts)} attempts that connected were found "
        f"in {names} ({result.format}), {by}; "
        f"{thousands(result.ambiguous)} ambiguous, {thousands(result.unmatched)} not in it"
    )
    clocks = (
        f"The balancer's clock was {offset} {side} ours; "
        f"95% of the lines are within {milliseconds(result.spread_ns / 1e3)} ms of that."
    )
    return found, clocks
