"""Selects what is shown: for each cause its failing connections, each with a matched control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stress.codes.names import NAMES
from stress.model.outcome import Stage
from stress.model.plan import Plan
from stress.model.summary import Cause, Condition
from stress.model.transcript import EvidenceRole, Transcript

MOST_PAIRS: Final = 5
"""Failing connections shown for one cause."""
FAILURE: Final = "failure"
_MINUTE_NS: Final = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Pair:
    """A failing connection and its control: a good one close in place and time, if there is one."""

    failing: Transcript
    control: Transcript | None


@dataclass(frozen=True, slots=True)
class Case:
    """One cause, or the failures of one category that no cause explains."""

    number: int
    """Rank of the cause; unexplained ones follow."""
    category: str
    cause: Cause | None
    pairs: tuple[Pair, ...]

    @property
    def name(self) -> str:
        """Of its folder."""
        kind = "unexplained" if self.cause is None else "cause"
        return f"{kind}-{self.number}-{self.category}"


def cases(
    transcripts: Sequence[Transcript], causes: Sequence[Cause], plan: Plan
) -> tuple[Case, ...]:
    """All causes with their connections, then the failures of other categories."""
    failures = [each for each in transcripts if each.role is EvidenceRole.FAILURE]
    controls = [each for each in transcripts if each.record.outcome == "ok"]

    def control_of(failing: Transcript) -> Transcript | None:
        """The good connection of the same address, client and minute, or the next best."""
        wanted = failing.record

        def distance(other: Transcript) -> tuple[bool, bool, int]:
            found, apart_ns = other.record, abs(other.dialled_ns - failing.dialled_ns)
            differs = found.address != wanted.address, found.client != wanted.client
            return *differs, apart_ns // _MINUTE_NS

        return min(controls, key=distance, default=None)

    def case(number: int, category: str, cause: Cause | None) -> Case:
        failing = [each for each in failures if each.record.outcome == category]
        if cause is not None:
            mechanism, conditions = cause.mechanism, cause.conditions
            failing = [each for each in failing if not mechanism or _meets(each, mechanism, plan)]
            # First the ones that meet most of the cause's conditions.
            failing.sort(key=lambda each: sum(not _meets(each, one, plan) for one in conditions))
        pairs = tuple(Pair(each, control_of(each)) for each in failing[:MOST_PAIRS])
        return Case(number, category, cause, pairs)

    explained = [cause for cause in causes if cause.kind == FAILURE]
    found = [case(cause.rank, cause.category, cause) for cause in explained]
    rest = {each.record.outcome for each in failures} - {cause.category for cause in explained}
    first = max((each.number for each in found), default=0) + 1
    found += [case(number, category, None) for number, category in enumerate(sorted(rest), first)]
    return tuple(found)


def _meets(transcript: Transcript, condition: Condition, plan: Plan) -> bool:
    """Whether a condition holds; one that a single connection cannot show is not held against it.

    The numbers may come from a foreign file: what they do not name meets no condition.
    """
    address, record = transcript.address, transcript.record
    known_client = 0 <= record.client < len(plan.clients)
    known_stage = record.stage in set(Stage)
    values = {
        "address": str(address),
        "label": address.label,
        "family": address.family,
        "client": plan.clients[record.client].name if known_client else None,
        "chain": None if record.chain is None else record.chain.hex()[: len(condition.text)],
        "stage": Stage(record.stage).label if known_stage else None,
    }
    for attribute, name in NAMES.items():
        number = getattr(record, attribute)
        values[attribute] = None if number is None else name(number)
    dimension = condition.dimension
    return dimension not in values or condition.allows(values[dimension])
