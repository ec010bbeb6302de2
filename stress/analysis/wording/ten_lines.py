"""The report's first ten lines as sentences which somebody can forward as they are.

Each line answers one question and stands alone; numbers come with what they are of. Nothing here
counts: everything is handed in (`Findings`), so that a sentence can be tested by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from stress.analysis import chains as chain_words
from stress.analysis.causes.classes import Explanation
from stress.analysis.command import run_line
from stress.analysis.goals.evidence import blind_to
from stress.analysis.limit.limit_text import sentence
from stress.analysis.proportions.binomial import detectable
from stress.analysis.proportions.estimate import Estimate
from stress.analysis.proportions.sequence import ANYTIME, confidence_sequence
from stress.analysis.tally import RunCounts
from stress.analysis.tested import asked, duration_s, whence
from stress.analysis.verdict import goal_words
from stress.analysis.wording.advice import got, remedy, who_sees
from stress.model.outcome import Kind, Outcome
from stress.model.run import RunFacts, SeenChain
from stress.model.summary import Assertion, Failures, Headlines, Validity
from stress.model.target import Address
from stress.text.escape import printable
from stress.text.numbers import counted, interval, percent, percent_up, seconds, thousands
from stress.trust import client_views, describe

DAY = "%Y-%m-%d"


@dataclass(frozen=True, slots=True)
class Findings:
    """All that the sentences are made of."""

    facts: RunFacts
    tally: RunCounts
    estimate: Estimate
    failures: Failures
    explanation: Explanation
    chains: tuple[SeenChain, ...]
    addresses: tuple[Address, ...]
    validity: Validity
    """Commands that exist, such as `evidence`; a sentence never names one that does not."""
    assertions: tuple[Assertion, ...] = ()
    repairs: tuple[str, ...] = ()
    """What was proven by fetching what chains lack, as sentences."""


def headlines(findings: Findings) -> Headlines:
    """The ten lines, in the contract's order."""
    return Headlines(
        verdict=headline(findings),
        where=where(findings),
        what=what(findings),
        who=who(findings),
        fix=fix(findings),
        prove=prove(findings),
        seen=seen(findings),
        asked=asked(findings.facts, findings.tally, findings.addresses),
        whence=whence(findings.facts, findings.tally),
        valid=valid(findings.validity),
    )


def headline(findings: Findings) -> str:
    """How much failed, with its interval, and what it was; then what that says of the goals."""
    words = [_headline(findings)]
    if findings.facts.limits:
        words[:0] = map(sentence, findings.facts.limits)
    elif findings.facts.invalid and findings.tally.attempts:
        words.insert(0, f"No verdict: {findings.validity.reasons[0]}.")
    goals = goal_words(findings.assertions)
    return " ".join([*words, goals] if goals else words)


def _headline(findings: Findings) -> str:
    tally = findings.tally
    if not tally.attempts:
        return f"No answer: {findings.validity.reasons[0]}."
    if not tally.failures:
        return _clean(findings)
    share = (
        f"{thousands(tally.failures)} of {thousands(tally.attempts)} handshakes "
        f"({percent(findings.failures.share)}, 95% {interval(findings.failures.interval)})"
    )
    share += _episodes(findings)
    if len(tally.categories) == 1:
        category = next(iter(tally.categories))
        return f"{share} {got(category)}{_difference(findings, category)}."
    kinds = "; ".join(
        f"{thousands(count)} {got(category)}{_difference(findings, category, '(', ')')}"
        for category, count in list(tally.categories.items())[:3]
    )
    more = len(tally.categories) - 3
    return f"{share} failed: {kinds}{f'; {more} more kinds' if more > 0 else ''}."


def _episodes(findings: Findings) -> str:
    """Clustered failures are few observations: say how many."""
    found = findings.estimate.episodes
    if found is None:
        return ""
    if found.count == 1:
        return f", all in one episode of {seconds(found.longest_s)},"
    return f", in {found.count} episodes (longest {seconds(found.longest_s)}),"


def _clean(findings: Findings) -> str:
    attempts = findings.tally.attempts
    if findings.estimate.unresolved:
        return (
            f"0 of {thousands(attempts)} failed, but {thousands(findings.estimate.unresolved)} more"
            " had begun and have no ending: what is slow may be what fails."
        )
    if findings.failures.interval.method == ANYTIME:
        # One-sided 95%, as the claims are; the interval beside it has two sides.
        bound = percent_up(confidence_sequence(0, attempts, 0.90).high)
        return f"0 of {thousands(attempts)} failed: below {bound} (95%, whenever it was stopped)."
    bound = percent_up(detectable(attempts))
    return f"0 of {thousands(attempts)} failed; a share of {bound} or more would have shown, 95%."


def _difference(findings: Findings, category: str, before: str = "", after: str = "") -> str:
    """What the failing chain has that the good one has not: `: intermediate … missing`."""
    bad = failing_chain(findings, category)
    common = chain_words.reference(findings.chains, findings.tally.good_chains)
    if bad is None or common is None or Outcome.parse(category).kind is not Kind.TRUST:
        return ""
    words = chain_words.difference(common, bad)
    if not words or common.id not in findings.tally.good_chains:
        return ""
    return f" {before}{words}{after}" if before else f": {words}"


def failing_chain(findings: Findings, category: str) -> SeenChain | None:
    """The chain most of these failures got; None when no chain was seen."""
    seen_by = findings.tally.chains.get(category, {})
    met = [(count, chain) for chain, count in seen_by.items() if chain is not None]
    if not met:
        return None
    most = max(met, key=lambda pair: (pair[0], -pair[1]))[1]
    return next((chain for chain in findings.chains if chain.id == most), None)


def where(findings: Findings) -> str:
    """What the failing connections have in common, the causes in their order."""
    if not findings.tally.failures:
        return "No failing handshake, so there is no place to name."
    causes = findings.explanation.failing
    several = len({cause.category for cause in causes}) > 1
    told = [
        f"{cause.category}: {cause.sentence}" if several else cause.sentence for cause in causes
    ]
    if findings.explanation.silence:
        told.append(findings.explanation.silence)
    if findings.explanation.load:
        told.append(findings.explanation.load)
    return " ".join(told)


def what(findings: Findings) -> str:
    """The certificate in question, by name; for a failure without one, how far it came."""
    if not findings.tally.failures:
        return _seen_certificates(findings)
    category = next(iter(findings.tally.categories))
    chain = failing_chain(findings, category)
    if chain is None or not chain.certificates:
        return _no_certificate(findings, category)
    return f"{_certificate(chain)}."


def _certificate(chain: SeenChain) -> str:
    leaf = describe(chain.certificates[0])
    sent = len(chain.certificates)
    alone = "sent alone" if sent == 1 else f"sent with {sent - 1} more"
    named = f"Certificate {chain_words.subject(chain)}"
    if leaf.unreadable:
        named = f"A certificate that cannot be read ({printable(leaf.unreadable)})"
    else:
        named += f", serial {leaf.serial}, issued by {chain_words.issuer(chain)}"
        named += _until(leaf.not_after)
    return f"{named}, {alone} (chain {chain_words.short(chain)})"


def _until(not_after: int) -> str:
    try:
        return f", valid until {datetime.fromtimestamp(not_after, UTC):{DAY}}"
    except (OverflowError, OSError, ValueError):  # a certificate may claim any year
        return ""


def _no_certificate(findings: Findings, category: str) -> str:
    stages = findings.tally.stages[category]
    far = ", ".join(f"{stage} ({thousands(count)})" for stage, count in stages.items())
    whose = "failing connections" if len(findings.tally.categories) == 1 else f"{category} ones"
    return f"No certificate is in question: the {whose} came as far as {far}."


def _seen_certificates(findings: Findings) -> str:
    ordered = chain_words.by_frequency(findings.chains)
    if not ordered:
        return "No certificate was seen."
    if len(ordered) == 1:
        return f"One chain everywhere. {_certificate(ordered[0])}."
    return f"{len(ordered)} distinct chains, all good. Commonest: {_certificate(ordered[0])}."


def who(findings: Findings) -> str:
    """Which clients would notice, with the codes their users see."""
    if not findings.tally.failures:
        return "Nobody would have seen a failure in these handshakes."
    category = next(iter(findings.tally.categories))
    causes = (one for one in findings.explanation.failing if one.category == category)
    first = next(causes, None)
    views = first.clients if first else client_views(category)
    words = who_sees(views) or "Every client that meets this ending."
    return words if len(findings.tally.categories) == 1 else f"Of {category}: {words}"


def fix(findings: Findings) -> str:
    """What to do about it, in plain words."""
    if not findings.tally.failures:
        return "Nothing to fix was found."
    fixes = dict.fromkeys(cause.fix for cause in findings.explanation.failing if cause.fix)
    if not fixes:
        fixes = dict.fromkeys(remedy(category) for category in findings.tally.categories)
    words = " ".join(one for one in fixes if one) or "Look at the failing connections first."
    return " ".join([words, *findings.repairs])


def prove(findings: Findings) -> str:
    """How to hand over proof and how to check a fix."""
    name, again = findings.facts.name, run_line(findings.facts.plan)
    if not findings.tally.failures:
        return f"To ask again: {again}"
    return (
        f"Proof: tls-stress evidence {name} --out proof. After the fix: tls-stress replay {name}; "
        f"where the failure is rare: {again} --name fixed; tls-stress compare {name} fixed"
    )


def seen(findings: Findings) -> str:
    """What share could have been seen, and what a clean answer did not test."""
    attempts = findings.tally.attempts
    if not attempts:
        return "Nothing could have been seen."
    return (
        f"A share of {percent_up(detectable(attempts))} or more would have shown at least once in "
        f"{counted(attempts, 'handshake')} (95%).{_outages(findings.facts)}"
    )


def _outages(facts: RunFacts) -> str:
    elapsed = duration_s(facts)
    return f" {blind_to(elapsed)}" if elapsed else ""


def valid(judged: Validity) -> str:
    """Whether the run may be believed, and why."""
    reasons = "; ".join(judged.reasons)
    if judged.valid:
        return f"Valid. But: {reasons}." if reasons else "Valid: no local failure, nothing lost."
    return f"Not valid: {reasons}."
