"""Good beside failing: the chains with what is missing or other, and connections event by event.

The good chain is the one that most good attempts met. Certificates are paired by their bytes
first, then in the order sent, so that a replaced intermediate stands beside the one it replaced.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import zip_longest

from stress.analysis.chains import difference, reference
from stress.analysis.tally import RunCounts
from stress.evidence.folder import certificate_lines, refusals
from stress.evidence.selection import cases
from stress.evidence.tls_decode import ConnectionEvent, events, stage_words
from stress.model.chain import Verdict
from stress.model.plan import Plan
from stress.model.run import SeenChain
from stress.model.summary import Cause
from stress.model.transcript import Transcript
from stress.trust.reading.certificate import describe

MOST_PAIRS = 4
"""Failing chains that are shown beside the good one; the most frequent ones."""
_MOST_CERTIFICATES = 12


class Difference(StrEnum):
    """What is odd about a row of two certificates."""

    SAME = "the same"
    OTHER = "differs"
    MISSING = "missing"
    EXTRA = "only here"
    MOVED = "another place"
    ALONE = ""
    """There is no good chain to compare with."""


@dataclass(frozen=True, slots=True)
class CertificateCard:
    """One certificate."""

    position: int
    """In the order sent, from 1."""
    title: str
    facts: Mapping[str, str]
    """By their labels."""
    differs: Collection[str]
    """Labels under which the certificate beside it says something else."""


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """Two certificates side by side; None: none was sent there."""

    good: CertificateCard | None
    bad: CertificateCard | None
    mark: Difference


@dataclass(frozen=True, slots=True)
class ChainPair:
    """A failing chain beside the good one."""

    good: SeenChain | None
    bad: SeenChain
    failures: int
    differs: str
    """The difference in one sentence fragment; empty without a good chain."""
    findings: tuple[str, ...]
    """What is wrong with the failing chain, and who refuses it for that."""
    rows: tuple[CertificateRow, ...]
    left_out: int
    """Rows that are not shown, because nobody reads so many."""


def pairs(
    chains: Sequence[SeenChain], verdicts: Sequence[Verdict], tally: RunCounts
) -> tuple[ChainPair, ...]:
    """The failing chains, most failures first, each beside the good one."""
    good = reference(chains, tally.good_chains)
    if good is not None and good.id not in tally.good_chains:
        good = None
    failed = tally.failures_by_chain()
    failing = [chain for chain in chains if failed.get(chain.id) and chain is not good]
    failing.sort(key=lambda chain: (-failed[chain.id], chain.sha256))
    made = []
    for bad in failing[:MOST_PAIRS]:
        rows = tuple(_rows(good.certificates if good else None, bad.certificates))
        made.append(
            ChainPair(
                good=good,
                bad=bad,
                failures=failed[bad.id],
                differs=difference(good, bad) if good else "",
                findings=tuple(refusals(verdicts, bad.sha256)),
                rows=rows[:_MOST_CERTIFICATES],
                left_out=max(0, len(rows) - _MOST_CERTIFICATES),
            )
        )
    return tuple(made)


def _rows(good: Sequence[bytes] | None, bad: Sequence[bytes]) -> Iterator[CertificateRow]:
    if good is None:
        for place, der in enumerate(bad):
            yield CertificateRow(None, _card(place, der, None), Difference.ALONE)
        return
    # Equal certificates first; then what is left, in its order.
    left = list(range(len(bad)))
    twins: dict[int, int | None] = {}
    for place, der in enumerate(good):
        twins[place] = same = next((other for other in left if bad[other] == der), None)
        if same is not None:
            left.remove(same)
    places: list[tuple[int | None, int | None]] = [
        (place, left.pop(0) if twin is None and left else twin) for place, twin in twins.items()
    ]
    for ours, theirs in [*places, *((None, other) for other in left)]:
        first = None if ours is None else good[ours]
        second = None if theirs is None else bad[theirs]
        if first is None:
            mark = Difference.EXTRA
        elif second is None:
            mark = Difference.MISSING
        elif first != second:
            mark = Difference.OTHER
        else:
            mark = Difference.SAME if ours == theirs else Difference.MOVED
        yield CertificateRow(
            None if first is None or ours is None else _card(ours, first, second),
            None if second is None or theirs is None else _card(theirs, second, first),
            mark,
        )


def _card(place: int, der: bytes, beside: bytes | None) -> CertificateCard:
    facts = describe(der)
    lines = dict(certificate_lines(facts))
    others = lines if beside is None else dict(certificate_lines(describe(beside)))
    differs = {label for label, value in lines.items() if others.get(label) != value}
    title = facts.common_name or facts.subject or "no name"
    return CertificateCard(place + 1, title, lines, differs)


# One failing connection beside its control. Sizes of most messages vary by themselves (a signature
# is a byte longer or shorter), so only names are compared, and the size of Certificate.

MOST_TIMELINES = 3
MOST_EVENTS = 40
"""Rows of one timeline."""
_SIZE_MATTERS = frozenset({"Certificate", "CompressedCertificate"})


@dataclass(frozen=True, slots=True)
class ConnectionTimeline:
    """Both connections of a pair; None where one has nothing at this place."""

    title: str
    failing: str
    """Which attempt it was."""
    control: str | None
    """The same of the good one; None: none was kept."""
    rows: tuple[tuple[ConnectionEvent | None, ConnectionEvent | None], ...]
    left_out: int


def timelines(
    transcripts: Sequence[Transcript], causes: Sequence[Cause], plan: Plan
) -> tuple[ConnectionTimeline, ...]:
    """The first pair of each cause, and of what no cause explains."""
    shown = [case for case in cases(transcripts, causes, plan) if case.pairs][:MOST_TIMELINES]
    made = []
    for case in shown:
        pair = case.pairs[0]
        if pair.control is None:
            rows: list[tuple[ConnectionEvent | None, ConnectionEvent | None]]
            rows = [(event, None) for event in events(pair.failing)]
        else:
            rows = [
                (_marked(one, other), _marked(other, one))
                for one, other in zip_longest(events(pair.failing), events(pair.control))
            ]
        made.append(
            ConnectionTimeline(
                title=case.category,
                failing=_named(pair.failing),
                control=None if pair.control is None else _named(pair.control),
                rows=tuple(rows[:MOST_EVENTS]),
                left_out=max(0, len(rows) - MOST_EVENTS),
            )
        )
    return tuple(made)


def _named(transcript: Transcript) -> str:
    record = transcript.record
    return f"attempt {record.id} to {transcript.address}: {record.outcome}, {stage_words(record)}"


def _marked(
    event: ConnectionEvent | None, beside: ConnectionEvent | None
) -> ConnectionEvent | None:
    """The event with the lines marked that the other does not have."""
    if event is None:
        return None
    known = set(map(_essence, beside.lines)) if beside is not None else set()
    return replace(event, odd=frozenset(x for x in event.lines if _essence(x) not in known))


def _essence(line: str) -> str:
    name = line.partition(",")[0]
    return line if name in _SIZE_MATTERS else name
