"""Writes what a search for a limit found."""

from __future__ import annotations

from stress.analysis.limit.trial import SLOW, SLOW_ANSWER, SLOW_CONNECT
from stress.model.limit import Limit
from stress.text.numbers import thousands

_LATE = {
    SLOW: "latency",
    SLOW_CONNECT: "slow-connect (TCP connections opened late)",
    SLOW_ANSWER: "slow-answer (the ClientHello was answered late)",
}


def limit_sentence(limit: Limit) -> str:
    """The answer to "how much can it take?"."""
    answer = _answer(limit)
    return f"{limit.of}: {answer[0].lower()}{answer[1:]}" if limit.of else answer


def _answer(limit: Limit) -> str:
    factor = _LATE.get(limit.gave_way, limit.gave_way)
    if limit.sustained is None:
        return (
            f"No {limit.knob} was found at which {limit.goal} holds: it fails even at"
            f" {_load(limit, limit.first_failing)}; limiting factor: {factor}."
        )
    held = f"Sustained {_load(limit, limit.sustained)} with {limit.goal}"
    confirmed = "" if limit.confirmed else " (not confirmed)"
    if limit.first_failing is None:
        return f"{held}, the highest {limit.knob} that was tried{confirmed}."
    failing = _load(limit, limit.first_failing)
    if limit.generator_limited:
        return f"{held}; generator-limited at {failing}."
    bounds = [
        f"{word} {_load(limit, bound)}"
        for word, bound in (("above", limit.low), ("below", limit.high))
        if bound is not None
    ]
    interval = f", {' and '.join(bounds)} with 95% confidence" if bounds else ""
    return f"{held}, first failing {failing}{confirmed}{interval}; limiting factor: {factor}."


def generator_limited(limit: Limit) -> str:
    """Why the answer says nothing about the target."""
    of = f" ({limit.of})" if limit.of else ""
    return (
        f"generator-limited at {_load(limit, limit.first_failing)}{of}: nothing is known about the"
        " target from there on; use more processes or another machine"
    )


def _load(limit: Limit, load: float | None) -> str:
    if load is None:
        return f"no {limit.knob}"
    return f"{thousands(round(load))}{limit.knob.unit}"
