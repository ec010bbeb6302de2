"""What a run tested: how long, by which policies, and what it left out."""

from __future__ import annotations

from collections.abc import Sequence

from stress.analysis.tally import RunCounts
from stress.model.claims import Untested
from stress.model.plan import Plan
from stress.model.run import RunFacts
from stress.model.target import Address

NANOSECONDS = 1_000_000_000
_FAMILIES = {"ipv4": Untested.IPV4, "ipv6": Untested.IPV6}
_VERSIONS = {0x0304: Untested.TLS_1_3, 0x0303: Untested.TLS_1_2}


def untested(
    facts: RunFacts, tally: RunCounts, addresses: Sequence[Address]
) -> tuple[Untested, ...]:
    """What this run could not have seen."""
    families = {address.family for address in addresses}
    return (
        Untested.OTHER_NETWORKS,
        *(gap for family, gap in _FAMILIES.items() if family not in families),
        *(gap for version, gap in _VERSIONS.items() if version not in tally.versions),
        *([Untested.OTHER_CLIENTS] if len(facts.plan.clients) == 1 else []),
        *([] if tally.resumed else [Untested.RESUMPTION]),
        Untested.OTHER_NAMES,
        Untested.OTHER_TIMES,
    )


def policy_names(plan: Plan) -> str:
    """The trust policies of this plan's clients, or the one that overrides them."""
    if plan.trust.policy:
        return plan.trust.policy
    return ", ".join(dict.fromkeys(client.policy for client in plan.clients))


def duration_s(facts: RunFacts) -> float | None:
    """How long the run sent handshakes, without its pauses; None for a file without an end mark."""
    if facts.ended_ns is None:
        return None
    return max(0, facts.ended_ns - facts.started_ns - facts.stood_ns) / NANOSECONDS
