"""Writes what differs or is slow while nothing fails."""

from __future__ import annotations

from collections.abc import Sequence

from stress.model.attributes import listed, place
from stress.model.claims import Claim
from stress.model.summary import INCONSISTENCY, Cause
from stress.text.numbers import of
from stress.text.templates import read_texts


def negotiated(claim: Claim) -> str:
    """Which answers one client was given, how often each, and where the odd ones are."""
    answers = [
        f"{value} in {of(count, claim.total.attempts)}" for value, count in claim.values.items()
    ]
    where = f"; the odd ones are {place(claim.conditions)}" if claim.conditions else ""
    text: str = read_texts(__package__, "words.toml")["negotiated"][claim.category]
    refused = of(claim.total.failures, claim.total.attempts)
    return f"{text.format(answers=listed(answers), refused=refused)}{where}."


def unasked(causes: Sequence[Cause]) -> tuple[str, str]:
    """What is wrong although no handshake failed, and what to do about it; each may be empty.

    Two valid chains are not: only the list of causes has them.
    """
    told = [
        one
        for one in causes
        if one.kind == INCONSISTENCY and one.mechanism and one.mechanism.dimension != "chain"
    ]
    fixes = dict.fromkeys(one.fix for one in told if one.fix)
    return " ".join(one.sentence for one in told), " ".join(fixes)
