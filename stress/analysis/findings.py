"""One call from a recorded run to everything that its report says, as data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stress.analysis.goals.evidence import assess, evidence_of
from stress.analysis.goals.goal import Goal
from stress.analysis.latency import by_address, latency, retries
from stress.analysis.proportions.binomial import detectable
from stress.analysis.proportions.estimate import Estimate, estimate
from stress.analysis.proportions.sequence import confidence_sequence
from stress.analysis.tally import RunCounts, count
from stress.analysis.verdict import (
    NANOSECONDS,
    duration_s,
    limit_assertion,
    untested,
    validity,
    verdict,
)
from stress.model.chain import Verdict
from stress.model.claims import ClaimSet, Untested, ValidityClaim
from stress.model.plan import Address
from stress.model.record import Record
from stress.model.records import RecordTable
from stress.model.run import Cell, Cube, End, Run, RunFacts, SeenChain
from stress.model.summary import Answer, Assertion, Interval, Quantiles


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found out about a run; `stress.report.summary` turns it into words."""

    facts: RunFacts
    tally: RunCounts
    estimate: Estimate
    places: Mapping[int, Interval]
    """Address -> interval of its failure rate."""
    verdict: Answer
    duration_s: float
    """How long the run sent handshakes, without its pauses."""
    explanation: ClaimSet
    chains: tuple[SeenChain, ...]
    verdicts: tuple[Verdict, ...]
    addresses: tuple[Address, ...]
    latency: Mapping[str, Quantiles]
    by_address: Mapping[int, Quantiles]
    """How long good attempts took, from their start, by index of the address."""
    validity: ValidityClaim
    assertions: tuple[Assertion, ...]
    untested: tuple[Untested, ...]
    detectable: float
    """The lowest failure rate that would have shown at least one failure, with 95% confidence."""
    records: RecordTable | None
    """The columns of records that are not ours; None: it was a run."""
    bound: float
    """For a run without failures that may have stopped at any time: the rate is below this, 95%."""


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
    cells = defaultdict[int, list[Cell]](list)
    for cell in cube.cells:
        cells[cell.address].append(cell)
    elapsed = duration_s(facts)
    if elapsed is None:  # a file without an end mark lasted at least until its last block
        elapsed = (tally.last_block + 1) * cube.block_ns / NANOSECONDS
    explanation, good = ClaimSet(), tuple[Record, ...]()
    if tally.attempts:  # only then there is something to search in
        from stress.analysis.causes.causes import explain  # noqa: PLC0415 - numpy and scipy
        from stress.analysis.recording import record  # noqa: PLC0415 - the same

        recording = record(run)
        good, explanation = recording.good, explain(recording, tally)
    evidence = evidence_of(run, estimated, elapsed, len(explanation.failing), goals)
    assertions = (*assess(goals, evidence), *map(limit_assertion, facts.limits))
    return Findings(
        facts=facts,
        tally=tally,
        estimate=estimated,
        places={
            address: estimate(Cube(cube.block_ns, here), sampling, lost).interval
            for address, here in cells.items()
        },
        verdict=verdict(facts, tally, judged, assertions),
        duration_s=elapsed,
        explanation=explanation,
        chains=tuple(run.chains()),
        verdicts=tuple(run.verdicts()),
        addresses=addresses,
        latency=latency(histograms, foreign=bool(facts.records)),
        by_address=by_address(good),
        validity=judged,
        assertions=assertions,
        untested=untested(facts, tally, addresses),
        detectable=detectable(tally.attempts),
        records=cube.records,
        bound=confidence_sequence(0, tally.attempts).high,
    )
