"""A recorded plan as the command line that runs it again."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from shlex import join

from stress.model.client import Stack
from stress.model.plan import Close, Limits, Plan
from stress.model.target import Address

COMMAND = "tls-stress"
CEILING_S = 900.0
"""What `--max-duration` is by itself."""


@dataclass(frozen=True, slots=True)
class Change:
    """What the next run does otherwise than the recorded one; None keeps it as it was."""

    count: int | None = None
    addresses: tuple[Address, ...] | None = None
    clients: tuple[str, ...] | None = None
    server_name: str | None = None
    """`none` sends no SNI."""
    rate: float | None = None
    extra: tuple[str, ...] = ()
    """Further words, appended."""


SAME = Change()


def run_line(plan: Plan, change: Change = SAME) -> str:
    """The `tls-stress run …` line which repeats this plan with that change."""
    words = [COMMAND, "run", str(plan.target)]
    for option in (_load, _asking, _judging):
        words.extend(option(plan, change))
    return join([*words, *change.extra])


def _load(plan: Plan, change: Change) -> list[str]:
    load = plan.load
    words: list[str] = []
    if change.count is not None or load.count is not None:
        words += ["-n", str(change.count or load.count)]
    elif load.duration_s is not None and not (plan.goals and change == SAME):
        words += ["-d", f"{load.duration_s:g}s"]
    if load.concurrency != 64:
        words += ["-c", str(load.concurrency)]
    rate = change.rate or load.rate
    if rate is not None:
        words += ["--rate", f"{rate:g}"]
    return words + (_ending(plan) if change == SAME else [])


def _ending(plan: Plan) -> list[str]:
    """What varies the load, ends and judges the very same run."""
    # Only they offer more than the rate that stands beside them.
    fastest = max((segment.rate for segment in plan.load.segments), default=0.0)
    words = ["--rate-blocks"] if plan.load.rate and fastest > plan.load.rate else []
    words += _repeated("--until", plan.goals) + _repeated("--assert", plan.assertions)
    if plan.goals and plan.load.duration_s not in {None, CEILING_S}:
        words += ["--max-duration", f"{plan.load.duration_s:g}s"]
    if plan.limits.drain_s != Limits().drain_s:
        words += ["--drain", f"{plan.limits.drain_s:g}s"]
    return words


def _asking(plan: Plan, change: Change) -> list[str]:
    words = _clients(plan, change)
    name = change.server_name or plan.server_name
    if name is None:
        words += ["--sni", "none"]
    elif name != plan.target.host:
        words += ["--sni", name]
    if plan.stack is not Stack.BORINGSSL:
        words += ["--stack", plan.stack.value]
    words += _addresses(plan, change)
    for source in plan.sources:
        words += ["--source", source]
    if plan.proxy_protocol:
        words += ["--proxy-protocol", plan.proxy_protocol]
    if plan.client_certificate:
        words += ["--cert", plan.client_certificate]
    if plan.client_key:
        words += ["--key", plan.client_key]
    if plan.limits.attempt_s != Limits().attempt_s:
        words += ["--timeout", f"{plan.limits.attempt_s:g}s"]
    if plan.close is not Close.AUTO:
        words += ["--close", plan.close.value]
    return words


def _clients(plan: Plan, change: Change) -> list[str]:
    if change.clients is not None:
        return _repeated("--client", change.clients)
    if [client.name for client in plan.clients] == ["generic"]:
        return []
    weights = len({client.weight for client in plan.clients}) > 1
    named = (
        f"{client.name}={client.weight:g}" if weights else client.name for client in plan.clients
    )
    return _repeated("--client", tuple(named))


def _addresses(plan: Plan, change: Change) -> list[str]:
    """Addresses are spelled out when they were chosen, not when the name stands for them."""
    chosen = change.addresses
    if chosen is None:
        named = plan.target.literal is not None or plan.resolve_again_s is not None
        chosen = () if named else plan.addresses
    return _repeated("--address", tuple(_address(address) for address in chosen))


def _address(address: Address) -> str:
    return f"{address}={address.label}" if address.label else str(address)


def _judging(plan: Plan, _change: Change) -> list[str]:
    trust = plan.trust
    words: list[str] = []
    if trust.private:
        words += ["--ca", trust.anchors_from]
    if trust.policy:
        words += ["--policy", trust.policy]
    if trust.at is not None:
        words += ["--at", str(trust.at)]
    for pin in trust.pins:
        words += ["--pin", f"sha256//{b64encode(pin).decode()}"]
    if trust.aia:
        words.append("--aia")
    return words


def _repeated(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]
