"""From a `Request` to a `Plan`: everything is read, checked and decided here, nothing is sent.

The order matters. What costs nothing comes first; the name is resolved (the only thing that leaves
the machine) after all that can be wrong with the words; consent comes last, when it is known which
addresses would be dialled and how hard.
"""

from __future__ import annotations

from dataclasses import replace
from secrets import randbits

from stress.errors import UsageError
from stress.host.limits import Machine, raise_open_files, raise_open_files_fully
from stress.model.plan import Close, Keeping, Load, Plan
from stress.model.target import Target
from stress.planning.addresses import places_of
from stress.planning.connection_options import asking_of, closing_of
from stress.planning.consent import leave_for, mindful
from stress.planning.load import amount_of, check_kinds, files_needed, limits_of, sweep_of
from stress.planning.profile import consents, filled
from stress.planning.request import Request
from stress.planning.resolution import Resolve, resolve
from stress.planning.targets import parse_target
from stress.planning.trust_options import check_policies, trust_of
from stress.text.suggestions import chosen
from stress.text.units import count, named, option, size_bytes

# How much of what passes on the wire is kept as evidence, read into `Keeping`.

_DEFAULT = Keeping()


def keeping_of(request: Request) -> Keeping:
    """Read the bounds of the evidence; 0 keeps none.

    Raises:
        UsageError: a bound is no count, or no size.
    """
    first = option("evidence-per-signature", count, request.evidence_per_signature)
    most = option("evidence-bytes", size_bytes, request.evidence_bytes)
    return Keeping(
        _DEFAULT.per_signature if first is None else first,
        _DEFAULT.total_bytes if most is None else most,
    )


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
        request: what the user asked for.
        now: Unix seconds, for relative times.
        resolve: finds the target's addresses.
        machine: whose limits to fit into; None: this one.

    Raises:
        UsageError: something asked for is wrong, impossible or needs consent.
    """
    machine = machine or Machine.here()
    whole, profile = filled(request)
    target = _one_target(whole.targets)
    limits = limits_of(whole)
    asked = option("--seed", count, whole.seed)
    seed = randbits(32) if asked is None else asked
    amount = amount_of(whole, machine, limits.attempt_s, seed)
    wish = option("--close", lambda text: chosen(Close, text), whole.close) or Close.AUTO
    asking = asking_of(whole, target)
    trust = trust_of(whole, asking.host, now)
    check_policies(asking.clients)
    swept = sweep_of(whole)
    check_kinds(swept, asking.clients, asking.resumption)
    places = places_of(whole, target, asking.sources, resolve=resolve, reaches=machine.reaches)
    leave = leave_for(amount.load, target, places.addresses, consents(whole, profile, target.host))
    _allow_files(leave.load)
    if whole.find_limit and leave.load.hold_s:
        raise_open_files_fully()  # nobody knows yet how many will be held open
    ports = machine.local_ports * max(1, len(asking.sources)) * len(places.addresses)
    # A search begins slowly and ends as fast as the target takes it: nothing bounds its ports.
    busiest = replace(leave.load, rate=None) if whole.find_limit else leave.load
    closing = closing_of(wish, busiest, ports)
    return Plan(
        target=target,
        addresses=places.addresses,
        clients=asking.clients,
        load=mindful(leave.load, places.addresses, wish=whole.stop_on_refusal),
        limits=limits,
        trust=trust,
        keeping=keeping_of(whole),
        server_name=asking.server_name,
        stack=asking.stack,
        close=closing.close,
        resumption=asking.resumption,
        sources=asking.sources,
        resolve_again_s=places.again_s,
        resolver=whole.resolver,
        proxy_protocol=asking.proxy_protocol,
        client_certificate=asking.certificate,
        client_key=asking.key,
        goals=whole.until,
        assertions=whole.assertions,
        seed=seed,
        profile=profile.name if profile else "",
        find_limit=whole.find_limit or "",
        sweep=swept,
        authorized=leave.given,
        notes=(*amount.notes, *places.notes, *leave.notes, closing.note),
    )


def _one_target(words: tuple[str, ...]) -> Target:
    if len(words) == 1:
        return named("TARGET", parse_target, words[0])
    if not words:
        raise UsageError(
            "no TARGET is given", "Name one: tls-stress run example.com, or example.com:8443."
        )
    raise UsageError(
        f"{len(words)} targets are given; a run has one",
        "Run them one by one; several addresses of one target go into --address.",
    )


def _allow_files(load: Load) -> None:
    """Raise the soft limit of open files as far as the load needs it."""
    needed = files_needed(load)
    try:
        raise_open_files(needed)
    except (OSError, ValueError):  # macOS refuses below the hard limit (kern.maxfilesperproc)
        raise UsageError(
            f"--concurrency: the system refuses {needed:,} open files a process",
            "Lower --concurrency, or raise the limit (macOS: sysctl kern.maxfilesperproc).",
        ) from None
