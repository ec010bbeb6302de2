"""Chooses what is shown: for each cause its failing connections, each with a matched good one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from stress.handshake.names import cipher_name, group_name, version_name
from stress.model.outcome import Stage
from stress.model.plan import Plan
from stress.model.summary import Cause, Condition
from stress.model.transcript import EvidenceRole, Transcript

MOST_PAIRS: Final = 5
"""Failing connections that are shown of one cause."""
FAILURE: Final = "failure"
_MINUTE_NS: Final = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Pair:
    """A failing connection, and a good one of the same place and time where there is one."""

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
    failing = [each for each in transcripts if each.role is EvidenceRole.FAILURE]
    controls = [each for each in transcripts if each.record.outcome == "ok"]
    explained = [cause for cause in causes if cause.kind == FAILURE]
    found = [
        Case(cause.rank, cause.category, cause, _pairs(_fitting(failing, cause, plan), controls))
        for cause in explained
    ]
    rest = {each.record.outcome for each in failing} - {cause.category for cause in explained}
    number = max((case.number for case in found), default=0)
    for place, category in enumerate(sorted(rest), number + 1):
        left = [each for each in failing if each.record.outcome == category]
        found.append(Case(place, category, None, _pairs(left, controls)))
    return tuple(found)


def _fitting(failing: Sequence[Transcript], cause: Cause, plan: Plan) -> list[Transcript]:
    """Those of its category and mechanism, first the ones that meet all of its conditions."""
    told = [
        each
        for each in failing
        if each.record.outcome == cause.category
        and (cause.mechanism is None or _meets(each, cause.mechanism, plan))
    ]
    return sorted(
        told, key=lambda each: sum(not _meets(each, one, plan) for one in cause.conditions)
    )


def _pairs(failing: Sequence[Transcript], controls: Sequence[Transcript]) -> tuple[Pair, ...]:
    return tuple(Pair(each, _control(each, controls)) for each in failing[:MOST_PAIRS])


def _control(failing: Transcript, controls: Sequence[Transcript]) -> Transcript | None:
    """The good one of the same address, client and minute, or what comes next to that."""
    wanted = failing.record

    def distance(other: Transcript) -> tuple[bool, bool, int]:
        apart = abs(other.dialled_ns - failing.dialled_ns)
        record = other.record
        return record.address != wanted.address, record.client != wanted.client, apart // _MINUTE_NS

    return min(controls, key=distance, default=None)


def _meets(transcript: Transcript, condition: Condition, plan: Plan) -> bool:
    """Whether a condition holds; one that a single connection cannot tell is no reason against."""
    read = _READERS.get(condition.dimension)
    if read is None:
        return True
    values = tuple(read(transcript, plan))
    if condition.dimension == "chain":
        return any(value.startswith(condition.text) for value in values)
    return condition.text in values


def _address(transcript: Transcript, _plan: Plan) -> Iterator[str]:
    yield str(transcript.address)


def _label(transcript: Transcript, _plan: Plan) -> Iterator[str]:
    if transcript.address.label is not None:
        yield transcript.address.label


def _family(transcript: Transcript, _plan: Plan) -> Iterator[str]:
    yield transcript.address.family


def _client(transcript: Transcript, plan: Plan) -> Iterator[str]:
    if 0 <= transcript.record.client < len(plan.clients):
        yield plan.clients[transcript.record.client].name


def _chain(transcript: Transcript, _plan: Plan) -> Iterator[str]:
    if transcript.record.chain is not None:
        yield transcript.record.chain.hex()


def _version(transcript: Transcript, _plan: Plan) -> Iterator[str]:
    if transcript.record.tls_version is not None:
        yield version_name(transcript.record.tls_version)


def _cipher(transcript: Transcript, _plan: Plan) -> Iterator[str]:
    if transcript.record.cipher is not None:
        yield cipher_name(transcript.record.cipher)


def _group(transcript: Transcript, _plan: Plan) -> Iterator[str]:
    if transcript.record.key_group is not None:
        yield group_name(transcript.record.key_group)


def _stage(transcript: Transcript, _plan: Plan) -> Iterator[str]:
    if transcript.record.stage in set(Stage):
        yield Stage(transcript.record.stage).label


_READERS: Final[Mapping[str, Callable[[Transcript, Plan], Iterator[str]]]] = MappingProxyType(
    {
        "address": _address,
        "label": _label,
        "family": _family,
        "client": _client,
        "chain": _chain,
        "tls_version": _version,
        "cipher": _cipher,
        "key_group": _group,
        "stage": _stage,
    }
)
"""What one connection can tell about a dimension of the contract."""
