"""Tells a limit that was searched for: in a sentence, as an assertion, and when it is not one."""

from __future__ import annotations

from stress.analysis.limit.trial import SLOW, SLOW_ANSWER, SLOW_CONNECT
from stress.model.limit import Limit
from stress.model.summary import Assertion
from stress.text.numbers import thousands

_LATE = {
    SLOW: "slow",
    SLOW_CONNECT: "slow-connect (connections stood late)",
    SLOW_ANSWER: "slow-answer (the ClientHello was answered late)",
}


def sentence(limit: Limit) -> str:
    """The answer to "how much can it take?", in words."""
    told = _answer(limit)
    return f"{limit.of}: {told[0].lower()}{told[1:]}" if limit.of else told


def _answer(limit: Limit) -> str:
    gave_way = _LATE.get(limit.gave_way, limit.gave_way)
    if limit.sustained is None:
        return (
            f"No {limit.knob} was found at which {limit.goal} holds: down to"
            f" {_load(limit, limit.first_failing)} it did not; what gave way: {gave_way}."
        )
    held = f"Sustained {_load(limit, limit.sustained)} with {limit.goal}"
    if limit.first_failing is None:
        return f"{held}, the highest {limit.knob} that was tried{_unless_confirmed(limit)}."
    failing = _load(limit, limit.first_failing)
    if limit.generator_limited:
        return f"{held}; at {failing} this machine itself was at its limit."
    return (
        f"{held}, first failing {failing}{_unless_confirmed(limit)}{_interval(limit)};"
        f" what gave way first: {gave_way}."
    )


def assertion(limit: Limit) -> Assertion:
    """Whether the search ended with a limit of the target; its value is what was sustained."""
    if limit.sustained is None:
        holds = "no"
    else:
        holds = "yes" if limit.confirmed and not limit.generator_limited else "unknown"
    of = f" ({limit.of})" if limit.of else ""
    return Assertion(f"find-limit {limit.goal}{of}", holds, limit.sustained)


def doubt(limit: Limit) -> str | None:
    """Why the answer says nothing about the target; None when it does."""
    if not limit.generator_limited:
        return None
    of = f" ({limit.of})" if limit.of else ""
    return (
        f"generator limited: at {_load(limit, limit.first_failing)}{of} this machine could not keep"
        " up, so that nothing is known of the target from there on; use more processes or another"
        " machine"
    )


def _interval(limit: Limit) -> str:
    """Between which loads the limit surely lies; empty when no step was long enough to say."""
    bounds = [
        f"{word} {_load(limit, bound)}"
        for word, bound in (("above", limit.low), ("below", limit.high))
        if bound is not None
    ]
    return f", surely {' and '.join(bounds)} (95%)" if bounds else ""


def _unless_confirmed(limit: Limit) -> str:
    return "" if limit.confirmed else " (not confirmed)"


def _load(limit: Limit, load: float | None) -> str:
    if load is None:
        return f"no {limit.knob}"
    return f"{thousands(round(load))}{limit.knob.unit}"
