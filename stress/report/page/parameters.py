"""How the run asked: every choice that somebody needs to repeat it or to doubt it."""

from __future__ import annotations

from collections.abc import Iterator

from stress.model.plan import Plan
from stress.model.run import RunFacts
from stress.model.summary import Summary
from stress.report import figures


def parameters(summary: Summary, facts: RunFacts) -> tuple[tuple[str, str], ...]:
    """Label and value; what was not chosen is left out."""
    return tuple(
        (label, value)
        for label, value in (
            *_of_the_run(summary, facts),
            *_of_the_asking(facts.plan),
            *_of_the_judging(facts.plan),
            *facts.versions.items(),
        )
        if value
    )


def _of_the_run(summary: Summary, facts: RunFacts) -> Iterator[tuple[str, str]]:
    load = facts.plan.load
    yield "run", summary.run.name
    yield "file", summary.run.file
    yield "from", facts.host
    yield "started", summary.run.started
    yield "lasted", figures.clock(summary.run.duration_s)
    yield "ended", facts.end.value
    yield "profile", facts.plan.profile
    yield "planned", "" if load.count is None else figures.plural(load.count, "handshake")
    yield "duration", "" if load.duration_s is None else f"{load.duration_s:g} s"
    yield "offered rate", _rate(facts.plan)
    yield "most in flight", figures.count(load.concurrency)
    yield "processes", figures.count(load.processes)
    yield "seed", str(facts.plan.seed)


def _rate(plan: Plan) -> str:
    load = plan.load
    if load.segments:
        return f"in {figures.plural(len(load.segments), 'segment')}, {load.arrivals.value}"
    if load.rate is None:
        return "each that ends starts the next (closed loop)"
    return f"{figures.rate(load.rate)}, {load.arrivals.value}"


def _of_the_asking(plan: Plan) -> Iterator[tuple[str, str]]:
    yield "target", str(plan.target)
    yield "addresses at the start", figures.count(len(plan.addresses))
    yield "clients", ", ".join(client.name for client in plan.clients)
    yield "server name sent", plan.server_name or "none"
    yield "TLS stack", plan.stack.value
    yield "closed with", plan.close.value
    yield "sources", ", ".join(plan.sources)
    yield "resolver", plan.resolver or ""
    yield "PROXY header", plan.proxy_protocol or ""
    yield "client certificate", "sent when asked for" if plan.client_certificate else ""
    yield "an attempt may take", f"{plan.limits.attempt_s:g} s"
    yield "consent", plan.authorized or ""


def _of_the_judging(plan: Plan) -> Iterator[tuple[str, str]]:
    trust = plan.trust
    yield "name checked", trust.host
    yield (
        "policy",
        trust.policy or ", ".join(dict.fromkeys(client.policy for client in plan.clients)),
    )
    anchors = figures.plural(len(trust.anchors), "anchor")
    yield "trust anchors", f"{trust.anchors_from} ({anchors}{', private' * trust.private})"
    yield "public keys pinned", figures.count(len(trust.pins)) if trust.pins else ""
    yield "notes", " ".join(plan.notes)
