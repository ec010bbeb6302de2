"""One call from a recorded run to its `Summary`: examines the run, then words what was found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from stress.analysis.chains import chain_lines
from stress.analysis.findings import examine
from stress.analysis.goals.goal import Goal
from stress.analysis.proportions.binomial import clopper_pearson
from stress.analysis.verdict import NANOSECONDS, policy_names
from stress.model.claims import FailureCount
from stress.model.run import Run
from stress.model.summary import (
    AddressLine,
    Command,
    Failures,
    Purpose,
    RunLine,
    Summary,
)
from stress.planning.run_command import run_argv
from stress.report.wording.causes import causes, unexplained
from stress.report.wording.context import validity
from stress.report.wording.ten_lines import commands, headlines


def summarize(run: Run, *, goals: Sequence[Goal] = (), repairs: Sequence[str] = ()) -> Summary:
    """Answers everything that the report says about a recorded run.

    Args:
        run: the recorded run; it is only read.
        goals: goals and assertions (`parse_goals`); with any, they alone decide between clean,
            failing and inconclusive.
        repairs: what fetching missing issuers proved, as sentences (`stress.runner.rejudge`).
    """
    findings = examine(run, goals)
    facts, tally, plan = findings.facts, findings.tally, findings.facts.plan
    begun = datetime.fromtimestamp(facts.started_ns / NANOSECONDS, UTC)
    share = tally.failures / tally.attempts if tally.attempts else 0.0
    interval = findings.estimate.interval
    failures = Failures(tally.failures, share, interval, tally.categories, tally.stages)
    found, judged = causes(findings), validity(findings.validity)
    lines = headlines(findings, failures, found, judged, repairs)
    addresses = []
    for index, address in enumerate(findings.addresses):  # also those that nothing reached
        here = tally.addresses.get(index, FailureCount(0, 0))
        counted = (str(address), address.label, here.attempts, here.failures)
        interval_of = clopper_pearson(here.failures, here.attempts)
        addresses.append(AddressLine(*counted, interval_of, findings.by_address.get(index)))
    experiments = [claim.experiment for claim in findings.explanation.claims if claim.experiment]
    return Summary(
        verdict=findings.verdict,
        headline=lines.verdict,
        run=RunLine(
            name=facts.name,
            file=facts.file,
            target=str(plan.target),
            profile=plan.profile,
            clients=tuple(client.name for client in plan.clients),
            started=begun.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            duration_s=findings.duration_s,
            processes=plan.load.processes,
            seed=plan.seed,
            server_name=plan.server_name,
            anchors=plan.trust.anchors_from,
            policy=policy_names(plan),
            host=facts.host,
        ),
        attempts=tally.attempts,
        completed=tally.completed,
        ours=sum(tally.ours.values()),
        not_sent=tally.not_sent,
        failures=failures,
        causes=found,
        unexplained=unexplained(findings.explanation.unexplained),
        chains=chain_lines(findings.chains, findings.verdicts),
        addresses=tuple(addresses),
        latency=findings.latency,
        validity=judged,
        assertions=findings.assertions,
        lines=lines,
        limits=facts.limits,
        commands=(
            *commands(findings),
            *(Command(Purpose.NEXT, run_argv(plan, change)) for change in experiments),
        ),
    )
