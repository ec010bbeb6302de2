"""How the run asked, from where and when, and what it therefore did not test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from stress.analysis.tally import RunCounts
from stress.handshake.names import version_name
from stress.model.plan import Plan
from stress.model.run import RunFacts
from stress.model.target import Address
from stress.text.numbers import seconds, thousands

NANOSECONDS = 1_000_000_000


def asked(facts: RunFacts, tally: RunCounts, addresses: Sequence[Address]) -> str:
    """The client, the addresses, the name and the trust store."""
    plan = facts.plan
    clients = ", ".join(client.name for client in plan.clients)
    name = f"SNI {plan.server_name}" if plan.server_name else "no SNI"
    sentence = (
        f"Asked {plan.target} as {clients} over {_addresses(addresses)}, {name}, "
        f"trust store {_anchors(plan)}, policy {policy_names(plan)}."
    )
    return f"{sentence} Not tested: {untested(facts, tally, addresses)}."


def _addresses(addresses: Sequence[Address]) -> str:
    if len(addresses) == 1:
        return f"the address {addresses[0]}"
    shown = ", ".join(str(address) for address in addresses[:3])
    more = f" and {len(addresses) - 3} more" if len(addresses) > 3 else ""
    return (
        f"{len(addresses)} addresses, each sampled equally ({shown}{more};"
        " shares are of our samples, not of the users')"
    )


def _anchors(plan: Plan) -> str:
    trust = plan.trust
    plural = "" if len(trust.anchors) == 1 else "s"
    count = f" ({len(trust.anchors)} anchor{plural})" if trust.anchors else ""
    return f"{trust.anchors_from}{count}"


def policy_names(plan: Plan) -> str:
    """The trust policies of this plan's clients, or the one that overrides them."""
    if plan.trust.policy:
        return plan.trust.policy
    return ", ".join(dict.fromkeys(client.policy for client in plan.clients))


def untested(facts: RunFacts, tally: RunCounts, addresses: Sequence[Address]) -> str:
    """What this run could not have seen, as a list."""
    gaps = ["other networks"]
    families = {address.family for address in addresses}
    gaps += [f"{_FAMILY[other]} addresses" for other in sorted(set(_FAMILY) - families)]
    gaps += [f"{version_name(v)}" for v in (0x0304, 0x0303) if v not in tally.versions]
    if len(facts.plan.clients) == 1:
        gaps.append("other clients")
    if not tally.resumed:
        gaps.append("resumed sessions")
    gaps += ["other names", f"other times than these {_duration(facts)}"]
    return ", ".join(gaps)


_FAMILY = {"ipv4": "IPv4", "ipv6": "IPv6"}


def whence(facts: RunFacts, tally: RunCounts) -> str:
    """From where, when, how many and how fast."""
    begun = datetime.fromtimestamp(facts.started_ns // NANOSECONDS, UTC)
    host = f"From {facts.host}" if facts.host else "From this machine"
    elapsed = duration_s(facts)
    rate = f" ({tally.attempts / elapsed:,.0f}/s)" if elapsed and elapsed > 0.0 else ""
    processes = facts.plan.load.processes
    return (
        f"{host}, {begun:%Y-%m-%d %H:%M:%S} UTC, {thousands(tally.attempts)} handshakes in "
        f"{_duration(facts)}{rate}, {processes} process{'es' if processes != 1 else ''}."
    )


def duration_s(facts: RunFacts) -> float | None:
    """How long the run asked, without its pauses; None for a file without an end mark."""
    if facts.ended_ns is None:
        return None
    return max(0, facts.ended_ns - facts.started_ns - facts.stood_ns) / NANOSECONDS


def _duration(facts: RunFacts) -> str:
    elapsed = duration_s(facts)
    return "an unknown time" if elapsed is None else seconds(elapsed)
