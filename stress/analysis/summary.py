"""One call from a recorded run to the whole answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from stress.analysis.causes.classes import Explanation
from stress.analysis.chains import chain_lines
from stress.analysis.goals.evidence import assess, evidence_of
from stress.analysis.goals.goal import Goal
from stress.analysis.latency import latency, retries
from stress.analysis.limit.limit_text import assertion
from stress.analysis.proportions.binomial import clopper_pearson
from stress.analysis.proportions.estimate import estimate
from stress.analysis.tally import FailureCount, RunCounts, count
from stress.analysis.tested import NANOSECONDS, duration_s, policy_names
from stress.analysis.verdict import validity, verdict
from stress.analysis.wording.ten_lines import Findings, headlines
from stress.model.run import Cube, End, Run, RunFacts
from stress.model.summary import AddressLine, Failures, Interval, RunLine, Summary
from stress.model.target import Address


def summarize(
    run: Run,
    *,
    goals: Sequence[Goal] = (),
    repairs: Sequence[str] = (),
) -> Summary:
    """Answers everything the report says about a recorded run.

    Args:
        run: the recorded run; it is only read.
        goals: goals and assertions (`parse_goals`); with any, they alone decide between clean,
            failing and inconclusive.
        repairs: what was proven by fetching what chains lack, as sentences (`mending`).
    """
    facts, cube = run.facts(), run.cube()
    tally = count(cube.cells)
    addresses = tuple(run.addresses())
    chains = tuple(run.chains())
    histograms = run.histograms()
    judged = validity(facts, tally, retries(histograms))
    estimated = estimate(cube, _sampling(facts), max(0, facts.started - facts.recorded))
    failures = _failures(tally, estimated.interval)
    explained = _explained(run, tally)
    line = _run_line(facts, cube, tally)
    found = evidence_of(run, estimated, line.duration_s, len(explained.failing))
    assertions = assess(goals, found)
    assertions = (*assertions, *map(assertion, facts.limits))
    findings = Findings(
        facts,
        tally,
        estimated,
        failures,
        explained,
        chains,
        addresses,
        judged,
        assertions,
        tuple(repairs),
    )
    lines = headlines(findings)
    return Summary(
        verdict=verdict(facts, tally, judged, assertions),
        headline=lines.verdict,
        run=line,
        attempts=tally.attempts,
        completed=tally.completed,
        ours=sum(tally.ours.values()),
        not_sent=tally.not_sent,
        failures=failures,
        causes=explained.causes,
        unexplained={"failures": explained.unexplained},
        chains=chain_lines(chains, run.verdicts()),
        addresses=_address_lines(addresses, tally.addresses),
        latency=latency(histograms),
        validity=judged,
        assertions=assertions,
        lines=lines,
        limits=facts.limits,
    )


def _sampling(facts: RunFacts) -> End:
    """How the end of the sample counts: a run with goals was watched, and might have stopped."""
    watched = facts.plan.goals and facts.end is End.COMPLETED
    return End.STOPPED if watched else facts.end


def _explained(run: Run, tally: RunCounts) -> Explanation:
    """The causes; the search is only imported when there is something to search in."""
    if not tally.attempts:
        return Explanation()
    from stress.analysis.causes.causes import explain  # noqa: PLC0415 - numpy and scipy
    from stress.analysis.recording import record  # noqa: PLC0415 - the same

    return explain(record(run), tally)


def _run_line(facts: RunFacts, cube: Cube, tally: RunCounts) -> RunLine:
    plan = facts.plan
    begun = datetime.fromtimestamp(facts.started_ns / NANOSECONDS, UTC)
    elapsed = duration_s(facts)
    return RunLine(
        name=facts.name,
        file=facts.file,
        target=str(plan.target),
        profile=plan.profile,
        clients=tuple(client.name for client in plan.clients),
        started=begun.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        # A file without an end mark lasted at least until its last block.
        duration_s=(tally.last_block + 1) * cube.block_ns / NANOSECONDS
        if elapsed is None
        else elapsed,
        processes=plan.load.processes,
        seed=plan.seed,
        server_name=plan.server_name,
        anchors=plan.trust.anchors_from,
        policy=policy_names(plan),
        host=facts.host,
    )


def _failures(tally: RunCounts, interval: Interval) -> Failures:
    share = tally.failures / tally.attempts if tally.attempts else 0.0
    return Failures(tally.failures, share, interval, tally.categories, tally.stages)


def _address_lines(
    addresses: Sequence[Address], counts: Mapping[int, FailureCount]
) -> tuple[AddressLine, ...]:
    """Every address of the run, also those that nothing reached."""
    return tuple(
        _address_line(address, counts.get(index, FailureCount(0, 0)))
        for index, address in enumerate(addresses)
    )


def _address_line(address: Address, counted: FailureCount) -> AddressLine:
    interval = clopper_pearson(counted.failures, counted.attempts)
    return AddressLine(str(address), address.label, counted.attempts, counted.failures, interval)
