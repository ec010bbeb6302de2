"""Writes the first ten lines of the report, as sentences that can be forwarded as they are.

Each line answers one question by itself; numbers come with what they are of. Nothing here counts:
everything comes from `Findings`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from stress.analysis import chains as chain_words
from stress.analysis.findings import Findings
from stress.analysis.proportions.sequence import ANYTIME
from stress.analysis.verdict import duration_s
from stress.codes.catalog import client_views, phrase_for
from stress.model.outcome import Kind, Outcome
from stress.model.run import SeenChain
from stress.model.summary import FAILURE, Cause, Command, Failures, Headlines, Purpose, Validity
from stress.planning.run_command import run_argv
from stress.report.wording.causes import (
    fix_of,
    likely,
    load_words,
    lockout_words,
    silence,
    who_sees,
)
from stress.report.wording.context import (
    goal_words,
    limit_sentence,
    origin,
    scope,
    unfinished,
    valid,
)
from stress.report.wording.differences import unasked
from stress.report.wording.store_versions import store_versions
from stress.text.escape import printable, shell_line, with_names
from stress.text.numbers import counted, interval, percent, percent_up, seconds, thousands
from stress.trust import describe

DAY = "%Y-%m-%d"


def headlines(
    findings: Findings,
    failures: Failures,
    causes: Sequence[Cause],
    validity: Validity,
    repairs: Sequence[str] = (),
) -> Headlines:
    """The ten lines, in the contract's order.

    Args:
        findings: of the run.
        failures: its failure rate, with the interval.
        causes: its causes, in words.
        validity: whether to trust it, in words.
        repairs: what was proven by fetching what chains lack, as sentences.
    """
    tally, (odd, mend) = findings.tally, unasked(causes, findings.latency)
    causes = [cause for cause in causes if cause.kind == FAILURE]
    several = len({cause.category for cause in causes}) > 1
    verdict = [_failure_rate(findings, failures, validity), _too_few(failures)]
    verdict.append(unfinished(findings) or goal_words(findings.assertions))
    if findings.facts.limits:
        verdict[:0] = map(limit_sentence, findings.facts.limits)
    elif findings.facts.invalid and tally.attempts:
        verdict.insert(0, f"No verdict: {validity.reasons[0]}.")
    if tally.failures:
        category = next(iter(tally.categories))
        places = [f"{one.category}: {one.sentence}" if several else one.sentence for one in causes]
        found = findings.explanation
        since = lockout_words(found.lockout, findings.facts.started_ns)
        places = [since, *places, silence(found.unexplained), load_words(found.load)]
        where = " ".join(filter(None, places))
        first = next((one for one in causes if one.category == category), None)
        views = first.clients if first else client_views(category)
        failing = _failing_chain(findings, category)[0]
        versions = store_versions(findings.verdicts, failing.sha256 if failing else b"")
        who = f"{who_sees(views) or 'Every client.'} {versions}"
        who = who if len(tally.categories) == 1 else f"{category}: {who}"
        broad = fix_of(category, likely(found.unexplained.likely))
        fixes = dict.fromkeys(cause.fix for cause in causes if cause.fix) or {broad: None}
        fix = " ".join(filter(None, fixes)) or "Examine the failing connections first."
        proof, replay, again, compare = (shell_line(one.argv) for one in commands(findings))
        prove = f"Proof: {proof}. After the fix: {replay}; if failures are rare: {again}; {compare}"
    else:
        where, fix = f"No handshake failed. {odd}".rstrip(), mend or "Nothing to fix."
        verdict.append(odd and f"But: {odd}")
        who = f"No client in use would have seen a failure. {store_versions(findings.verdicts)}"
        prove = f"Repeat the test: {shell_line(next(commands(findings)).argv)}"
    return Headlines(
        verdict=" ".join(filter(None, verdict)),
        where=where,
        what=_what(findings),
        who=who.rstrip(),
        fix=" ".join([fix, *(repairs if tally.failures else ())]),
        prove=prove,
        seen=_detectable(findings),
        asked=scope(findings),
        whence=origin(findings),
        valid=valid(validity),
    )


def _failure_rate(findings: Findings, failures: Failures, validity: Validity) -> str:
    tally = findings.tally
    if not tally.attempts:
        return f"No answer: {validity.reasons[0]}."
    if not tally.failures:
        none = f"0 of {counted(tally.attempts, 'handshake')} failed"
        if findings.estimate.unresolved:
            return (
                f"{none}, but {thousands(findings.estimate.unresolved)} more had begun and have no "
                "outcome: slow handshakes may be the failing ones."
            )
        if failures.interval.method == ANYTIME:
            return (
                f"{none}; the failure rate is below {percent_up(findings.bound)} (95% confidence, "
                "at any stopping time)."
            )
        bound = percent_up(findings.detectable)
        return (
            f"{none}; a failure rate of {bound} or more would have been detected (95% confidence)."
        )
    rate = (
        f"{thousands(tally.failures)} of {thousands(tally.attempts)} handshakes "
        f"({percent(failures.share)}, 95% CI {interval(failures.interval)})"
    )
    episodes = findings.estimate.episodes
    if episodes is not None and episodes.count == 1:
        rate += f", all in one episode of {seconds(episodes.longest_s)},"
    elif episodes is not None:
        rate += f", in {episodes.count} episodes (longest {seconds(episodes.longest_s)}),"
    if len(tally.categories) == 1:
        category = next(iter(tally.categories))
        words = _difference(findings, category)
        return f"{rate} {phrase_for(category)}{f': {words}' if words else ''}."
    kinds = []
    for category, count in list(tally.categories.items())[:3]:
        words = _difference(findings, category)
        kinds.append(f"{thousands(count)} {phrase_for(category)}{f' ({words})' if words else ''}")
    more = len(tally.categories) - 3
    return f"{rate} failed: {'; '.join(kinds)}{f'; {more} more kinds' if more > 0 else ''}."


def _too_few(failures: Failures) -> str:
    """Why an interval is so wide; empty where it is as wide as the number of failures makes it."""
    if failures.too_few is None:
        return ""
    times = "once" if failures.too_few == 1 else "twice"
    return f"Failures came together only {times}, which is too few for a tight interval."


def _difference(findings: Findings, category: str) -> str:
    """What the failing chain lacks, or has different from the good one; empty where unknown."""
    bad, count = _failing_chain(findings, category)
    # With a chain for each connection, one of them does not speak for the others.
    if 2 * count < findings.tally.categories[category]:
        return ""
    good = findings.tally.good_chains
    common = chain_words.reference(findings.chains, good)
    if bad is None or common is None or common.id not in good:
        return ""
    return chain_words.difference(common, bad) if Outcome.parse(category).kind is Kind.TRUST else ""


def _failing_chain(findings: Findings, category: str) -> tuple[SeenChain | None, int]:
    """The chain that most of these failures received, and how many; None: no chain was seen."""
    seen_by = findings.tally.chains.get(category, {})
    met = [(count, chain) for chain, count in seen_by.items() if chain is not None]
    count, most = max(met, key=lambda pair: (pair[0], -pair[1]), default=(0, -1))
    return next((chain for chain in findings.chains if chain.id == most), None), count


def _what(findings: Findings) -> str:
    """The certificate in question, by name; for a failure without one, how far it came."""
    categories = findings.tally.categories
    if not categories:
        ordered = chain_words.by_frequency(findings.chains)
        if not ordered:
            return "No certificate was seen."
        if len(ordered) == 1:
            return f"The same chain on all connections. {_certificate(ordered[0])}."
        each = "each seen once. For example" if ordered[0].seen == 1 else "all good. Most common"
        count = thousands(len(ordered))
        return f"{count} distinct chains, {each}: {_certificate(ordered[0])}."
    category = next(iter(categories))
    chain, most = _failing_chain(findings, category)
    if chain is not None and chain.certificates:
        several = sum(1 for one in findings.tally.chains[category] if one is not None)
        if most == 1 < several:
            each = f"{thousands(several)} failing chains, each seen once. For example"
            return f"{each}: {_certificate(chain)}."
        return f"{_certificate(chain)}."
    stages = findings.tally.stages[category]
    far = ", ".join(f"{stage} ({thousands(count)})" for stage, count in stages.items())
    whose = "failing connections" if len(categories) == 1 else f"{category} ones"
    return f"No certificate is involved: the {whose} reached {far}."


def _certificate(chain: SeenChain) -> str:
    leaf = describe(chain.certificates[0])
    above = len(chain.certificates) - 1
    sent = f"sent with {counted(above, 'intermediate')}" if above else "leaf only"
    try:
        until = f", valid until {datetime.fromtimestamp(leaf.not_after, UTC):{DAY}}"
    except (OverflowError, OSError, ValueError):  # a certificate may claim any year
        until = ""
    if leaf.unreadable:
        named = f"A certificate that cannot be read ({printable(leaf.unreadable)})"
    else:
        named = (
            f"Certificate {chain_words.subject(chain)}, serial {leaf.serial}, "
            f"issued by {chain_words.issuer(chain)}{until}"
        )
    return f"{named}, {sent} (chain {chain_words.short(chain)})"


def commands(findings: Findings) -> Iterator[Command]:
    """The commands of `prove`; none for records that are not ours."""
    facts = findings.facts
    if facts.records:
        return
    name, again = facts.name, run_argv(facts.plan, made_now=facts.made_now)
    if not findings.tally.failures:
        yield Command(Purpose.REPRODUCE, again)
        return
    yield Command(Purpose.PROVE, with_names("evidence", name, options=("--out", "proof")))
    stores = facts.plan.trust.stores
    options = ("--stores", stores if facts.made_now else "FILE") if stores else ()
    yield Command(Purpose.VERIFY_FIX, with_names("replay", name, options=options))
    yield Command(Purpose.VERIFY_FIX, (*again, "--name", "fixed"))
    yield Command(Purpose.VERIFY_FIX, with_names("compare", name, "fixed"))


def experiments(findings: Findings) -> Iterator[Command]:
    """The commands that test the causes or settle the goals: runs that differ in that alone."""
    facts = findings.facts
    for claim in findings.explanation.claims:
        if claim.experiment:
            argv = run_argv(facts.plan, claim.experiment, made_now=facts.made_now)
            yield Command(Purpose.NEXT, argv)
    for settling in dict.fromkeys(one.command for one in findings.assertions if one.command):
        yield Command(Purpose.NEXT, settling)


def _detectable(findings: Findings) -> str:
    """What failure rate, and which outages, would have been detected."""
    attempts, elapsed = findings.tally.attempts, duration_s(findings.facts)
    if not attempts:
        return "Nothing could have been detected."
    words = (
        f"A failure rate of {percent_up(findings.detectable)} or more would have been detected in "
        f"{counted(attempts, 'handshake')} (95% confidence)."
    )
    if not elapsed:
        return words
    # No episode in T: with 95% confidence there are fewer than 3 in T.
    rare = seconds(elapsed / 3.0)
    return f"{words} Outages less frequent than about one in {rare} could have been missed."
