"""One call from a recorded run to its `Summary`: examines the run, then words what was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from stress.analysis.backends import Source, blocks_met, chains_met, source
from stress.analysis.chains import chain_lines
from stress.analysis.findings import Findings, Part, examine
from stress.analysis.goals.goal import Goal
from stress.analysis.proportions.binomial import clopper_pearson
from stress.analysis.verdict import NANOSECONDS, policy_names
from stress.model.claims import FailureCount
from stress.model.run import Cube, Run
from stress.model.summary import AddressLine, BackendLine, Failures, RunLine, Summary, VantageLine
from stress.report.wording.causes import causes, unexplained
from stress.report.wording.context import validity, with_commands
from stress.report.wording.ten_lines import commands, experiments, headlines, record_headlines

_NOTHING = Part(FailureCount(0, 0), clopper_pearson(0, 0), None, frozenset(), Cube(1, ()))


def summarize(run: Run, *, goals: Sequence[Goal] = (), repairs: Sequence[str] = ()) -> Summary:
    """Answers everything that the report says about a recorded run.

    Args:
        run: the recorded run; it is only read.
        goals: goals and assertions (`parse_goals`); with any, they alone decide between clean,
            failing and inconclusive.
        repairs: what fetching missing issuers proved, as sentences (`stress.runner.judge`).
    """
    findings = examine(run, goals)
    if findings.facts.records is None:
        findings = replace(findings, assertions=with_commands(findings))
    facts, tally, plan = findings.facts, findings.tally, findings.facts.plan
    share = tally.failures / tally.attempts if tally.attempts else 0.0
    interval, few = findings.estimate.interval, findings.estimate.too_few
    stages = {} if facts.records else tally.stages
    failures = Failures(tally.failures, share, interval, tally.categories, stages, few)
    found, judged = causes(findings), validity(findings.validity)
    write = record_headlines if facts.records else partial(headlines, repairs=repairs)
    lines = write(findings, failures, found, judged)
    return Summary(
        verdict=findings.verdict,
        headline=lines.verdict,
        run=RunLine(
            name=facts.name,
            file=facts.file,
            target=", ".join(facts.records.files) if facts.records else str(plan.target),
            profile=plan.profile,
            clients=tuple(client.name for client in plan.clients),
            started=_moment(facts.begun_ns),
            duration_s=findings.duration_s,
            processes=plan.load.processes,
            seed=plan.seed,
            server_name=plan.server_name,
            anchors=plan.trust.anchors_from,
            policy=policy_names(plan),
            host=facts.host,
            records=facts.records,
        ),
        attempts=tally.attempts,
        completed=tally.attempts - tally.failures if facts.records else tally.completed,
        ours=sum(tally.ours.values()),
        not_sent=tally.not_sent,
        failures=failures,
        causes=found,
        unexplained=unexplained(findings.explanation.unexplained, facts),
        chains=chain_lines(findings.chains, findings.verdicts),
        addresses=tuple(_addresses(findings)),
        backends=tuple(_backends(findings)),
        vantages=tuple(_vantages(findings)),
        backend_count=findings.backend_count,
        balancing=findings.balancing,
        resumption_groups=findings.resumption_groups,
        latency=findings.latency,
        validity=judged,
        assertions=findings.assertions,
        lines=lines,
        limits=facts.limits,
        commands=(*commands(findings), *experiments(findings)),
    )


def _moment(unix_ns: int) -> str:
    moment = datetime.fromtimestamp(unix_ns / NANOSECONDS, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _addresses(findings: Findings) -> Iterator[AddressLine]:
    """Also those that nothing reached."""
    for index, address in enumerate(findings.addresses):
        here = findings.by_address.get(index, _NOTHING)
        own = (str(address), address.label, here.count.attempts, here.count.failures)
        yield AddressLine(*own, here.interval, here.latency)


def _backends(findings: Findings) -> Iterator[BackendLine]:
    """Those that failed most come first; one ticket key tells no servers apart."""
    count, begun_ns = findings.backend_count, findings.facts.started_ns
    hashes = {chain.id: chain.sha256.hex() for chain in findings.chains}
    if count is not None and count.how == Source.TICKET and count.seen == 1:
        return
    for name, here in sorted(
        findings.backends.items(),
        key=lambda item: (-item[1].count.failures / (item[1].count.attempts or 1), item[0]),
    ):
        # A damaged file may name an address that is not there.
        known = {index for index in here.addresses if index < len(findings.addresses)}
        at = sorted(str(findings.addresses[index]) for index in known)
        first, last, since = (
            None if block is None else _moment(begun_ns + block * here.cube.block_ns)
            for block in blocks_met(here.cube)
        )
        yield BackendLine(
            name,
            source(findings.facts),
            at[0] if len(at) == 1 else None,
            here.count.attempts,
            here.count.failures,
            here.interval,
            here.latency,
            {hashes[one]: met for one, met in chains_met(here.cube).items() if one in hashes},
            first or "",
            last or "",
            since,
        )


def _vantages(findings: Findings) -> Iterator[VantageLine]:
    """Also those from which nothing was tried."""
    for index, one in sorted(enumerate(findings.facts.vantages), key=lambda item: item[1].name):
        here = findings.by_vantage.get(index, _NOTHING)
        offset_ms, error_ms = (
            None if ns is None else ns / 1e6 for ns in (one.offset_ns, one.error_ns)
        )
        yield VantageLine(
            one.name,
            one.host,
            here.count.attempts,
            here.count.failures,
            here.interval,
            offset_ms,
            error_ms,
            one.networks,
            one.answers,
            one.versions,
            _moment(one.started_ns),
            here.latency,
        )
