"""One call from a recorded run to everything that its report says, as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from stress.analysis.goals.evidence import assess, evidence_of
from stress.analysis.goals.goal import Goal
from stress.analysis.latency import before_tls, by_value, latency, retries
from stress.analysis.proportions.binomial import confidence_sequence, detectable
from stress.analysis.proportions.estimate import Estimate, estimate
from stress.analysis.tally import RunCounts, count, counted_by, parted
from stress.analysis.verdict import (
    NANOSECONDS,
    duration_s,
    limit_assertion,
    untested,
    validity,
    verdict,
)
from stress.model.chain import Verdict
from stress.model.claims import ClaimSet, FailureCount, FailureKeys, Untested, ValidityClaim
from stress.model.plan import Address
from stress.model.record import Record, RecordTable
from stress.model.run import Cube, End, Run, RunFacts, SeenChain, cell_reader
from stress.model.summary import (
    Answer,
    Assertion,
    BackendCount,
    Interval,
    Quantiles,
    ResumptionGroups,
    Spread,
)


@dataclass(frozen=True, slots=True)
class Part:
    """The attempts of one address or backend."""

    count: FailureCount
    interval: Interval
    """Of its failure rate."""
    latency: Quantiles | None
    """How long good attempts took, from their start; of a sample where there are very many."""
    addresses: frozenset[int]
    """By index."""
    cube: Cube
    """Its attempts."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found out about a run; `stress.report.summary` turns it into words."""

    facts: RunFacts
    tally: RunCounts
    estimate: Estimate
    verdict: Answer
    duration_s: float
    """How long the run sent handshakes, without its pauses."""
    explanation: ClaimSet
    chains: tuple[SeenChain, ...]
    verdicts: tuple[Verdict, ...]
    addresses: tuple[Address, ...]
    latency: Mapping[str, Quantiles]
    by_address: Mapping[int, Part]
    """By index of the address; not those that nothing reached."""
    backends: Mapping[str, Part]
    """By backend, where it is known."""
    by_vantage: Mapping[int, Part]
    """By index of the vantage; not those from which nothing was tried."""
    backend_count: BackendCount | None
    """How many there are; None: not known, or a log names them all."""
    balancing: Spread | None
    """How connections were spread over servers; None: not known, or nothing decides it."""
    failure_keys: Mapping[str, FailureKeys]
    """By category, with which ticket keys failures were answered, where a sample was read."""
    validity: ValidityClaim
    assertions: tuple[Assertion, ...]
    untested: tuple[Untested, ...]
    detectable: float
    """The lowest failure rate that would have shown at least one failure, with 95% confidence."""
    records: RecordTable | None
    """The columns of records that are not ours; None: it was a run."""

    @property
    def resumption_groups(self) -> ResumptionGroups | None:
        """What `--backends` found; None: it was not asked for."""
        if self.facts.matrix is None:
            return None
        from stress.analysis.backends import groups  # noqa: PLC0415 - numpy

        return groups(self.facts.matrix)

    @property
    def bound(self) -> float:
        """Of a run without failures that may have stopped at any time: the rate is below, 95%."""
        return confidence_sequence(0, self.tally.attempts).high


def examine(run: Run, goals: Sequence[Goal] = ()) -> Findings:
    """Finds out everything that the report says about a recorded run.

    Args:
        run: the recorded run; it is only read.
        goals: goals and assertions (`parse_goals`); with any, they alone decide between clean,
            failing and inconclusive.
    """
    facts, cube = run.facts(), run.cube()
    tally = count(cube.cells)
    addresses, histograms = tuple(run.addresses()), run.histograms()
    judged = validity(facts, tally, retries(histograms))
    # A run with goals was watched, and might have stopped at any time.
    watched = facts.plan.goals and facts.end is End.COMPLETED
    sampling = End.STOPPED if watched else facts.end
    lost = max(0, facts.started - facts.recorded)
    estimated = estimate(cube, sampling, lost)
    elapsed = duration_s(facts)
    if elapsed is None:  # a file without an end mark lasted at least until its last block
        elapsed = (tally.last_block + 1) * cube.block_ns / NANOSECONDS
    explanation, good = ClaimSet(), tuple[Record, ...]()
    servers, spread = None, None
    told: tuple[Cube, Mapping[str, FailureKeys]] = cube, {}
    if tally.attempts:  # only then there is something to search in
        from stress.analysis.backends import balancing, met, told_apart  # noqa: PLC0415 - numpy
        from stress.analysis.causes.causes import explain  # noqa: PLC0415 - numpy and scipy
        from stress.analysis.recording import record  # noqa: PLC0415 - the same

        recording = record(run)
        good, explanation = recording.good, explain(recording, tally)
        rows = (*recording.good, *recording.failing)
        # A sample has no order, and the clocks of several machines do not tell which was first.
        if len(addresses) == 1 and len(facts.vantages) <= 1 and len(rows) >= tally.attempts:
            spread = balancing(rows)
        servers, told = met(cube, facts), told_apart(cube, facts)
    evidence = evidence_of(run, estimated, elapsed, len(explanation.failing), goals)
    assertions = (*assess(goals, evidence), *map(limit_assertion, facts.limits))
    return Findings(
        facts=facts,
        tally=tally,
        estimate=estimated,
        verdict=verdict(facts, tally, judged, assertions),
        duration_s=elapsed,
        explanation=explanation,
        chains=tuple(run.chains()),
        verdicts=tuple(run.verdicts()),
        addresses=addresses,
        latency={**latency(histograms, foreign=bool(facts.records)), **before_tls(good)},
        by_address=dict(_parts("address", cube, good, sampling, lost)),
        backends=dict(_parts("backend", told[0], good, sampling, lost)),
        by_vantage=dict(_parts("vantage", cube, good, sampling, lost)),
        backend_count=servers,
        failure_keys=told[1],
        balancing=spread,
        validity=judged,
        assertions=assertions,
        untested=untested(facts, tally, addresses),
        detectable=detectable(tally.attempts),
        records=cube.records,
    )


def _parts(
    attribute: str, cube: Cube, good: Iterable[Record], sampling: End, lost: int
) -> Iterator[tuple[Any, Part]]:
    """The attempts by a shared attribute; without those that do not have it."""
    read = cell_reader(attribute)
    cells = {value: here for value, here in parted(cube.cells, read).items() if value is not None}
    if not cells:
        return
    latencies = by_value(good, attrgetter(attribute))
    for value, here in cells.items():
        part = Cube(cube.block_ns, here)
        count = counted_by(here, lambda _: None).get(None, FailureCount(0, 0))
        interval = estimate(part, sampling, lost).interval
        addresses = frozenset(kind.address for kind in here.kinds)
        yield value, Part(count, interval, latencies.get(value), addresses, part)
