"""Writes a recorded plan as the command line that runs it again.

Planning that command makes the same plan, but for what no command repeats: consent, the random
seed, the number of processes, and keys that only a load profile has.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from operator import attrgetter

from stress.dialogues.proxies import IN_VARIABLE
from stress.host.addresses import is_public
from stress.model.claims import RunChange
from stress.model.plan import Address, Close, Plan, StartTls
from stress.planning.load import CEILING_S, default_in_flight, highest, ports_spent
from stress.planning.option import Section
from stress.planning.request import options
from stress.text.escape import with_names

SAME = RunChange()
SURELY_FREE = 5_000
"""Local ports that every machine has to spare, so that connections are closed by FIN unasked."""


def run_argv(plan: Plan, change: RunChange = SAME, *, made_now: bool = False) -> tuple[str, ...]:
    """The `tls-stress run …` command that repeats this plan with that change.

    Args:
        plan: as recorded.
        change: what to do differently.
        made_now: the credentials in the plan were typed on this command line. Those of a file may
            be a stranger's, and the command has `FILE` in their place: whoever copies it would
            present them. Anchors are read and sent to nobody, so their path stands as it is.
    """
    trust = plan.trust
    words = [*_load(plan, change), *_request(plan, change), *_unchanged(plan, change)]
    words += ["--at", str(trust.at)] if trust.at is not None else []
    words += _repeated("--pin", [f"sha256//{b64encode(pin).decode()}" for pin in trust.pins])
    for option, path in (
        ("--ca", trust.anchors_from if trust.private else None),
        ("--stores", trust.stores),
    ):
        words += [option, path] if path else []
    secrets = plan.proxy_authorization
    for option, path in (
        ("--cert", plan.client_certificate),
        ("--key", plan.client_key),
        ("--proxy-authorization", None if secrets == IN_VARIABLE else secrets),
    ):
        words += [option, path if made_now else "FILE"] if path else []
    return with_names("run", str(plan.target), options=[*words, *change.extra])


def _load(plan: Plan, change: RunChange) -> list[str]:
    load, same = plan.load, change == SAME
    by_result = bool(plan.goals or plan.find_limit)
    words: list[str] = []
    if change.count is not None or load.count is not None:
        words += ["-n", str(change.count or load.count)]
    # Only rate blocks offer more than the rate that is given beside them.
    blocks = bool(load.rate and (highest(load.segments) or 0.0) > load.rate)
    length = sum(one.seconds for one in load.segments) if blocks and same else load.duration_s
    if length is not None and change.count is None and not (by_result and same):
        words += ["-d", _span(length)]
    rate = change.rate or load.rate
    # Without any load option, a run for a goal would have the rate of a first run. A search for the
    # limit has as many in flight as there are files for, unless it is told.
    closed = (bool(plan.goals) and rate is None and load.count is None) or bool(plan.find_limit)
    usual = default_in_flight(load.rate, plan.limits.attempt_s)
    if closed or load.concurrency != min(usual, load.count or usual):
        words += ["-c", str(load.concurrency)]
    if rate is not None:
        words += ["--rate", f"{rate:.12g}"]
    if not same:
        return words
    words += ["--rate-blocks"] if blocks else []
    ceiling = CEILING_S if plan.goals else length if blocks else None
    if (by_result or blocks) and load.duration_s not in {None, ceiling}:
        words += ["--max-duration", _span(load.duration_s or 0.0)]
    if load.stop_on_refusal != any(is_public(address.ip) for address in plan.addresses):
        words.append("--stop-on-refusal" if load.stop_on_refusal else "--no-stop-on-refusal")
    return words


def _request(plan: Plan, change: RunChange) -> list[str]:
    clients = change.clients
    if clients is None:
        weighted = len({client.weight for client in plan.clients}) > 1
        clients = tuple(f"{c.name}={c.weight:g}" if weighted else c.name for c in plan.clients)
        clients = () if clients == ("generic",) else clients
    words = _repeated("--client", clients)
    name = change.server_name or plan.server_name
    if name != (None if plan.target.literal else plan.target.host):
        words += ["--sni", name or "none"]
    addresses: Sequence[Address] | None = change.addresses
    if addresses is None:  # those of the plan where they were chosen, not where a name gave them
        named = plan.target.literal is not None or plan.resolve_again_s is not None
        addresses = () if named else plan.addresses
    addresses = [one for one in addresses if one.family != "name"]  # the proxy resolves that
    words += _repeated(
        "--address", [f"{one}={one.label}" if one.label else str(one) for one in addresses]
    )
    if plan.starttls != StartTls.implied_by(plan.target.port):
        words += ["--starttls", plan.starttls or "none"]
    for option, value in (
        ("--proxy", str(plan.proxy) if plan.proxy else None),
        ("--resumption", f"{plan.resumption * 100:.12g}%" if plan.resumption else None),
        ("--resolver", plan.resolver),
    ):
        words += [option, value] if value else []
    return words


def _unchanged(plan: Plan, change: RunChange) -> list[str]:
    """Return the options whose values went into the plan as they are (`Option.plan`)."""
    words: list[str] = []
    spent = ports_spent(plan.load)
    fits = spent is not None and spent <= SURELY_FREE and not plan.find_limit
    by_itself = plan.close is Close.FIN and fits
    default = Plan(plan.target, (), (), close=Close.FIN if by_itself else Close.AUTO)
    for option in options().values():
        searching = option.section is Section.STOP or option.plan in {"find_limit", "sweep"}
        if (
            not option.plan
            or option.section is Section.PROFILE_ONLY
            or (searching and change != SAME)
        ):
            continue
        value, usual = (attrgetter(option.plan)(each) for each in (plan, default))
        if value == usual:
            continue
        name = f"--{option.name}"
        if isinstance(value, bool):
            words.append(name if value else f"--no-{option.name}")
            continue
        if isinstance(value, float):  # all of them are lengths of time
            value = _span(value)
        words += _repeated(name, value if isinstance(value, tuple) else (value,))
    return words


def _span(seconds: float) -> str:
    return f"{seconds * 1000:.12g}ms" if 0.0 < seconds < 1.0 else f"{seconds:.12g}s"


def _repeated(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]
