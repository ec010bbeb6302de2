"""The verdict on a run, and whether the run may be believed."""

from __future__ import annotations

from collections.abc import Sequence

from stress.analysis.limit.limit_text import doubt
from stress.analysis.tally import RunCounts
from stress.model.run import End, RunFacts
from stress.model.summary import Answer, Assertion, Validity
from stress.text.numbers import counted, thousands

LOCAL_SHARE = 0.05
"""Local failures above this share of the attempts, with no failure of the target: invalid."""


def validity(facts: RunFacts, tally: RunCounts, *seen: str | None) -> Validity:
    """May the run be believed; the reasons, the decisive ones first.

    Args:
        facts: of the run.
        tally: what became of its attempts.
        seen: further notes for the reader, made elsewhere; None: nothing to tell.
    """
    fatal = _fatal(facts, tally)
    notes = (*facts.reasons, *filter(None, seen), *_notes(facts, tally))
    return Validity(not fatal, tuple(dict.fromkeys((*fatal, *notes))))


def verdict(
    facts: RunFacts, tally: RunCounts, judged: Validity, assertions: Sequence[Assertion] = ()
) -> Answer:
    """The answer; where several fit, in the order interrupted, invalid, failing, inconclusive.

    With goals, they alone decide between failing, inconclusive and clean.
    """
    if facts.end is End.INTERRUPTED:
        return Answer.INTERRUPTED
    if not judged.valid:
        return Answer.INVALID
    if assertions:
        return _by_goals(assertions)
    if tally.failures:
        return Answer.FAILING
    # A run that is still going on, or died, has not shown that nothing fails.
    return Answer.INCONCLUSIVE if facts.end is End.UNFINISHED else Answer.CLEAN


def goal_words(assertions: Sequence[Assertion]) -> str:
    """Which goals were refuted, which are not known, which hold; empty without any."""
    words = {"no": "Refuted", "unknown": "Not known", "yes": "Holds"}
    told = (
        (word, [one.expression for one in assertions if one.holds == holds])
        for holds, word in words.items()
    )
    return " ".join(f"{word}: {', '.join(those)}." for word, those in told if those)


def _by_goals(assertions: Sequence[Assertion]) -> Answer:
    answers = {assertion.holds for assertion in assertions}
    if "no" in answers:
        return Answer.FAILING
    return Answer.INCONCLUSIVE if "unknown" in answers else Answer.CLEAN


def _fatal(facts: RunFacts, tally: RunCounts) -> list[str]:
    """Why the measurement says nothing about the target; empty when it does say something."""
    reasons = [doubted for doubted in map(doubt, facts.limits) if doubted is not None]
    if facts.invalid:
        reasons.extend(facts.reasons or ("the run was marked invalid while it was recorded",))
    tried = tally.attempts + tally.local
    if tried and not tally.failures and tally.local > LOCAL_SHARE * tried:
        reasons.append(
            f"{thousands(tally.local)} of {thousands(tried)} attempts failed on this machine "
            f"({_listed(tally)}), none at the target"
        )
    elif not tally.attempts:
        reasons.append(_nothing(tally))
    return reasons


def _nothing(tally: RunCounts) -> str:
    if tally.not_sent:
        return f"no handshake was attempted: {thousands(tally.not_sent)} were due but never sent"
    if tally.cancelled:
        return (
            f"no handshake ended: {thousands(tally.cancelled)} were cut off by the end of the run"
        )
    return "no handshake was attempted"


def _notes(facts: RunFacts, tally: RunCounts) -> list[str]:
    """What a reader should know though the run is valid."""
    notes: list[str] = []
    if facts.plan.replay is not None:
        notes.append(
            f"a replay of {facts.plan.replay.run}: half of the combinations were chosen because "
            "they had failed, so that the share is not the target's"
        )
    if facts.end is End.UNFINISHED:
        notes.append("the file has no end mark: the run is still going on, or it died")
    lost = facts.started - facts.recorded
    if lost > 0:
        notes.append(f"{counted(lost, 'attempt')} had begun and left no record")
    if tally.cancelled:
        notes.append(
            f"{counted(tally.cancelled, 'attempt')} unresolved: cut off by the end of the run"
        )
    if tally.local and tally.attempts:
        notes.append(
            f"{counted(tally.local, 'attempt')} failed on this machine ({_listed(tally)}), "
            "not counted"
        )
    if tally.not_sent:
        notes.append(f"{counted(tally.not_sent, 'attempt')} due but not sent")
    return notes


def _listed(tally: RunCounts) -> str:
    names = [name for name in tally.ours if name != "cancelled"]
    return ", ".join(f"{name} {thousands(tally.ours[name])}" for name in names)
