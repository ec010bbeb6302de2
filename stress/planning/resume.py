"""What an interrupted run has still to do: the same plan, less what has begun already."""

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
from stress.planning.consent import leave_for
from stress.planning.load import files_needed
from stress.text.units import named

_SECOND = 1_000_000_000


def with_anchors(plan: Plan) -> Plan:
    """The plan with this machine's trust anchors, where it was made with those of a machine.

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
    """The plan of what is left.

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
            f"the run {facts.name} came to its end: nothing of it is left to do",
            "Start another: tls-stress run " + str(plan.target),
        )
    if plan.find_limit or plan.goals or plan.load.segments or plan.replay:
        raise UsageError(
            f"the run {facts.name} cannot be taken up: a search, a goal, a replay or a shape of"
            " load makes sense only in one piece",
            "Start it again.",
        )
    load = _rest(facts, plan.load, last_ns)
    raise_open_files(files_needed(load))
    # Another seed: the same one would ask in the same order again.
    return replace(plan, addresses=tuple(addresses), load=load, seed=plan.seed + facts.started + 1)


def _rest(facts: RunFacts, load: Load, last_ns: int) -> Load:
    """What of the load has not begun.

    Raises:
        UsageError: nothing.
    """
    count, seconds = load.count, load.duration_s
    if count is not None:
        count -= facts.started
    if seconds is not None:
        # While it stood still, taken up before for instance, nothing of it was done.
        seconds -= (last_ns - facts.started_ns - facts.stood_ns) / _SECOND
    if (count is not None and count <= 0) or (seconds is not None and seconds <= 0):
        raise UsageError(
            f"the run {facts.name} had begun everything that it was to do", "Report it instead."
        )
    flying = load.concurrency if count is None else min(load.concurrency, count)
    return replace(
        load,
        count=count,
        duration_s=seconds,
        concurrency=flying,
        processes=min(load.processes, flying),
    )


# The plan of a replay: a recorded plan with its combinations instead of its load.

HIGHEST_RATE = 10.0
"""Tries a second, no more than which the engine makes."""
IN_FLIGHT = 64
GAP_S = 60.0
"""Firewalls and balancers remember a connection for so long after its end."""
NOTHING_BETWEEN_S = 1.0
"""The wait where there is nothing between: on this very machine."""


def gap_s(addresses: Sequence[Address]) -> float:
    """How long to wait before a combination is tried again."""
    near = all(ip_address(address.ip).is_loopback for address in addresses)
    return NOTHING_BETWEEN_S if near else GAP_S


def replay_plan(plan: Plan, addresses: Sequence[Address], replay: Replay) -> Plan:
    """Make the plan of a replay.

    Args:
        plan: of the recorded run.
        addresses: of the recorded run, by index.
        replay: what to try.

    Raises:
        UsageError: a source is no longer ours, there is no trust store, or it needs consent.
    """
    for source in plan.sources:
        named("the recorded --source", own_address, source)
    load = Load(len(replay.order), None, min(IN_FLIGHT, len(replay.order)), HIGHEST_RATE)
    said = [plan.authorized] if plan.authorized else []
    leave = leave_for(load, plan.target, addresses, said)
    return replace(
        with_anchors(plan),
        addresses=tuple(addresses),
        load=leave.load,
        close=Close.RST,  # a closed connection must not keep its port from the next try
        resolve_again_s=None,
        goals=(),
        assertions=(),
        find_limit="",
        sweep=(),
        profile="",
        replay=replay,
    )
