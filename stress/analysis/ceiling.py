"""Tells a limit that was searched for: in a sentence, as an assertion, and when it is not one."""

from __future__ import annotations

from stress.analysis.numbers import thousands
from stress.model.limit import Limit
from stress.model.summary import Assertion


def sentence(limit: Limit) -> str:
    """The answer to "how much can it take?", in words."""
    if limit.sustained is None:
        return (
            f"No rate was found at which {limit.goal} holds: down to"
            f" {_rate(limit.first_failing)} it did not; what gave way: {limit.gave_way}."
        )
    held = f"Sustained {_rate(limit.sustained)} with {limit.goal}"
    if limit.first_failing is None:
        return f"{held}, the highest rate that was tried{_unless_confirmed(limit)}."
    if limit.generator_limited:
        return f"{held}; at {_rate(limit.first_failing)} this machine itself was at its limit."
    return (
        f"{held}, first failing {_rate(limit.first_failing)}"
        f"{_unless_confirmed(limit)}; what gave way first: {limit.gave_way}."
    )


def assertion(limit: Limit) -> Assertion:
    """Whether the search ended with a limit of the target; its value is the sustained rate."""
    if limit.sustained is None:
        holds = "no"
    else:
        holds = "yes" if limit.confirmed and not limit.generator_limited else "unknown"
    return Assertion(f"find-limit {limit.goal}", holds, limit.sustained)


def doubt(limit: Limit | None) -> str | None:
    """Why the answer says nothing about the target; None when it does."""
    if limit is None or not limit.generator_limited:
        return None
    return (
        f"generator limited: at {_rate(limit.first_failing)} this machine could not keep the rate,"
        " so the target's limit lies above it; use more processes or another machine"
    )


def _unless_confirmed(limit: Limit) -> str:
    return "" if limit.confirmed else " (not confirmed)"


def _rate(rate: float | None) -> str:
    return "no rate" if rate is None else f"{thousands(round(rate))}/s"
