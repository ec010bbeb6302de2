"""Writes what a run tested, from where and when, and whether to trust it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from stress.analysis.findings import Findings
from stress.analysis.limit.trial import SLOW, SLOW_ANSWER, SLOW_CONNECT
from stress.analysis.verdict import NANOSECONDS, duration_s, policy_names
from stress.model.claims import Untested, ValidityClaim
from stress.model.limit import Limit
from stress.model.summary import Assertion, Validity
from stress.text.numbers import counted, of, seconds, thousands
from stress.text.templates import read_texts

# Writes what a search for a limit found.

_LATE = {
    SLOW: "latency",
    SLOW_CONNECT: "slow-connect (TCP connections opened late)",
    SLOW_ANSWER: "slow-answer (the ClientHello was answered late)",
}


def limit_sentence(limit: Limit) -> str:
    """The answer to "how much can it take?"."""
    factor = _LATE.get(limit.gave_way, limit.gave_way)
    confirmed = "" if limit.confirmed else " (not confirmed)"
    held = f"Sustained {_load(limit, limit.sustained)} with {limit.goal}"
    failing = _load(limit, limit.first_failing)
    if limit.sustained is None:
        answer = (
            f"No {limit.knob} was found at which {limit.goal} holds: it fails even at"
            f" {failing}; limiting factor: {factor}."
        )
    elif limit.first_failing is None:
        answer = f"{held}, the highest {limit.knob} that was tried{confirmed}."
    elif limit.generator_limited:
        answer = f"{held}; generator-limited at {failing}."
    else:
        bounds = [
            f"{word} {_load(limit, bound)}"
            for word, bound in (("above", limit.low), ("below", limit.high))
            if bound is not None
        ]
        interval = f", {' and '.join(bounds)} with 95% confidence" if bounds else ""
        answer = f"{held}, first failing {failing}{confirmed}{interval}; limiting factor: {factor}."
    return f"{limit.of}: {answer[0].lower()}{answer[1:]}" if limit.of else answer


def _load(limit: Limit, load: float | None) -> str:
    if load is None:
        return f"no {limit.knob}"
    return f"{thousands(round(load))}{limit.knob.unit}"


def scope(findings: Findings) -> str:
    """The client profiles, the addresses, the name and the trust store; what was left out."""
    plan, trust = findings.facts.plan, findings.facts.plan.trust
    clients = ", ".join(client.name for client in plan.clients)
    name = f"SNI {plan.server_name}" if plan.server_name else "no SNI"
    anchors = f" ({counted(len(trust.anchors), 'anchor')})" if trust.anchors else ""
    known = read_texts(__package__, "words.toml")["untested"]
    gaps = [known[gap] for gap in findings.untested if gap is not Untested.OTHER_TIMES]
    gaps.append(f"times outside these {_duration(findings)}")
    addresses = findings.addresses
    shown = ", ".join(map(str, addresses[:3]))
    if len(addresses) == 1:
        over = f"address {shown}"
    else:
        more = f" and {len(addresses) - 3} more" if len(addresses) > 3 else ""
        over = (
            f"{len(addresses)} addresses, each sampled equally ({shown}{more};"
            " rates are of our samples, not of the users')"
        )
    return (
        f"{plan.target} with client {clients} over {over}, {name}, "
        f"trust store {trust.anchors_from}{anchors}, policy {policy_names(plan)}. "
        f"{sessions(findings)}"
        f"Not tested: {', '.join(gaps)}."
    )


def sessions(findings: Findings) -> str:
    """How many of the offered sessions were accepted; empty where none was to be offered."""
    tally, load = findings.tally, findings.facts.plan.load
    segments = (one.resumption for one in load.segments)
    if tally.offered:
        accepted = of(tally.resumed, tally.offered)
        return f"Sessions offered for resumption: {accepted} were accepted. "
    if findings.facts.plan.resumption or any(segments):
        return "No session was offered: the target gave none that could be resumed. "
    return ""


def origin(findings: Findings) -> str:
    """From where, when, how many and how fast."""
    facts, attempts = findings.facts, findings.tally.attempts
    begun = datetime.fromtimestamp(facts.started_ns // NANOSECONDS, UTC)
    elapsed = duration_s(facts)
    rate = f" ({attempts / elapsed:,.0f}/s)" if elapsed else ""
    processes = facts.plan.load.processes
    return (
        f"{facts.host or 'this machine'}, {begun:%Y-%m-%d %H:%M:%S} UTC, "
        f"{counted(attempts, 'handshake')} in {_duration(findings)}{rate}, "
        f"{processes} process{'es' if processes != 1 else ''}."
    )


def _duration(findings: Findings) -> str:
    elapsed = duration_s(findings.facts)
    return "an unknown time" if elapsed is None else seconds(elapsed)


def goal_words(assertions: Sequence[Assertion]) -> str:
    """Which goals were refuted, which are undecided, which hold; empty without any."""
    words = {"no": "Refuted", "unknown": "Undecided", "yes": "Holds"}
    sorted_ = (
        (word, [one.expression for one in assertions if one.holds == holds])
        for holds, word in words.items()
    )
    return " ".join(f"{word}: {', '.join(those)}." for word, those in sorted_ if those)


def validity(claim: ValidityClaim) -> Validity:
    """Whether to trust the run, and its warnings, the decisive ones first."""
    texts, reasons = read_texts(__package__, "words.toml")["notice"], dict[str, None]()
    for notice in (*claim.fatal, *claim.notes):
        text, limit = notice.text, notice.limit
        if limit is not None:
            text = _load(limit, limit.first_failing) + (f" ({limit.of})" if limit.of else "")
        names = (f"{name} {thousands(count)}" for name, count in notice.names.items())
        words = texts[notice.kind].format(
            count=thousands(notice.count),
            attempts=counted(notice.count, "attempt"),
            of=thousands(notice.of),
            names=", ".join(names),
            text=text,
        )
        reasons[words] = None
    return Validity(claim.valid, tuple(reasons))


def valid(judged: Validity) -> str:
    """Whether to trust the run, and why."""
    reasons = "; ".join(judged.reasons)
    if not judged.valid:
        return f"Not valid: {reasons}."
    return f"Valid, with warnings: {reasons}." if reasons else "Valid: no local failure, no loss."
