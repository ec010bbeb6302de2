"""Writes what a run tested, from where and when, and whether to trust it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from stress.analysis import chains as chain_words
from stress.analysis.causes.likely import catalogue
from stress.analysis.findings import Findings
from stress.analysis.verdict import NANOSECONDS, SEARCH, duration_s, policy_names
from stress.model.claims import RunChange, Untested, ValidityClaim
from stress.model.limit import SLOW, SLOW_ANSWER, SLOW_CONNECT, Limit
from stress.model.plan import Stack
from stress.model.run import End
from stress.model.summary import Assertion, Validity
from stress.planning.run_command import SAME, run_argv
from stress.report.wording.backends import balancing_words, joined_sentences, server_words
from stress.text.escape import shell_line, with_letters, with_names
from stress.text.numbers import counted, of, offered, seconds, some, thousands
from stress.text.templates import read_texts

# Writes what a search for a limit found.

_LATE = {
    SLOW: "latency",
    SLOW_CONNECT: "slow-connect (TCP connections opened late)",
    SLOW_ANSWER: "slow-answer (the ClientHello was answered late)",
}


def limit_sentence(limit: Limit) -> str:
    """The answer to "how much can it take?"."""
    if limit.sustained is None and limit.first_failing is None:
        return f"No step of the search for {limit.goal} was finished: it had too little time."
    factor = _LATE.get(limit.gave_way, limit.gave_way)
    confirmed = "" if limit.confirmed else " (not confirmed)"
    held = f"Sustained {_load(limit, limit.sustained)} with {limit.goal}"
    failing = _load(limit, limit.first_failing)
    once = f"; {_load(limit, limit.held_once)} held in one step only" if limit.held_once else ""
    if limit.generator_limited:
        known = f"Held at {_load(limit, limit.sustained)} with {limit.goal}"
        none = f"It is not known whether {limit.goal} holds at any {limit.knob}"
        known = none if limit.sustained is None else known
        answer = f"{known}; this machine cannot test above {failing}."
    elif limit.sustained is None:
        answer = (
            f"No {limit.knob} was found at which {limit.goal} holds: it fails even at"
            f" {failing}{once}; limiting factor: {factor}."
        )
    elif limit.first_failing is None:
        answer = f"{held}, the highest {limit.knob} that was tried{confirmed}."
    else:
        bounds = [
            f"{word} {_load(limit, bound)}"
            for word, bound in (("above", limit.low), ("below", limit.high))
            if bound is not None
        ]
        interval = f", {' and '.join(bounds)} with 95% confidence" if bounds else ""
        first = f"first failing {failing}{confirmed}{interval}{once}"
        answer = f"{held}, {first}; limiting factor: {factor}."
    return f"{limit.of}: {answer[0].lower()}{answer[1:]}" if limit.of else answer


def _load(limit: Limit, load: float | None) -> str:
    if load is None:
        return f"no {limit.knob}"
    return f"{offered(load)}{limit.knob.unit}"


def scope(findings: Findings) -> str:
    """The client profiles, the addresses, the name and the trust store; what was left out."""
    plan, trust = findings.facts.plan, findings.facts.plan.trust
    clients = ", ".join(
        f"{one.name} (by OpenSSL)" if plan.stack_of(one) is Stack.OPENSSL else one.name
        for one in plan.clients
    )
    name = f"SNI {with_letters(plan.server_name)}" if plan.server_name else "no SNI"
    anchors = f" ({counted(len(trust.anchors), 'anchor')})" if trust.anchors else ""
    if trust.stores:
        store = f"root stores of {trust.stores}"
    elif trust.private or not trust.anchors_from:
        store = f"trust store {Path(trust.anchors_from).name}{anchors}"
    else:
        store = f"each client's own root store, and this machine's ({trust.anchors_from}{anchors})"
    via = f" by STARTTLS ({plan.starttls})" if plan.starttls else ""
    via += f" through the proxy {plan.proxy}" if plan.proxy else ""
    known = read_texts(__package__, "words.toml")["untested"]
    gaps = [known[gap] for gap in findings.untested if gap is not Untested.OTHER_TIMES]
    gaps.append(f"times outside these {_duration(findings)}")
    addresses, joined = findings.addresses, findings.facts.joined
    shown = some([one.named for one in addresses], 3)
    if plan.proxy and any(one.family == "name" for one in addresses):
        over = "the addresses that the proxy chose"
    elif len(addresses) == 1:
        over = f"address {shown}"
    else:
        over = (
            f"{len(addresses)} addresses, each sampled equally ({shown};"
            " rates are of our samples, not of the users')"
        )
    return (
        f"{plan.target}{via} with client {clients} over {over}, {name}, "
        f"{store}, policy {policy_names(plan)}. "
        f"{sessions(findings)}"
        f"{f'{joined_sentences(joined)[0]}. ' if joined else ''}"
        f"{_inspected(findings)}"
        f"{server_words(findings.backend_count)}{balancing_words(findings.balancing)}"
        f"Not tested: {', '.join(gaps)}."
    )


def _inspected(findings: Findings) -> str:
    """That the proxy answers in the target's place, where an issuer says so."""
    if findings.facts.plan.proxy is None:
        return ""
    known = {word for rule in catalogue()["tls-inspection"].when for word in rule.subjects}
    for chain in findings.chains:
        issuer = chain_words.issuer(chain) if chain.certificates else ""
        if any(word in issuer.lower() for word in known):
            return (
                f"The path is likely inspected: {issuer} issues certificates for proxies that"
                " answer in the target's place, so this says more of them than of the target. "
            )
    return ""


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
    begun = datetime.fromtimestamp(facts.begun_ns // NANOSECONDS, UTC)
    elapsed = duration_s(facts)
    rate = f" ({attempts / elapsed:,.0f}/s)" if elapsed else ""
    processes = facts.plan.load.processes
    unnamed = counted(len(facts.vantages), "vantage") if facts.vantages else "this machine"
    return (
        f"{facts.host or unnamed}, {begun:%Y-%m-%d %H:%M:%S} UTC, "
        f"{counted(attempts, 'handshake')} in {_duration(findings)}{rate}, "
        f"{processes} process{'es' if processes != 1 else ''}."
    )


def _duration(findings: Findings) -> str:
    elapsed = duration_s(findings.facts)
    return "an unknown time" if elapsed is None else seconds(elapsed)


def goal_words(assertions: Sequence[Assertion]) -> str:
    """Which goals were refuted, which are undecided, which hold; empty without any.

    That a rate is below a limit is said of the time that was seen: without an outage in T there
    are fewer than 3 in T, with 95% confidence.
    """
    sentences = []
    for holds, word in (("no", "Refuted"), ("unknown", "Undecided"), ("yes", "Holds")):
        those = [one for one in assertions if one.holds == holds]
        if holds == "unknown":
            sentences += [f"{word}: {', '.join(map(to_settle, those))}."] if those else []
            commands = dict.fromkeys(shell_line(one.command) for one in those if one.command)
            sentences += [f"To settle it: {line}." for line in commands]
            continue
        plain = [one.expression for one in those if one.seen_s is None]
        sentences += [f"{word}: {', '.join(plain)}."] if plain else []
        seen = [one.expression for one in those if one.seen_s is not None]
        if seen:
            seen_s = max(one.seen_s or 0.0 for one in those)
            sentences.append(
                f"{word} for the {seconds(seen_s)} seen: {', '.join(seen)} (outages less frequent"
                f" than about one in {seconds(seen_s / 3.0)} could have been missed)."
            )
    return " ".join(sentences)


def to_settle(one: Assertion) -> str:
    """An undecided goal, with how many more handshakes settle it."""
    if one.needed is None:
        return f"{one.expression} (no number of handshakes is known to settle it)"
    more = f"about {thousands(one.needed)} more {'handshake' if one.needed == 1 else 'handshakes'}"
    if one.expression.startswith(SEARCH):
        return f"{one.expression} (not confirmed; another search, {more}, may confirm it)"
    return f"{one.expression} ({more}, coming out like these, would settle it)"


def with_commands(findings: Findings) -> tuple[Assertion, ...]:
    """The goals; those that are undecided with the run that is long enough to settle them."""
    plan, asked = findings.facts.plan, list[str]()
    needed = 0
    for one in findings.assertions:
        if not one.expression.startswith(SEARCH):
            asked += ["--assert", one.expression]
            needed = max(needed, one.needed or 0)
    longer = RunChange(count=findings.tally.attempts + needed, extra=tuple(asked))
    answers = []
    for one in findings.assertions:
        change = SAME if one.expression.startswith(SEARCH) else longer
        settles = one.needed is not None
        argv = run_argv(plan, change, made_now=findings.facts.made_now) if settles else ()
        answers.append(replace(one, command=argv))
    return tuple(answers)


def unfinished(findings: Findings) -> str:
    """What is left of a run that has no end, and how to go on with it; empty where it has one."""
    facts, load = findings.facts, findings.facts.plan.load
    if facts.end is not End.UNFINISHED or findings.assertions:
        return ""
    left = max(0, (load.count or 0) - facts.started)
    if load.count is None and load.duration_s and findings.duration_s:
        pace = findings.tally.attempts / findings.duration_s
        left = max(0, round(pace * (load.duration_s - findings.duration_s)))
    more = f"about {counted(left, 'handshake')} of its plan are left" if left else "it has no end"
    resume = shell_line(with_names("run", options=("--continue", facts.name)))
    return f"Undecided, because the run did not finish: {more}. If it has died: {resume}."


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
