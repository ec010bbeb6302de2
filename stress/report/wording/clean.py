"""Writes what a run without failures does not show: what was not looked at, and what comes next."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from stress.analysis.chains import by_frequency, subject
from stress.analysis.findings import Findings
from stress.codes.catalog import chain_views
from stress.model.chain import Refusal
from stress.model.outcome import Category
from stress.model.plan import NO_POLICY
from stress.report.wording.clients import who_sees
from stress.text.datetimes import instant, span
from stress.text.numbers import percent, seconds
from stress.trust import describe, known_of

NOBODY = "No client would have seen a failure in these handshakes."
LAST_PART = 0.2
"""Of its lifetime: by then a certificate should have been renewed, however short it lives."""
MOST_CHAINS = 100
"""The commonest chains, whose certificates are checked for it."""
PATIENCE_US = 10_000_000
"""How long OkHttp waits for a connection; browsers and iOS wait longer."""


def who_met_nothing(findings: Findings) -> str:
    """Which clients would have seen a failure all the same, and of which nothing is known."""
    doubts = list(_doubts(findings))
    return " ".join(doubts) if doubts else NOBODY


def _doubts(findings: Findings) -> Iterator[str]:
    refused: dict[str, str] = {}
    for chain in findings.chains:
        by_policy = {one.policy: one for one in findings.verdicts if one.chain == chain.sha256}
        wrong = next((one.headline for one in by_policy.values() if one.headline), None)
        if wrong:
            told = partial(known_of, chain.certificates)
            views = chain_views(wrong.category.value, by_policy, told)
            refusing = {name: view for name, view in views.items() if view.fails != "no"}
            refused.setdefault(subject(chain), who_sees(refusing))
    for name, who in list(refused.items())[:2]:
        yield f"No handshake of these clients failed, but others refuse {name}. {who}"
    notes = [one for each in findings.verdicts for one in each.findings]
    if any(
        one.category is Category.MUST_STAPLE_MISSING and one.refusal is Refusal.NO for one in notes
    ):
        yield (
            "The certificate demands an OCSP staple (Must-Staple), and none was requested: whether"
            " Firefox accepts the answer is not known. Test it: --client firefox."
        )
    if findings.facts.plan.trust.policy == NO_POLICY:
        yield "Chains were not judged (--policy none): no client's trust was tested."
    for index, address in enumerate(findings.addresses):
        if not findings.tally.addresses.get(index):
            yield f"{address.named} was not reached by any handshake."
    slow = findings.latency.get("handshake")
    if slow and slow.p99 and slow.p99 > PATIENCE_US:
        yield f"The slowest 1% took over {seconds(slow.p99 / 1e6)}: OkHttp gives up after 10 s."


def upcoming(findings: Findings) -> Iterator[str]:
    """What will fail unless something is done: certificates in the last part of their lifetime."""
    now = findings.facts.started_ns // 1_000_000_000
    # With a certificate for each connection nobody renews them one by one.
    for chain in by_frequency(findings.chains)[:MOST_CHAINS]:
        for der in chain.certificates:
            one = describe(der)
            left = one.not_after - now
            if not (one.is_ca and one.self_issued) and 0 < left < LAST_PART * one.lifetime:
                yield (
                    f"Renew {subject(chain) if der == chain.certificates[0] else one.subject}: it"
                    f" expires {instant(one.not_after)}, in {span(left)}"
                    f" ({percent(left / one.lifetime)} of its lifetime is left)."
                )
