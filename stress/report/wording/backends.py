"""Words the servers behind one address: by whom they were named, and how many are known."""

from __future__ import annotations

from stress.model.run import JoinedLog
from stress.text.numbers import milliseconds, of, thousands


def joined_sentences(result: JoinedLog) -> tuple[str, str]:
    """How many attempts were found in a balancer's log, and how far its clock is from ours."""
    attempts = result.joined + result.ambiguous + result.unmatched
    by = "by time alone, so this is a suggestion" if result.by_time else "by client port and time"
    side = "ahead of" if result.offset_ns >= 0 else "behind"
    found = (
        f"Backends: {of(result.joined, attempts)} attempts were found in "
        f"{', '.join(result.files[:3])} ({result.format}), {by}; "
        f"{thousands(result.ambiguous)} ambiguous, {thousands(result.unmatched)} not in it"
    )
    clocks = (
        f"The balancer's clock was {milliseconds(abs(result.offset_ns) / 1000)} ms {side} ours; "
        f"95% of the lines are within {milliseconds(result.spread_ns / 1000)} ms of that."
    )
    return found, clocks
