"""The verdict on a run, whether it says something about the target at all, and what it tested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stress.analysis.tally import RunCounts
from stress.model.claims import Notice, NoticeKind, Untested, ValidityClaim
from stress.model.limit import Limit
from stress.model.outcome import Category
from stress.model.plan import Address, Plan
from stress.model.run import End, RunFacts
from stress.model.summary import Answer, Assertion

NANOSECONDS = 1_000_000_000
_FAMILIES = {"ipv4": Untested.IPV4, "ipv6": Untested.IPV6}
_VERSIONS = {0x0304: Untested.TLS_1_3, 0x0303: Untested.TLS_1_2}
SEARCH = "find-limit "
"""Before the goal of a search, in `Assertion.expression`."""
LOCAL_SHARE = 0.05
"""Local failures above this part of the attempts, with no failure of the target: invalid."""


def validity(facts: RunFacts, tally: RunCounts, *observed: str | None) -> ValidityClaim:
    """Whether the run says something about the target, and what to know before trusting it.

    Args:
        facts: of the run.
        tally: what became of its attempts.
        observed: further notes, written elsewhere; None: nothing to report.
    """
    recorded = [text for text in (*facts.reasons, *observed) if text is not None]
    return ValidityClaim(
        tuple(_fatal(facts, tally)),
        (*(Notice(NoticeKind.RECORDED, text=text) for text in recorded), *_notes(facts, tally)),
    )


def _fatal(facts: RunFacts, tally: RunCounts) -> Iterator[Notice]:
    """Why the measurement says nothing about the target."""
    for limit in facts.limits:
        if limit.generator_limited:
            yield Notice(NoticeKind.GENERATOR_LIMITED, limit=limit)
    if facts.invalid:
        for reason in facts.reasons:
            yield Notice(NoticeKind.RECORDED, text=reason)
        if not facts.reasons:
            yield Notice(NoticeKind.MARKED_INVALID)
    tried = tally.attempts + tally.local
    if tried and not tally.failures and tally.local > LOCAL_SHARE * tried:
        at_proxy = tally.at_proxy == tally.local
        kind = NoticeKind.MOSTLY_PROXY if at_proxy else NoticeKind.MOSTLY_LOCAL
        yield Notice(kind, tally.local, tried, _local(tally))
    elif not tally.attempts and tally.not_sent:
        yield Notice(NoticeKind.NONE_SENT, tally.not_sent)
    elif not tally.attempts and tally.cancelled:
        yield Notice(NoticeKind.NONE_ENDED, tally.cancelled)
    elif not tally.attempts:
        yield Notice(NoticeKind.NONE_ATTEMPTED)


def _notes(facts: RunFacts, tally: RunCounts) -> Iterator[Notice]:
    """What a reader should know though the run is valid."""
    if facts.plan.replay is not None:
        yield Notice(NoticeKind.REPLAY, text=facts.plan.replay.run)
    if facts.end is End.UNFINISHED:
        yield Notice(NoticeKind.UNFINISHED)
    if facts.started > facts.recorded:
        yield Notice(NoticeKind.LOST, facts.started - facts.recorded)
    if tally.cancelled:
        yield Notice(NoticeKind.CANCELLED, tally.cancelled)
    ours, at_proxy = _local(tally), tally.at_proxy
    if at_proxy and tally.attempts:
        names = {name: count for name, count in ours.items() if Category(name).is_proxys}
        ours = {name: count for name, count in ours.items() if name not in names}
        yield Notice(NoticeKind.PROXY, at_proxy, names=names)
    if ours and tally.attempts:
        yield Notice(NoticeKind.LOCAL, tally.local - at_proxy, names=ours)
    if tally.not_sent:
        yield Notice(NoticeKind.NOT_SENT, tally.not_sent)


def _local(tally: RunCounts) -> dict[str, int]:
    return {name: count for name, count in tally.ours.items() if name != "cancelled"}


def verdict(
    facts: RunFacts, tally: RunCounts, judged: ValidityClaim, assertions: Sequence[Assertion] = ()
) -> Answer:
    """The answer; where several fit, in the order interrupted, invalid, failing, inconclusive.

    With goals, they alone decide between failing, inconclusive and clean.
    """
    if facts.end is End.INTERRUPTED:
        return Answer.INTERRUPTED
    if not judged.valid:
        return Answer.INVALID
    if assertions:
        answers = {assertion.holds for assertion in assertions}
        if "no" in answers:
            return Answer.FAILING
        return Answer.INCONCLUSIVE if "unknown" in answers else Answer.CLEAN
    if tally.failures:
        return Answer.FAILING
    # A run that has not finished, or died, has not shown that nothing fails.
    return Answer.INCONCLUSIVE if facts.end is End.UNFINISHED else Answer.CLEAN


def limit_assertion(limit: Limit) -> Assertion:
    """Whether a search found a limit of the target; its value is the load that was sustained."""
    decided = limit.first_failing is not None and not limit.generator_limited
    if limit.sustained is None and decided:
        holds = "no"
    else:
        holds = "yes" if limit.confirmed and not limit.generator_limited else "unknown"
    of = f" ({limit.of})" if limit.of else ""
    # As many as this search took: at this machine's limit, more of them would not help.
    again = None if limit.generator_limited else sum(step.attempts for step in limit.steps)
    needed = again if holds == "unknown" else None
    return Assertion(f"{SEARCH}{limit.goal}{of}", holds, limit.sustained, needed=needed or None)


def untested(
    facts: RunFacts, tally: RunCounts, addresses: Sequence[Address]
) -> tuple[Untested, ...]:
    """What this run could not have seen."""
    # In what is shared, nobody says where a machine was.
    places = {(one.host, one.networks or one.name) for one in facts.vantages}
    families = {address.family for address in addresses}
    if "name" in families:  # which address it was, the proxy knows
        families = {*_FAMILIES}
    return (
        *([Untested.OTHER_NETWORKS] if len(places) < 2 else []),
        *(gap for family, gap in _FAMILIES.items() if family not in families),
        *(gap for version, gap in _VERSIONS.items() if version not in tally.versions),
        *([Untested.OTHER_CLIENTS] if len(facts.plan.clients) == 1 else []),
        *([] if tally.resumed else [Untested.RESUMPTION]),
        Untested.OTHER_NAMES,
        Untested.OTHER_TIMES,
    )


def policy_names(plan: Plan) -> str:
    """The trust policies of this plan's clients, in words."""
    return ", ".join(dict.fromkeys(policies(plan)))


def policies(plan: Plan) -> list[str]:
    """The trust policy of each client, or the one that overrides them."""
    return [plan.trust.policy or client.policy for client in plan.clients]


def duration_s(facts: RunFacts) -> float | None:
    """How long the run sent handshakes, without its pauses; None for a file without an end mark.

    From the first attempt to the last: what comes before and after is our own starting and ending.
    """
    if facts.ended_ns is None:
        return None
    first, last = facts.first_ns, facts.last_ns
    if first is None or last is None or last <= first:
        first, last = facts.started_ns, facts.ended_ns
    return max(0, last - first - facts.stood_ns) / NANOSECONDS
