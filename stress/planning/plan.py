"""Turns a `Request` into a `Plan`: reads, checks and decides everything, and sends nothing but DNS.

The order matters. What costs nothing comes first; the name is resolved (the only thing that leaves
the machine) when nothing else can be wrong with the options; consent comes last, when it is known
which addresses would get how much load.
"""

from __future__ import annotations

from dataclasses import replace
from secrets import randbits

from stress.errors import UsageError
from stress.host.limits import Machine, raise_open_files, raise_open_files_fully
from stress.model.plan import Close, Keeping, Load, Plan
from stress.model.target import Target
from stress.planning.addresses import places_of
from stress.planning.connection_options import closing_of, connection_of
from stress.planning.consent import allow_for, mindful
from stress.planning.load import amount_of, check_kinds, files_needed, limits_of, sweep_of
from stress.planning.profile import consents, filled
from stress.planning.request import Request
from stress.planning.resolution import Resolve, resolve
from stress.planning.targets import parse_target
from stress.planning.trust_options import check_policies, trust_of
from stress.text.units import named


def plan_run(
    request: Request,
    *,
    now: int,
    resolve: Resolve = resolve,
    machine: Machine | None = None,
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
    target = _one_target(whole.targets)
    limits = limits_of(whole)
    seed = whole.value("seed", int)
    seed = randbits(32) if seed is None else seed
    amount = amount_of(whole, machine, limits.attempt_s, seed)
    wish = whole.value("close", Close) or Close.AUTO
    connection = connection_of(whole, target)
    trust = trust_of(whole, connection.host, now)
    check_policies(connection.clients)
    sweep = sweep_of(whole)
    check_kinds(sweep, connection.clients, connection.resumption)
    passed, keeping = whole.part(""), Keeping(**whole.part("keeping"))
    places = places_of(whole, target, connection.sources, resolve=resolve, reaches=machine.reaches)
    allowed = allow_for(
        amount.load, target, places.addresses, consents(whole, profile, target.host)
    )
    _allow_files(allowed.load)
    if whole.find_limit and allowed.load.hold_s:
        raise_open_files_fully()  # nobody knows yet how many will be held open
    ports = machine.local_ports * max(1, len(connection.sources)) * len(places.addresses)
    # A search begins slowly and ends as fast as the target takes it: nothing bounds its ports.
    busiest = replace(allowed.load, rate=None) if whole.find_limit else allowed.load
    closing = closing_of(wish, busiest, ports)
    return Plan(
        target=target,
        addresses=places.addresses,
        clients=connection.clients,
        load=mindful(allowed.load, places.addresses, wish=whole.stop_on_refusal),
        limits=limits,
        trust=trust,
        keeping=keeping,
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


def _one_target(words: tuple[str, ...]) -> Target:
    if len(words) == 1:
        return named("TARGET", parse_target, words[0])
    if not words:
        raise UsageError("TARGET is missing", "Try: tls-stress run example.com")
    raise UsageError(
        f"{len(words)} targets are given; a run has one",
        "Start one run per target; use --address for several addresses of one target.",
    )


def _allow_files(load: Load) -> None:
    """Raise the soft limit of open files as far as the load needs it."""
    needed = files_needed(load)
    try:
        raise_open_files(needed)
    except (OSError, ValueError):  # macOS refuses below the hard limit (kern.maxfilesperproc)
        raise UsageError(
            f"--concurrency: the system refuses {needed:,} open files per process",
            "Lower --concurrency, or raise the limit (macOS: sysctl kern.maxfilesperproc).",
        ) from None
