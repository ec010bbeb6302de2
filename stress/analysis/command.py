"""A recorded plan as the command line that runs it again."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

from stress.model.claims import RunChange
from stress.model.plan import Close, Limits, Plan, Stack
from stress.text.command import with_names

CEILING_S = 900.0
"""Default of `--max-duration`."""
SAME = RunChange()


def run_argv(plan: Plan, change: RunChange = SAME) -> tuple[str, ...]:
    """The `tls-stress run …` command that repeats this plan with that change."""
    options = [*_load(plan, change), *_request(plan, change), *_trust(plan), *change.extra]
    return with_names("run", str(plan.target), options=options)


def _load(plan: Plan, change: RunChange) -> list[str]:
    load, same = plan.load, change == SAME
    words: list[str] = []
    if change.count is not None or load.count is not None:
        words += ["-n", str(change.count or load.count)]
    elif load.duration_s is not None and not (plan.goals and same):
        words += ["-d", f"{load.duration_s:g}s"]
    if load.concurrency != 64:
        words += ["-c", str(load.concurrency)]
    rate = change.rate or load.rate
    if rate is not None:
        words += ["--rate", f"{rate:g}"]
    if not same:
        return words
    # Only rate blocks offer more than the rate that is given beside them.
    fastest = max((segment.rate for segment in load.segments), default=0.0)
    if load.rate and fastest > load.rate:
        words.append("--rate-blocks")
    words += _repeated("--until", plan.goals) + _repeated("--assert", plan.assertions)
    if plan.goals and load.duration_s not in {None, CEILING_S}:
        words += ["--max-duration", f"{load.duration_s:g}s"]
    if plan.limits.drain_s != Limits().drain_s:
        words += ["--drain", f"{plan.limits.drain_s:g}s"]
    return words


def _request(plan: Plan, change: RunChange) -> list[str]:
    words = _repeated("--client", _clients(plan, change))
    name = change.server_name or plan.server_name
    if name != plan.target.host:
        words += ["--sni", name or "none"]
    if plan.stack is not Stack.BORINGSSL:
        words += ["--stack", plan.stack.value]
    words += _addresses(plan, change) + _repeated("--source", plan.sources)
    for option, value in (
        ("--proxy-protocol", plan.proxy_protocol),
        ("--cert", plan.client_certificate),
        ("--key", plan.client_key),
    ):
        words += [option, value] if value else []
    if plan.limits.attempt_s != Limits().attempt_s:
        words += ["--timeout", f"{plan.limits.attempt_s:g}s"]
    if plan.close is not Close.AUTO:
        words += ["--close", plan.close.value]
    return words


def _clients(plan: Plan, change: RunChange) -> Sequence[str]:
    if change.clients is not None:
        return change.clients
    if [client.name for client in plan.clients] == ["generic"]:
        return ()
    weighted = len({client.weight for client in plan.clients}) > 1
    return [
        f"{client.name}={client.weight:g}" if weighted else client.name for client in plan.clients
    ]


def _addresses(plan: Plan, change: RunChange) -> list[str]:
    """Addresses are listed when they were chosen, not when the name stands for them."""
    chosen = change.addresses
    if chosen is None:
        named = plan.target.literal is not None or plan.resolve_again_s is not None
        chosen = () if named else plan.addresses
    return _repeated(
        "--address", [f"{one}={one.label}" if one.label else str(one) for one in chosen]
    )


def _trust(plan: Plan) -> list[str]:
    trust = plan.trust
    words: list[str] = []
    if trust.private:
        words += ["--ca", trust.anchors_from]
    if trust.policy:
        words += ["--policy", trust.policy]
    if trust.at is not None:
        words += ["--at", str(trust.at)]
    words += _repeated("--pin", [f"sha256//{b64encode(pin).decode()}" for pin in trust.pins])
    return [*words, "--aia"] if trust.aia else words


def _repeated(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]
