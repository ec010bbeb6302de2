"""Writes the first ten lines of the report, as sentences that can be forwarded as they are.

Each line answers one question by itself; numbers come with what they are of. Nothing here counts:
everything comes from `Findings`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from stress.analysis import chains as chain_words
from stress.analysis.causes.likely import catalogue
from stress.analysis.findings import Findings
from stress.analysis.proportions.binomial import ANYTIME
from stress.analysis.verdict import NANOSECONDS, duration_s
from stress.codes.catalog import chain_views, client_views, fix_for, phrase_for
from stress.model.attributes import Dimension
from stress.model.chain import Refusal
from stress.model.claims import FailureCount, RunChange, Silence
from stress.model.outcome import Category, Kind, Stage, kind_of
from stress.model.plan import NO_POLICY, Client
from stress.model.record import RecordSource
from stress.model.run import SeenChain
from stress.model.summary import FAILURE, Cause, Command, Failures, Headlines, Purpose, Validity
from stress.planning.run_command import run_argv
from stress.report.wording.backends import ABOUT_SERVERS, group_words, named_words
from stress.report.wording.causes import (
    experiment,
    fix_of,
    likely,
    load_words,
    lockout_words,
    next_run,
    silence,
    undecided,
)
from stress.report.wording.clients import MEASURED, store_versions, who_sees
from stress.report.wording.context import (
    goal_words,
    limit_sentence,
    origin,
    scope,
    unfinished,
    valid,
)
from stress.report.wording.differences import unasked
from stress.text.escape import printable, shell_line, with_names
from stress.text.numbers import counted, interval, of, percent, percent_up, seconds, some, thousands
from stress.text.units import instant, span
from stress.trust import describe, known_of
from stress.trust.reading.certificate import shown_names

DAY = "%Y-%m-%d"
RESULTS = "results"
"""The folder in which commands look for a run by its name."""
NOBODY = "No client would have seen a failure in these handshakes."
LAST_PART = 0.2
"""Of its lifetime: by then a certificate should have been renewed, however short it lives."""
MOST_CHAINS = 100
"""The commonest chains, whose certificates are checked for it."""
PATIENCE_US = 10_000_000
"""How long OkHttp waits for a connection; browsers and iOS wait longer."""
MOST_CLIENTS = 4
"""Clients that failed whose figures are told apart."""
MOST_PLACES = 3
"""Sentences of places in one line: of more only the first are told there."""
_WITH_VALUES = frozenset(
    {
        Category.EXPIRED_LEAF,
        Category.EXPIRED_INTERMEDIATE,
        Category.HOSTNAME_MISMATCH,
        Category.LIFETIME_TOO_LONG,
        Category.NOT_YET_VALID,
    }
)
"""Outcomes of which the values say more than the phrase."""


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
    servers, keys = findings.backend_count, findings.failure_keys
    failed = [part.count.failures for part in findings.backends.values()]
    named = named_words(causes, servers, keys, failed, tally.failures)
    verdict = [_failure_rate(findings, failures, validity), _too_few(failures), named]
    verdict.append(unfinished(findings) or goal_words(findings.assertions))
    if findings.facts.limits:
        verdict[:0] = map(limit_sentence, findings.facts.limits)
    elif findings.facts.invalid and tally.attempts:
        verdict.insert(0, f"No verdict: {validity.reasons[0]}.")
    if tally.failures:
        category = next(iter(tally.categories))
        places = [f"{one.category}: {one.sentence}" if several else one.sentence for one in causes]
        found = findings.explanation
        places = [
            lockout_words(found.lockout, findings.facts.started_ns),
            *_first_places(places),
            silence(found.unexplained, findings.addresses),
            load_words(found.load),
        ]
        where = " ".join(filter(None, places))
        who = _who_fails(findings, causes, category)
        fixes = dict.fromkeys(cause.fix for cause in causes if cause.fix)
        fixes = fixes or {_fix_unexplained(findings, category): None}
        fix = " ".join(filter(None, fixes)) or "Examine the failing connections first."
    else:
        where = f"No handshake failed. {odd}".rstrip()
        verdict.append(odd and f"But: {odd}")
        who = f"{who_met_nothing(findings)} {store_versions(findings.verdicts)}"
        fix = " ".join([mend or _nothing_to_fix(findings, who), *dict.fromkeys(upcoming(findings))])
    return Headlines(
        verdict=" ".join(filter(None, verdict)),
        where=f"{where} {group_words(findings.resumption_groups, findings.facts)}".rstrip(),
        what=_what(findings),
        who=who.rstrip(),
        fix=" ".join([fix, *(repairs if tally.failures else ())]),
        prove="; ".join(f"{one.why}: {shell_line(one.argv)}" for one in commands(findings)),
        seen=_detectable(findings),
        asked=scope(findings),
        whence=origin(findings),
        valid=valid(validity),
    )


def _who_fails(findings: Findings, causes: Sequence[Cause], category: str) -> str:
    """What this run measured for each client, then what each client family does."""
    tally, plan = findings.tally, findings.facts.plan
    first = next((one for one in causes if one.category == category), None)
    views = first.clients if first else client_views(category, named=plan.names_server)
    failing = _failing_chain(findings, category)[0]
    versions = store_versions(findings.verdicts, failing.sha256 if failing else b"")
    who = f"{who_sees(views) or 'Every client.'} {versions}"
    who = who if len(tally.categories) == 1 else f"{category}: {who}"
    return f"{met_by(plan.clients, tally.clients)} {who}".strip()


def met_by(clients: Sequence[Client], counts: Mapping[int, FailureCount]) -> str:
    """What this run measured for each of its clients, those that failed first; empty for one."""
    if len(clients) < 2:
        return ""
    failed = sorted(
        (index for index, count in counts.items() if count.failures and index < len(clients)),
        key=lambda index: -counts[index].failures / counts[index].attempts,
    )
    others = [count for index, count in counts.items() if index not in failed[:MOST_CLIENTS]]
    parts = [
        f"{of(counts[one].failures, counts[one].attempts)} as {clients[one].name}"
        for one in failed[:MOST_CLIENTS]
    ]
    if others:
        rest = (sum(one.failures for one in others), sum(one.attempts for one in others))
        parts.append(f"{of(*rest)} as {'others' if parts else 'any'}")
    return f"{MEASURED} {', '.join(parts)}."


def _nothing_to_fix(findings: Findings, who: str) -> str:
    """That nothing is to be fixed at the target; what there is on the way to it."""
    ours = findings.tally.ours
    if by_proxy := [name for name in ours if Category(name).is_proxys]:
        return f"On the way to the target: {fix_for(max(by_proxy, key=ours.__getitem__))}."
    return "Nothing to fix." if who.startswith(NOBODY) else "Nothing to fix in what was tested."


def _fix_unexplained(findings: Findings, category: str) -> str:
    """What to do about failures without a cause. A fix for one of several would be a guess."""
    left = findings.explanation.unexplained.likely
    testable = experiment(left, findings.facts.plan) is not None
    # A failing chain shows by itself what is wrong with it.
    if len(left) < 2 or (kind_of(category) is Kind.TRUST and not testable):
        return fix_of(category, likely(left))
    return undecided(left, testable=testable)


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
        words = _details(findings, category)
        return f"{rate} {_phrase(findings, category)}{f': {words}' if words else ''}."
    kinds = []
    for category, count in list(tally.categories.items())[:3]:
        words, phrase = _details(findings, category), _phrase(findings, category)
        kinds.append(f"{thousands(count)} {phrase}{f' ({words})' if words else ''}")
    more = len(tally.categories) - 3
    return f"{rate} failed: {'; '.join(kinds)}{f'; {more} more kinds' if more > 0 else ''}."


def _too_few(failures: Failures) -> str:
    """Why an interval is so wide; empty where it is as wide as the number of failures makes it."""
    if failures.too_few is None:
        return ""
    times = "once" if failures.too_few == 1 else "twice"
    return f"Failures came together only {times}, which is too few for a tight interval."


def _phrase(findings: Findings, category: str) -> str:
    """What these handshakes did; in the words of the likeliest root cause, if it has any."""
    explained = findings.explanation
    claims = [one.likely for one in explained.failing if one.category == category]
    if not claims and len(findings.tally.categories) == 1:
        claims = [explained.unexplained.likely]
    first = {catalogue()[fits[0].id].phrase for fits in claims if fits}
    return (first.pop() if len(first) == 1 else "") or phrase_for(category)


def _first_places(places: Sequence[str]) -> list[str]:
    """The sentences of places that one line can hold."""
    if len(places) <= MOST_PLACES:
        return [*places]
    more = counted(len(places) - MOST_PLACES + 1, "more cause")
    return [*places[: MOST_PLACES - 1], f"{more}: see Causes."]


def _details(findings: Findings, category: str) -> str:
    """What is wrong with the failing chain, each fault with its values, and what it lacks.

    Empty where no chain is involved, or where each connection had another.
    """
    bad, count = _failing_chain(findings, category)
    # With a chain for each connection, one of them does not speak for the others.
    if bad is None or 2 * count < findings.tally.categories[category]:
        return ""
    if kind_of(category) is not Kind.TRUST:
        return ""
    good = findings.tally.good_chains
    common = chain_words.reference(findings.chains, good)
    drift = chain_words.name_drift(bad, [one for one in findings.chains if one.id in good])
    comparable = common is not None and common.id in good
    foreign = category == Category.HOSTNAME_MISMATCH and not drift
    parts = _faults(findings, category, bad, named=foreign or not comparable)
    if drift:
        parts.append(drift)
    elif common is not None and comparable and not foreign and common.id != bad.id:
        parts.append(chain_words.difference(common, bad, serial=False))  # `what` has the serial
    return "; ".join(parts)


def _faults(findings: Findings, category: str, bad: SeenChain, *, named: bool) -> list[str]:
    """The faults that clients see in a chain, with their values, that of the outcome first.

    Names are left to the comparison with a good chain, where there is one.
    """
    telling = _WITH_VALUES if named else _WITH_VALUES - {Category.HOSTNAME_MISMATCH}
    found = {
        one.category.value: one.detail
        for verdict in findings.verdicts
        if verdict.chain == bad.sha256
        for one in verdict.findings
        if one.refusal is Refusal.YES and one.category in telling
    }
    order = sorted(found, key=lambda name: name != category)
    told = [found[name].replace("not valid before", "is not valid before") for name in order]
    told = [re.sub(" before$", " ago", re.sub(" later$", " after this test", one)) for one in told]
    return [f"it {one}" for one in told]


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
    seen = {one: n for one, n in findings.tally.chains.get(category, {}).items() if one is not None}
    # Where few of them got as far as a certificate, it is not what they failed by.
    if chain is not None and chain.certificates and 2 * sum(seen.values()) >= categories[category]:
        if 2 * most < categories[category]:
            each = "each seen once. For example" if most == 1 else "for example"
            return f"{counted(len(seen), 'failing chain')}, {each}: {_certificate(chain)}."
        return f"{_certificate(chain)}."
    stages = findings.tally.stages[category]
    far = ", ".join(f"{stage} ({thousands(count)})" for stage, count in stages.items())
    whose = "failing connections" if len(categories) == 1 else f"{category} ones"
    silent = category == Category.TIMEOUT_HANDSHAKE and {*stages} == {Stage.STARTTLS.label}
    hint = (
        " A port that speaks TLS first waits for the ClientHello: try --starttls none."
        if silent
        else ""
    )
    return f"No certificate is involved: the {whose} reached {far}.{hint}"


def _certificate(chain: SeenChain) -> str:
    leaf = describe(chain.certificates[0])
    above = len(chain.certificates) - 1
    sent = f"sent with {counted(above, 'intermediate')}" if above else "leaf only"
    named = chain_words.subject(chain)
    others = [name for name in leaf.sans if name != named]
    names = f" for {shown_names(leaf)}" if others else ""
    try:
        until = f", valid until {datetime.fromtimestamp(leaf.not_after, UTC):{DAY}}"
    except (OverflowError, OSError, ValueError):  # a certificate may claim any year
        until = ""
    if leaf.unreadable:
        words = f"A certificate that cannot be read ({printable(leaf.unreadable)})"
    else:
        words = (
            f"Certificate {named}{names}, serial {leaf.serial}, "
            f"issued by {chain_words.issuer(chain)}{until}"
        )
    return f"{words}, {sent} (chain {chain_words.short(chain)})"


def commands(findings: Findings) -> Iterator[Command]:
    """The commands of `prove`; none for records that are not ours."""
    facts = findings.facts
    if facts.records:
        return
    again = run_argv(facts.plan, made_now=facts.made_now)
    if not findings.tally.failures:
        yield Command(Purpose.REPRODUCE, again, "Repeat the test")
        return
    # By its name where commands find it by that, else by its path.
    file, fixed = Path(facts.file), "fixed"
    name = facts.name if file.parent.name == RESULTS else str(file.absolute())
    proof = with_names("evidence", name, options=("--out", "proof"))
    yield Command(Purpose.PROVE, proof, "Proof")
    stores = facts.plan.trust.stores
    options = ("--stores", stores) if stores else ()
    claims = findings.explanation.claims if facts.vantages else ()
    if not any(one.dimension == Dimension.VANTAGE for each in claims for one in each.conditions):
        replay = with_names("replay", name, options=options)
        yield Command(Purpose.VERIFY_FIX, replay, "After the fix")
    rare = "After the fix, if failures are rare"
    if facts.vantages:
        rare = f"After the fix, from the same {counted(len(facts.vantages), 'vantage')}"
    yield Command(Purpose.VERIFY_FIX, (*again, "--name", fixed), rare)
    yield Command(Purpose.VERIFY_FIX, with_names("compare", name, fixed), "Then compare")


ASKING = RunChange(extra=("--identify", "header:X-Served-By"))
"""The same run, in which servers name themselves."""


OFFERING = RunChange(extra=("--backends",))
"""The same run, with the resumption matrix."""


def experiments(findings: Findings) -> Iterator[Command]:
    """The commands that test the causes or settle the goals: runs that differ in that alone."""
    facts, explained = findings.facts, findings.explanation
    changes = [next_run(claim, facts.plan) for claim in explained.claims]
    if explained.unexplained.failures:
        changes.append(experiment(explained.unexplained.likely, facts.plan))

    def following(change: RunChange, why: str) -> Command:
        return Command(Purpose.NEXT, run_argv(facts.plan, change, made_now=facts.made_now), why)

    for change in filter(None, changes):
        yield following(change, "Next experiment")
    server = findings.backend_count
    if (
        server is not None
        and server.how == "ticket"
        and any(one.mechanism is not None and not one.conditions for one in explained.claims)
    ):
        if server.seen != 1 and facts.matrix is None and server.named < server.unnamed:
            yield following(OFFERING, ABOUT_SERVERS[0])
        if facts.plan.starttls is None:  # mail servers and databases have no headers
            yield following(ASKING, ABOUT_SERVERS[1])
    for settling in dict.fromkeys(one.command for one in findings.assertions if one.command):
        yield Command(Purpose.NEXT, settling, "To settle the goals")


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


def who_met_nothing(findings: Findings) -> str:
    """Which clients would have seen a failure all the same, and of which nothing is known."""
    doubts = []
    refused: dict[str, str] = {}
    for chain in findings.chains:
        by_policy = {one.policy: one for one in findings.verdicts if one.chain == chain.sha256}
        wrong = next((one.headline for one in by_policy.values() if one.headline), None)
        if wrong:
            told = partial(known_of, chain.certificates)
            views = chain_views(wrong.category.value, by_policy, told)
            refusing = {name: view for name, view in views.items() if view.fails != "no"}
            refused.setdefault(chain_words.subject(chain), who_sees(refusing))
    for name, who in list(refused.items())[:2]:
        doubts.append(f"No handshake of these clients failed, but others refuse {name}. {who}")
    notes = [one for each in findings.verdicts for one in each.findings]
    if any(
        one.category is Category.MUST_STAPLE_MISSING and one.refusal is Refusal.NO for one in notes
    ):
        doubts.append(
            "The certificate demands an OCSP staple (Must-Staple), and none was requested: whether"
            " Firefox accepts the answer is not known. Test it: --client firefox."
        )
    if findings.facts.plan.trust.policy == NO_POLICY:
        doubts.append("Chains were not judged (--policy none): no client's trust was tested.")
    for index, address in enumerate(findings.addresses):
        if not findings.tally.addresses.get(index):
            doubts.append(f"{address.named} was not reached by any handshake.")
    slow = findings.latency.get("handshake")
    if slow and slow.p99 and slow.p99 > PATIENCE_US:
        doubts.append(
            f"The slowest 1% took over {seconds(slow.p99 / 1e6)}: OkHttp gives up after 10 s."
        )
    return " ".join(doubts) or NOBODY


def upcoming(findings: Findings) -> Iterator[str]:
    """What will fail unless something is done: certificates in the last part of their lifetime."""
    now = findings.facts.started_ns // 1_000_000_000
    # With a certificate for each connection nobody renews them one by one.
    for chain in chain_words.by_frequency(findings.chains)[:MOST_CHAINS]:
        for der in chain.certificates:
            one = describe(der)
            left = one.not_after - now
            if not (one.is_ca and one.self_issued) and 0 < left < LAST_PART * one.lifetime:
                is_leaf = der == chain.certificates[0]
                yield (
                    f"Renew {chain_words.subject(chain) if is_leaf else one.subject}: it"
                    f" expires {instant(one.not_after)}, in {span(left)}"
                    f" ({percent(left / one.lifetime)} of its lifetime is left)."
                )


# The lines about records that are not ours. What only a run can say (which certificate, who would
# see it, how to prove it) is left out: the line is empty, and no form of the report shows it.

MOST_KINDS = 3
MOST_COLUMNS = 8
"""Columns of one sort that a line names."""


def record_headlines(
    findings: Findings, failures: Failures, causes: Sequence[Cause], validity: Validity
) -> Headlines:
    """The lines that make sense of them."""
    source = findings.facts.records
    assert source is not None
    several = len({cause.category for cause in causes if cause.kind == FAILURE}) > 1
    places = [
        f"{one.category}: {one.sentence}" if several and one.kind == FAILURE else one.sentence
        for one in causes
    ]
    found = findings.explanation.unexplained
    if found.silence is Silence.NOTHING_DIFFERS:
        places.append("No column could be searched: each has one value, or too many.")
    else:
        places.append(silence(found))
    verdict = [record_failure_rate(findings, failures), goal_words(findings.assertions)]
    if not failures.count and causes:  # then all of them are about latency
        verdict.append(f"But: {causes[0].sentence}")
    reasons = "; ".join(validity.reasons)
    return Headlines(
        verdict=" ".join(filter(None, verdict)),
        where=" ".join(filter(None, places)),
        what="",
        who="",
        fix="",
        prove="",
        seen="",
        asked=searched_columns(findings, source),
        whence=time_span(findings, source),
        valid=f"Valid, with warnings: {reasons}." if reasons else "Valid: every row was read.",
    )


def record_failure_rate(findings: Findings, failures: Failures) -> str:
    """How many failed, and of which kinds."""
    tally, episodes = findings.tally, findings.estimate.episodes
    rate = (
        f"{thousands(tally.failures)} of {thousands(tally.attempts)} attempts failed "
        f"({percent(failures.share)}, 95% CI {interval(failures.interval)})"
    )
    if episodes is not None:
        rate += f", in {counted(episodes.count, 'episode')}"
        rate += f" (longest {seconds(episodes.longest_s)})"
    kinds = [f"{thousands(n)} {name}" for name, n in list(tally.categories.items())[:MOST_KINDS]]
    if len(tally.categories) < 2:
        return f"{rate}."
    more = len(tally.categories) - MOST_KINDS
    return f"{rate}: {'; '.join(kinds)}{f'; {more} more kinds' if more > 0 else ''}."


def searched_columns(findings: Findings, source: RecordSource) -> str:
    """The files, the expression, the columns, and what was left out."""
    table = findings.records
    searched = [column.name for column in table.columns] if table else []
    which = f"a row failed where {source.failed}" if source.failed else "no row counts as failed"
    words = f"{some(source.files, MOST_COLUMNS)}; {which}"
    words += f"; its time is {source.time}" if source.time else ""
    words += f". Searched: {some(searched, MOST_COLUMNS) or 'no column'}."
    if source.how:
        words += f" {'; '.join(source.how)[:1].upper()}{'; '.join(source.how)[1:]}."
    if source.left_out:
        left_out = [f"{name} ({why})" for name, why in source.left_out.items()]
        words += f" Left out: {some(left_out, MOST_COLUMNS)}."
    return words


def time_span(findings: Findings, source: RecordSource) -> str:
    """How many rows, from when to when."""
    facts = findings.facts
    rows = counted(source.rows, "row")
    if source.attempts != source.rows:
        rows += f" that count for {counted(source.attempts, 'attempt')}"
    if facts.first_ns is None or facts.last_ns is None:
        return f"{rows} without times."
    begin, end = (
        datetime.fromtimestamp(at // NANOSECONDS, UTC) for at in (facts.first_ns, facts.last_ns)
    )
    return f"{rows} from {begin:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC."
