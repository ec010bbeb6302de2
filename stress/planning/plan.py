"""Turns a `Request` into a `Plan`: reads, checks and decides everything, and sends nothing but DNS.

The order matters. What costs nothing comes first; the name is resolved (the only thing that leaves
the machine) when nothing else can be wrong with the options; consent comes last, when it is known
which addresses would get how much load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from secrets import randbits

from stress.errors import UsageError
from stress.host.limits import Machine, raise_open_files, raise_open_files_fully
from stress.model.plan import Close, Keeping, Load, Plan
from stress.model.target import Address, Target
from stress.planning.addresses import places_of
from stress.planning.connection_options import closing_of, connection_of
from stress.planning.consent import Allowed, allow, stopping_on_refusal
from stress.planning.load import amount_of, files_needed, limits_of, sweep_of
from stress.planning.profile import LoadProfile, consents, filled
from stress.planning.request import Request
from stress.planning.resolution import Resolve, resolve
from stress.planning.targets import one_target
from stress.planning.trust_options import trust_of


def plan_run(
    request: Request, *, now: int, resolve: Resolve = resolve, machine: Machine | None = None
) -> Plan:
    """Read, check and decide everything about a run.

    Raises the soft limit of open files where the load needs it. Runs an event loop of its own to
    resolve the name, so it cannot be called inside one.

    Args:
        request: the options, as typed.
        now: Unix seconds, for relative times.
        resolve: finds the target's addresses.
        machine: whose limits to fit into; None: this one.

    Raises:
        UsageError: an option is wrong, impossible, or needs consent.
    """
    machine = machine or Machine.here()
    whole, profile = filled(request)
    target = one_target(whole.targets)
    limits, seed = limits_of(whole), whole.value("seed", int)
    seed = randbits(32) if seed is None else seed
    amount = amount_of(whole, machine, limits.attempt_s, seed)
    wish = whole.value("close", Close) or Close.AUTO
    connection = connection_of(whole, target)
    trust = trust_of(whole, connection.host, now)
    sweep = sweep_of(whole, connection.clients, connection.resumption)
    passed = whole.part("") | {"keeping": Keeping(**whole.part("keeping"))}
    places = places_of(whole, target, connection.sources, resolve=resolve, reaches=machine.reaches)
    allowed = _allowed(whole, profile, target, amount.load, places.addresses)
    load = allowed.load
    ports = machine.local_ports * max(1, len(connection.sources)) * len(places.addresses)
    # A search begins slowly and ends as fast as the target takes it: nothing bounds its ports.
    closing = closing_of(wish, replace(load, rate=None) if whole.find_limit else load, ports)
    return Plan(
        target=target,
        addresses=places.addresses,
        clients=connection.clients,
        load=load,
        limits=limits,
        trust=trust,
        server_name=connection.server_name,
        stack=connection.stack,
        close=closing.close,
        resumption=connection.resumption,
        sources=connection.sources,
        resolve_again_s=places.again_s,
        resolver=whole.resolver,
        client_certificate=connection.certificate,
        client_key=connection.key,
        seed=seed,
        profile=profile.name if profile else "",
        sweep=sweep,
        authorized=allowed.given,
        notes=(*amount.notes, *places.notes, *allowed.notes, closing.note),
        **passed,
    )


def _allowed(
    request: Request,
    profile: LoadProfile | None,
    target: Target,
    load: Load,
    addresses: Sequence[Address],
) -> Allowed:
    """Return the load that consent and this machine allow; raise the soft limit of open files."""
    allowed = allow(load, target, addresses, consents(request, profile, target.host))
    load = stopping_on_refusal(allowed.load, addresses, wish=request.stop_on_refusal)
    needed = files_needed(load)
    try:
        raise_open_files(needed)
    except (OSError, ValueError):  # macOS refuses below the hard limit (kern.maxfilesperproc)
        raise UsageError(
            f"--concurrency: the system refuses {needed:,} open files per process",
            "Lower --concurrency, or raise the limit (macOS: sysctl kern.maxfilesperproc).",
        ) from None
    if request.find_limit and load.hold_s:
        raise_open_files_fully()  # the search decides how many will be held open
    return replace(allowed, load=load)
