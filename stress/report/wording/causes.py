"""Writes the claims about failures as causes: where, how much there and elsewhere, since when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import ceil, log

from stress.analysis.causes.likely import catalogue
from stress.analysis.chains import difference
from stress.analysis.findings import Findings
from stress.codes.catalog import client_views, fix_for
from stress.model.attributes import Dimension, listed, place
from stress.model.claims import (
    Basis,
    Claim,
    FailureCount,
    LoadClaim,
    Lockout,
    Mechanism,
    Recurrence,
    RootCause,
    RunChange,
    Shape,
    Timing,
    UnexplainedClaim,
)
from stress.model.outcome import Category
from stress.model.plan import Address, Plan
from stress.model.run import RunFacts, SeenChain
from stress.model.summary import (
    FAILURE,
    INCONSISTENCY,
    LATENCY,
    Cause,
    Condition,
    Likely,
    Unexplained,
)
from stress.planning.run_command import run_argv
from stress.report.wording.backends import untold
from stress.report.wording.differences import negotiated, slow
from stress.text.escape import printable, shell_line
from stress.text.numbers import counted, of, percent, seconds, thousands
from stress.text.templates import read_texts
from stress.text.units import time_of_day
from stress.trust import describe, known_missing, open_end

_UNFINISHED = (Category.INCOMPLETE_CHAIN, Category.WRONG_INTERMEDIATE)
_WRITTEN_OUT = "That certificate is known: `tls-stress evidence` writes it out as missing.pem."
LONGEST_URL = 200


def remedy(outcome: str, chain: SeenChain | None = None) -> str:
    """What to do, as a sentence; names an issuer that was not sent, and where to get it."""
    last = open_end(chain.certificates) if chain and outcome in _UNFINISHED else None
    words = fix_for(outcome, printable(last.issuer) if last else "").rstrip(".")
    if not words:
        return ""
    fix = f"{words[:1].upper()}{words[1:]}."
    at = chain.first_ns // 1_000_000_000 if chain else 0
    if chain and last and known_missing(chain.certificates, at):
        fix += f" {_WRITTEN_OUT}"
    # The first address that a browser could open; certificates name files and directories too.
    for url in last.aia_issuers if last else ():
        if url.lower().startswith(("http:", "https:")):
            return f"{fix} It is available at {printable(url, LONGEST_URL)}."
    return fix


_SAME_NAME = {
    "label": "address",
    "family": "address",
    "sni": "client",
    "leaf": "chain",
    "issuer": "chain",
    "time": "rate",
}
"""Dimensions that are other names of one: an alias in them is no other explanation."""
SAME_EVERYWHERE = (
    "Nothing fails. Unless certificates are being replaced right now, deploy the same chain on "
    "every node."
)
_NAMED_BY_THE_CHAIN = frozenset(
    {"intermediate-not-deployed", "second-intermediate-not-deployed", "stale-bundle"}
)
_KINDS = {
    Basis.DIFFERENCE: INCONSISTENCY,
    Basis.NEGOTIATED: INCONSISTENCY,
    Basis.SLOW: LATENCY,
}
_BY_SEARCH = "a search chose these loads, not chance: a change over time could look the same"
_BACKLOG = "late answers after a rush count at the rate of the rush"


def causes(findings: Findings) -> tuple[Cause, ...]:
    """All claims of a run as causes, in their order."""
    made = []
    for rank, claim in enumerate(findings.explanation.claims, start=1):
        chain = claim.mechanism.chain if claim.mechanism else None
        valid = not claim.basis.failing
        roots = likely(claim.likely)
        if claim.basis in {Basis.NEGOTIATED, Basis.SLOW}:
            fix = roots[0].fix if roots else ""
        elif valid:
            fix = "" if _equivalent(claim) else SAME_EVERYWHERE
        else:
            fix = "" if findings.facts.records else fix_of(claim.category, roots, chain)
        facts, change = findings.facts, next_run(claim, findings.facts.plan)
        made.append(
            Cause(
                rank=rank,
                category=claim.category,
                kind=_KINDS.get(claim.basis, FAILURE),
                mechanism=Condition(claim.mechanism.dimension, claim.mechanism.name)
                if claim.mechanism
                else None,
                conditions=claim.conditions,
                aliases=claim.aliases,
                failures=claim.failures,
                attempts=claim.attempts,
                precision=claim.precision,
                recall=claim.recall,
                risk_ratio=claim.risk_ratio,
                p_value=claim.p_value,
                grade=claim.grade,
                sentence=sentence(_labelled(claim, findings.addresses), findings),
                likely=roots,
                fix=fix,
                clients=claim.clients,
                next=_command_line(facts, change),
                latency=claim.shift,
                interval=claim.interval,
            )
        )
    return tuple(made)


def _command_line(facts: RunFacts, change: RunChange | None) -> str:
    """The run that differs in this, as one line; empty for none."""
    return shell_line(run_argv(facts.plan, change, made_now=facts.made_now)) if change else ""


def _labelled(claim: Claim, addresses: Sequence[Address]) -> Claim:
    """The claim with each address as its readers know it: by its label."""
    names = {str(one): one.named for one in addresses}

    def told(conditions: Sequence[Condition]) -> tuple[Condition, ...]:
        return tuple(
            replace(one, value=names.get(one.text, one.text))
            if one.dimension == Dimension.ADDRESS
            else one
            for one in conditions
        )

    return replace(
        claim,
        conditions=told(claim.conditions),
        aliases=tuple(map(told, claim.aliases)),
        rivals=tuple(map(told, claim.rivals)),
        worst=claim.worst and (told(claim.worst[0]), claim.worst[1]),
    )


def likely(fits: Sequence[RootCause]) -> tuple[Likely, ...]:
    """Root causes with their texts and the evidence for each."""
    made = []
    for fit in fits:
        root, seen = catalogue()[fit.id], ", ".join(fit.evidence)
        made.append(Likely(root.id, f"{root.text} ({seen})" if seen else root.text, root.fix))
    return tuple(made)


def fix_of(category: str, roots: Sequence[Likely], chain: SeenChain | None = None) -> str:
    """What to do: what the likeliest root cause calls for, else what the outcome does.

    Where an intermediate is missing, the outcome's own fix names it; a root cause that excludes
    that has a fix of its own.
    """
    first = roots[0] if roots else None
    if first is None or not first.fix or first.id in _NAMED_BY_THE_CHAIN:
        return remedy(category, chain)
    return first.fix


def sentence(claim: Claim, findings: Findings) -> str:
    """What the failing connections have in common."""
    match claim.basis:
        case Basis.CHAIN:
            return _chain_alone(claim, findings)
        case Basis.DIFFERENCE:
            return _difference(claim)
        case Basis.NEGOTIATED | Basis.SLOW:
            what = "Attempts" if findings.facts.records else "Handshakes"
            return slow(claim, what) if claim.basis is Basis.SLOW else negotiated(claim)
        case Basis.PORTS | Basis.CONDITIONS:
            words, mechanism = _place(claim, findings), claim.mechanism
            known: Mapping[str, str] = read_texts(__package__, "words.toml")["signal"]
            told = [*claim.conditions, *(claim.worst[0] if claim.worst else ())]
            signals = dict.fromkeys(known.get(one.dimension, "") for one in told)
            words = " ".join([words, *filter(None, signals)])
            if mechanism is None:
                return words
            words += f" The failing chain is {mechanism.name}; {_how_often(mechanism)}."
            if not (mechanism.chain and _always(mechanism) and claim.onset_at_chain):
                return words
            seen = time_of_day(mechanism.chain.first_ns, findings.facts.started_ns)
            return f"{words} It was first seen at {seen}."


def _place(claim: Claim, findings: Findings) -> str:
    """Where they are, how much fails there and elsewhere, since when."""
    if claim.sticky_ports:
        failures = counted(claim.total.failures, "failure")
        return f"The {failures} recur with the local port: {claim.conditions[0].text}."
    told, total, tally = claim.inside.failures, claim.total.failures, findings.tally
    noun = "failure" if total >= tally.failures else f"{claim.category} failure"
    noun += "" if total == 1 else "s"
    if claim.mechanism and total < tally.categories.get(claim.category, 0):
        noun += f" with chain {claim.mechanism.name}"
    if told < total:
        which = f"{thousands(told)} of the {thousands(total)} {noun} are"
    else:
        which = f"The {noun} is" if total == 1 else f"All {thousands(total)} {noun} are"
    there = f"{_counts(claim.inside)} there, {_counts(claim.elsewhere)} elsewhere"
    ranks = {
        one.conditions: rank
        for rank, one in enumerate(findings.explanation.claims, start=1)
        if (one.category, one.mechanism) == (claim.category, claim.mechanism)
    }
    parts = [
        f"{which} {place(claim.conditions)}: {there}",
        *(f"{thousands(n)} of them also match cause {ranks[way]}" for way, n in claim.shared),
        *_other_name(claim, "rows" if findings.facts.records else "connections"),
        *([_BACKLOG] if claim.backlog else []),
        *([_BY_SEARCH] if claim.searched else []),
    ]
    parts += _ahead(claim)
    if claim.worst:
        where, inside = claim.worst
        parts.append(f"worst {place(where)}: {_counts(inside)}")
    timed = any(one.dimension == "time" for one in claim.conditions)
    if timed and claim.timing.period_s:
        parts.append(f"about every {seconds(claim.timing.period_s)}")
    elif not timed and (course := course_words(claim.timing, findings.facts.started_ns)):
        parts.append(course)
    if claim.rivals:
        parts.append(f"nearly as well explained by: {place(claim.rivals[0])}")
    return f"{'; '.join(parts)}."


def _ahead(claim: Claim) -> list[str]:
    """How long before its validity a certificate was served, if it was."""
    early_s = claim.early_s or 0.0
    return [f"served up to {seconds(early_s)} before the validity begins"] if early_s > 0.0 else []


def _counts(counts: FailureCount) -> str:
    return of(counts.failures, counts.attempts)


def _other_name(claim: Claim, noun: str) -> Iterator[str]:
    """Other conditions for the same connections, unless they are only another name of these."""

    def dimensions(conditions: Sequence[Condition]) -> set[str]:
        return {_SAME_NAME.get(one.dimension, one.dimension) for one in conditions}

    named = dimensions(claim.conditions)
    for way in claim.aliases:
        if dimensions(way) <= named:
            continue
        if set(way) & set(claim.conditions):
            own, other = (
                place([one for one in these if one not in those])
                for these, those in ((claim.conditions, way), (way, claim.conditions))
            )
            yield f"there, {own} and {other} select the same {noun}"
        else:
            yield f"these are also exactly the {noun} {place(way)}, which may be the reason"
        return


def course_words(timing: Timing, begun_ns: int) -> str:
    """What happened over time; empty for a constant failure rate."""
    if timing.shape is Shape.BURSTS:
        return f"in {timing.windows} bursts"
    if timing.shape is Shape.WINDOW:
        return "in one stretch of the run only"
    if timing.changed_ns is None:
        return ""
    verb = "began" if timing.shape is Shape.BEGAN else "ended"
    at = time_of_day(timing.changed_ns, begun_ns)
    return f"it {verb} at {at} ± {seconds(timing.uncertainty_s)}"


def _always(mechanism: Mechanism) -> bool:
    return mechanism.met.failures == mechanism.met.attempts


def _how_often(mechanism: Mechanism) -> str:
    if _always(mechanism):
        return "every handshake that received it failed"
    return f"{_counts(mechanism.met)} handshakes that received it failed"


def _chain_alone(claim: Claim, findings: Findings) -> str:
    """The chain decides, and nothing else tells the failing connections apart."""
    mechanism, failures = claim.mechanism, claim.total.failures
    assert mechanism is not None
    if claim.failures < failures:
        rest = counted(claim.failures, "more failure")
        return f"{rest} of the {thousands(failures)} received chain {mechanism.name} elsewhere."
    met, total = mechanism.met.attempts, claim.total.attempts
    share = f"{thousands(met)} of {thousands(total)}"
    alone = len(findings.addresses) == 1
    to = f" to {findings.addresses[0].named}" if alone else ""
    course = course_words(claim.timing, findings.facts.started_ns)
    ahead = _ahead(claim)
    if claim.usual and mechanism.chain and claim.usual.sha256 != mechanism.chain.sha256:
        first = (
            f"Some connections{to} are answered with a different certificate chain "
            f"({mechanism.name}, {share})"
        )
    elif met == total:
        every = f"Every connection{to} is answered with chain {mechanism.name} ({share})"
        return "; ".join(filter(None, (every, _how_often(mechanism), course, *ahead))) + "."
    else:
        first = f"Connections{to} are answered with chain {mechanism.name} ({share})"
    keys = findings.failure_keys.get(claim.category)
    told = untold(findings.backend_count, findings.facts.name, keys)
    if claim.recurrence:
        last = recurrence_words(claim.recurrence)
        if alone:
            last += f". {told}"
    elif alone:
        last = told
    else:
        last = "Nothing else that is recorded tells these connections apart"
    return f"{first}; {_how_often(mechanism)}. {'; '.join(filter(None, (last, course, *ahead)))}."


def recurrence_words(found: Recurrence) -> str:
    """How regularly the failures recur."""
    if found.cycle is None:
        return f"The failures recur about every {seconds(found.seconds or 0.0)}"
    return (
        f"{found.hits} of {found.of} failing connections are at the same position in a cycle of "
        f"{found.cycle}, as with a round-robin balancer that has one bad server in {found.cycle}"
    )


def _difference(claim: Claim) -> str:
    """What differs between two valid answers, how often, and where."""
    odd, usual = claim.mechanism, claim.usual
    if odd is None:
        each = (
            "each seen once" if usual and usual.seen == 1 else "none received by most connections"
        )
        return f"{thousands(claim.others)} valid certificate chains, {each}."
    where = f", {place(claim.conditions)}" if claim.conditions else ""
    differs = difference(usual, odd.chain) if usual and odd.chain else "different"
    words = (
        f"Two valid certificate chains: {of(claim.attempts, claim.total.attempts)} received chain "
        f"{odd.name} ({differs}){where}."
    )
    if _equivalent(claim):
        words += " Each node may rightly have a certificate of its own."
    return f"{words} {thousands(claim.others)} more chains differ too." if claim.others else words


def _equivalent(claim: Claim) -> bool:
    """Whether two valid leaves have one issuer, so that nothing needs to change.

    Their names may differ: both are valid for the name that was asked for.
    """
    odd, usual = claim.mechanism.chain if claim.mechanism else None, claim.usual
    if not (odd and usual and odd.certificates and usual.certificates):
        return False
    one, two = (describe(chain.certificates[0]) for chain in (odd, usual))
    return (
        one.issuer == two.issuer
        and one.der != two.der
        and len(odd.certificates) == len(usual.certificates)
    )


def unexplained(found: UnexplainedClaim, facts: RunFacts) -> Unexplained:
    """The failures without a cause, with what may lie behind them, and how to find out."""
    following = _command_line(facts, experiment(found.likely, facts.plan))
    named = found.category and not facts.records
    views = client_views(found.category, named=facts.plan.names_server) if named else {}
    return Unexplained(found.failures, likely(found.likely), following, views)


def undecided(fits: Sequence[RootCause], *, testable: bool) -> str:
    """That the evidence does not decide between root causes, and how to find out, else what to do.

    Args:
        fits: two or more, the likeliest first.
        testable: a run tells them apart.
    """
    if not testable:
        fixes = (f"{fit.id}: {catalogue()[fit.id].fix}" for fit in fits)
        return f"Undecided; no option of a run tells these apart. {' '.join(fixes)}"
    named = []
    for fit in fits:
        root = catalogue()[fit.id]
        test = " ".join([*(f"--client {one}" for one in root.try_clients), *fit.options])
        named.append(f"{fit.id} (test: add {test})" if test else fit.id)
    return f"Undecided: {', '.join(named[:-1])} or {named[-1]}. Run the next experiment first."


def next_run(claim: Claim, plan: Plan) -> RunChange | None:
    """The next experiment: it confirms a claim, or tells its likely root causes apart."""
    if claim.experiment or claim.basis is Basis.DIFFERENCE:
        return claim.experiment
    return experiment(claim.likely, plan)


def experiment(fits: Sequence[RootCause], plan: Plan) -> RunChange | None:
    """The run that tells the likeliest root cause from the others; None: no option can."""
    names = tuple(client.name for client in plan.clients)
    for fit in fits:
        root = catalogue()[fit.id]
        if set(root.try_clients) - set(names):
            return RunChange(clients=(*names, *root.try_clients))
        if fit.options and fit.options[0] not in run_argv(plan):
            return RunChange(extra=fit.options)
    return None


def silence(found: UnexplainedClaim, addresses: Sequence[Address] = ()) -> str:
    """Why some failures have no cause, and what would have been found; empty without any."""
    if found.silence is None:
        return ""
    told = [one.named for one in addresses]
    texts: Mapping[str, Mapping[str, str]] = read_texts(__package__, "words.toml")
    alike = listed([texts["alike"][one] for one in found.alike])
    place = f" to {told[0]}" if len(told) == 1 else f" to all {len(told)} addresses" if told else ""
    return texts["silence"][found.silence].format(
        alike=f", alike in {alike}" if alike else "",
        failures=counted(found.failures, "failure"),
        are="is" if found.failures == 1 else "are",
        place=place,
        recurrence=recurrence_words(found.recurrence) if found.recurrence else "",
        tested=thousands(found.considered),
        depth=found.depth,
        error=percent(0.05),
        small=_needed(found, 1 / 16),
        half=_needed(found, 0.5),
    )


def _needed(found: UnexplainedClaim, share: float) -> int:
    """Failures from which a group with this part of the traffic would have been significant."""
    return max(3, ceil(log(max(1, found.hypotheses) / 0.05) / -log(share)))


def lockout_words(found: Lockout | None, begun_ns: int) -> str:
    """From when on nothing gets through, as a sentence; empty where something does."""
    if found is None:
        return ""
    since = time_of_day(found.since_ns, begun_ns)
    return (
        f"Since {since} nothing gets through: {counted(found.after, 'attempt')} failed, after "
        f"{of(found.good, found.before)} had succeeded."
    )


def load_words(found: LoadClaim | None) -> str:
    """Whether failures follow the load, and what that means; empty when it was not varied."""
    if found is None:
        return ""
    if found.elasticity is None:
        figures = f"elasticity over {found.low:.1f} (95% confidence)"
    else:
        figures = f"elasticity {found.elasticity:.2f}, 95% CI {found.low:.2f} to {found.high:.2f}"
    figures += f", {found.segments} segments of {found.slowest:,.0f} to {found.fastest:,.0f}/s"
    if found.elsewhere is not None:
        rest = load_words(found.elsewhere)
        return f"Outside the places named above, {rest[0].lower()}{rest[1:]}"
    if found.dependent is None:
        return (
            f"Whether the failure rate follows the load is undecided ({figures}): "
            "vary the load for longer."
        )
    verb = "grows with" if found.dependent else "does not depend on"
    meaning = _LOADS[found.dependent, found.concentrated]
    return f"The failure rate {verb} the load ({figures}): {meaning}."


_LOADS = {
    (False, True): "a configuration fault there, not a lack of capacity",
    (False, False): "not a lack of capacity, and not one place; test from a second network",
    (True, True): "that node is too small, or a limit applies to it",
    (True, False): "the shared tier is at its capacity (or this machine is: see the lag)",
}
