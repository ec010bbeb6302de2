"""Plans that are made from a recorded plan: the rest of an interrupted run, and a replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address

from stress.errors import UsageError
from stress.host.limits import raise_open_files
from stress.model.plan import Close, Load, Plan, Replay
from stress.model.run import End, RunFacts
from stress.model.target import Address
from stress.planning.connection_options import own_address
from stress.planning.consent import allow
from stress.planning.load import files_needed
from stress.text.units import named

_SECOND = 1_000_000_000


def with_anchors(plan: Plan) -> Plan:
    """Return the plan with this machine's trust anchors, where it was recorded with a system's.

    A run file holds private anchors alone; those of the system are read again.

    Raises:
        UsageError: there is no usable store.
    """
    trust = plan.trust
    if trust.private or trust.anchors or not trust.anchors_from:
        return plan
    from stress.trust import load_anchors  # noqa: PLC0415 - loads cryptography, slow to start

    found = load_anchors(None)
    return replace(
        plan, trust=replace(trust, anchors=found.certificates, anchors_from=found.source)
    )


def remainder(facts: RunFacts, addresses: Sequence[Address], *, last_ns: int) -> Plan:
    """Return the plan of what is left to do.

    Args:
        facts: of the run, whose plan has its anchors.
        addresses: all that took part, in their order.
        last_ns: Unix time of its latest start.

    Raises:
        UsageError: nothing is left, or it is a load that makes sense only in one piece.
    """
    plan = facts.plan
    if facts.end is End.COMPLETED:
        raise UsageError(
            f"the run {facts.name} is complete: there is nothing to resume",
            f"Start another: tls-stress run {plan.target}",
        )
    if plan.find_limit or plan.goals or plan.load.segments or plan.replay:
        raise UsageError(
            f"the run {facts.name} cannot be resumed: a search, a goal, a replay or a load profile"
            " with segments needs one uninterrupted run",
            "Start it again.",
        )
    count, seconds = plan.load.count, plan.load.duration_s
    if count is not None:
        count -= facts.started
    if seconds is not None:
        # Time without load, between two parts for instance, does not count.
        seconds -= (last_ns - facts.started_ns - facts.stood_ns) / _SECOND
    if (count is not None and count <= 0) or (seconds is not None and seconds <= 0):
        raise UsageError(
            f"the run {facts.name} had already started every handshake of its plan",
            f"See its report: tls-stress report {facts.name}",
        )
    in_flight = plan.load.concurrency if count is None else min(plan.load.concurrency, count)
    load = replace(
        plan.load,
        count=count,
        duration_s=seconds,
        concurrency=in_flight,
        processes=min(plan.load.processes, in_flight),
    )
    raise_open_files(files_needed(load))
    # Another seed: the same one would draw the same order again.
    return replace(plan, addresses=tuple(addresses), load=load, seed=plan.seed + facts.started + 1)


# The plan of a replay: a recorded plan with its combinations instead of its load.

HIGHEST_RATE = 10.0
"""Most tries per second."""
IN_FLIGHT = 64
GAP_S = 60.0
"""How long firewalls and balancers remember a connection after its end."""
LOOPBACK_GAP_S = 1.0


def gap_s(addresses: Sequence[Address]) -> float:
    """Return how long to wait before a combination is tried again."""
    near = all(ip_address(address.ip).is_loopback for address in addresses)
    return LOOPBACK_GAP_S if near else GAP_S


def replay_plan(plan: Plan, addresses: Sequence[Address], replay: Replay) -> Plan:
    """Return the plan of a replay.

    Args:
        plan: of the recorded run.
        addresses: of the recorded run, by index.
        replay: what to try.

    Raises:
        UsageError: a source address is gone, there is no trust store, or it needs consent.
    """
    for source in plan.sources:
        named("the recorded --source", own_address, source)
    load = Load(len(replay.order), None, min(IN_FLIGHT, len(replay.order)), HIGHEST_RATE)
    consent = [plan.authorized] if plan.authorized else []
    allowed = allow(load, plan.target, addresses, consent)
    return replace(
        with_anchors(plan),
        addresses=tuple(addresses),
        load=allowed.load,
        close=Close.RST,  # a closed connection must not keep its port from the next try
        resolve_again_s=None,
        goals=(),
        assertions=(),
        find_limit="",
        sweep=(),
        profile="",
        replay=replay,
    )
