"""The plan of a replay: a recorded plan with its combinations instead of its load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address

from stress.model.plan import Close, Load, Plan
from stress.model.replay import Replay
from stress.model.target import Address
from stress.planning.asking import own_address
from stress.planning.consent import leave_for
from stress.planning.remainder import with_anchors
from stress.planning.units import named

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
