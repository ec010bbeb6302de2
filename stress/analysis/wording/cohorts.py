"""Cohorts in words: "at 10.0.3.7:443 with TLSv1.2", and how much fails there and elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from stress.analysis.causes.changes import Instant, Shape, rhythm
from stress.analysis.causes.isolation import Isolation, Meaning, Slice
from stress.analysis.causes.ports import PortFinding, Structure
from stress.analysis.dimensions import Dimension
from stress.analysis.recording import Recording
from stress.text.numbers import counted, of, percent, seconds, thousands

_NAMES = {
    Dimension.LABEL: Dimension.ADDRESS,
    Dimension.FAMILY: Dimension.ADDRESS,
    Dimension.SNI: Dimension.CLIENT,
    Dimension.LEAF: Dimension.CHAIN,
    Dimension.ISSUER: Dimension.CHAIN,
    Dimension.TIME: Dimension.RATE,
}
"""Dimensions that are other names of one: an alias in them adds nothing that one could doubt."""


def place(conditions: Sequence[Meaning]) -> str:
    """All conditions as one phrase."""
    return " ".join(
        _time(one.value) if one.dimension is Dimension.TIME else one.dimension.phrase(one.value)
        for one in conditions
    )


def _time(value: str) -> str:
    """`from 10:31:07 on`, `between 10:31:07 and 10:31:17`, or a list of stretches."""
    begin, dash, end = value.partition("–")  # noqa: RUF001 - as ranges are written
    if dash and "–" not in end:  # noqa: RUF001 - the same
        return f"between {begin} and {end}"
    alone = value.startswith("from ") and "," not in value
    return f"{value} on" if alone else value if value[0] in "ftu" else f"in the times {value}"


def locus_sentence(recording: Recording, isolation: Isolation, locus: Slice) -> str:
    """Where they are, how much fails there and elsewhere, since when."""
    cohort = locus.cohort
    total = isolation.failing.count
    share = "All" if cohort.failures == total else f"{thousands(cohort.failures)} of"
    other = of(cohort.all_failures - cohort.failures, cohort.all_attempts - cohort.attempts)
    peeled = cohort.all_failures < total and cohort is not isolation.loci[0].cohort
    first = (
        f"{share} {'' if share == 'All' else 'the '}{thousands(total)} are "
        f"{place(locus.conditions)}: {of(cohort.failures, cohort.attempts)} there, "
        f"{other} {'in the rest' if peeled else 'elsewhere'}"
    )
    parts = [
        first,
        *_same(locus),
        *_rated(recording, locus),
        *_hotter(locus),
        *_course(recording, locus),
        *_doubts(locus),
    ]
    return f"{'; '.join(parts)}."


def _same(locus: Slice) -> list[str]:
    """Another place that holds the very same handshakes, unless it is only another name of it."""
    named = {_NAMES.get(one.dimension, one.dimension) for one in locus.conditions}
    for way in locus.aliases:
        if {_NAMES.get(one.dimension, one.dimension) for one in way} <= named:
            continue
        if not set(way) & set(locus.conditions):
            return [f"these are also all those {place(way)}, so it may as well be that"]
        own, other = (
            place([one for one in these if one not in those])
            for these, those in ((locus.conditions, way), (way, locus.conditions))
        )
        return [f"there, {own} and {other} mean the same handshakes"]
    return []


def _rated(recording: Recording, locus: Slice) -> list[str]:
    """What to know of a rate: what counts with it, and that a search proves less than chance."""
    if all(one.dimension is not Dimension.RATE for one in locus.conditions):
        return []
    return [
        *(["what was asked before it had recovered counts with it"] if recording.owed else []),
        *([_BY_SEARCH] if recording.facts.limits else []),
    ]


_BY_SEARCH = "the search chose the loads, not chance: a change in time could look the same"


def _hotter(locus: Slice) -> list[str]:
    return [
        f"worst {place(conditions)}: {of(cohort.failures, cohort.attempts)}"
        for conditions, cohort in locus.hot[:1]
    ]


def _course(recording: Recording, locus: Slice) -> list[str]:
    """When it began or ended, unless the conditions already say so; how often bursts come."""
    if any(one.dimension is Dimension.TIME for one in locus.conditions):
        beat = rhythm(locus.course)
        return [f"about every {seconds(beat * recording.block_ns / 1e9)}"] if beat else []
    said = course_words(recording, locus.course.shape, locus.onset, len(locus.course.hot))
    return [said] if said else []


def course_words(recording: Recording, shape: Shape, changed: Instant | None, windows: int) -> str:
    """What happened over time; empty for a constant share."""
    if shape is Shape.BURSTS:
        return f"in {windows} bursts"
    if shape is Shape.WINDOW:
        return "in one stretch of the run only"
    if changed is None:
        return ""
    word = "began" if shape is Shape.BEGAN else "ended"
    return f"it {word} {recording.moment(changed.best)}{_give_or_take(recording, changed)}"


def _give_or_take(recording: Recording, changed: Instant) -> str:
    """The wider side of the interval, at least one block."""
    blocks = max(changed.best - changed.low, changed.high - changed.best, 1)
    return f" ± {seconds(blocks * recording.block_ns / 1e9)}"


def _doubts(locus: Slice) -> list[str]:
    """Rivals, and a finding that happened only once."""
    if not locus.rivals:
        return []
    return [f"nearly as well explained by: {place(locus.rivals[0])}"]


def port_sentence(found: PortFinding, failures: int, rest: int, attempts: int) -> str:
    """Which local ports fail."""
    if found.structure is Structure.REPEATS:
        return f"The {thousands(failures)} come back with the local port: {found.text}."
    whole = found.failures == failures
    which = (
        f"All {thousands(failures)}"
        if whole
        else (f"{thousands(found.failures)} of the {thousands(failures)}")
    )
    return (
        f"{which} are from local ports with "
        f"{found.text}: {of(found.failures, found.attempts)} there, "
        f"{of(rest, attempts - found.attempts)} elsewhere."
    )


def alone_sentence(
    recording: Recording, isolation: Isolation, chain: str, counts: tuple[int, int], turn: str
) -> str:
    """The mechanism by itself: the chain decides, and nothing else tells the connections apart.

    Args:
        recording: the run.
        isolation: what was looked at.
        chain: the chain's short name.
        counts: failures that are told here, and attempts which got the chain.
        turn: the sentence about failures that come in turn; empty when they do not.
    """
    (failures, met), count = counts, isolation.failing.count
    if failures < count:
        return f"{thousands(failures)} more of the {thousands(count)} got chain {chain} elsewhere."
    first = f"All {thousands(count)} got chain {chain}" if count > 1 else f"It got chain {chain}"
    said = course_words(
        recording, isolation.course.shape, isolation.onset, len(isolation.course.hot)
    )
    always = "every handshake that got it failed" if met == count else f"it failed {of(count, met)}"
    else_ = turn or "Nothing else that is recorded tells them apart"
    return f"{first}; {always}. {else_}{f'; {said}' if said else ''}."


def alike(failures: int) -> str:
    """Nothing that is recorded differs at all: say what that leaves."""
    return (
        f"Nothing recorded differs between {counted(failures, 'failing handshake')} and the good "
        "ones (one address, one client, one version): it is decided behind that address."
    )


def no_finding(failures: int, considered: int, hypotheses: int) -> str:
    """What would have been seen, when nothing explains the failures."""
    from math import ceil, log  # noqa: PLC0415 - the one formula here

    def needed(share: float) -> int:
        return ceil(log(max(1, hypotheses) / 0.05) / -log(share))

    if failures < 3:
        few = "is" if failures == 1 else "are"
        return f"{counted(failures, 'failure')} {few} too few to say what is common to them."
    if not considered:
        return f"{counted(failures, 'failure')} of several kinds, too few of each to compare."
    return (
        f"No group of up to 3 attributes explains {thousands(failures)} failures "
        f"({thousands(considered)} looked at, {percent(0.05)} error in all). One with 1/16 of the "
        f"traffic and all failures would have shown at {max(3, needed(1 / 16))} failures, one with "
        f"half of it at {max(3, needed(0.5))}. What is not recorded cannot be seen."
    )
