"""Turns a `Request` into a `Plan`: reads, checks and decides everything, and sends nothing but DNS.

The order matters. What costs nothing comes first; the name is resolved (the only thing that leaves
the machine) when nothing else can be wrong with the options; consent comes last, when it is known
which addresses would get how much load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from secrets import randbits

from stress.errors import UsageError
from stress.handshake import factories
from stress.host.addresses import is_loopback, is_public
from stress.host.limits import Machine, raise_open_files, raise_open_files_fully
from stress.model.plan import Address, Close, Keeping, Load, Plan, Replay
from stress.model.run import End, RunFacts
from stress.planning.addresses import SHORTEST_TTL_S, Resolve, places_of, resolve
from stress.planning.connection_options import (
    authorization_of,
    authorized_again,
    check_headers,
    closing_of,
    connection_of,
    credentials_of,
    default_port,
    own_address,
    proxy_of,
)
from stress.planning.consent import allow
from stress.planning.load import amount_of, check_sweep, files_needed, limits_of
from stress.planning.profile import LoadProfile, consents, filled, ignored_consent, names_addresses
from stress.planning.request import Request
from stress.planning.targets import one_target
from stress.planning.trust_options import trust_of
from stress.planning.user_config import user_config
from stress.planning.vantages import listed, vantages_of
from stress.text.escape import command
from stress.text.units import named


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
    target = one_target(whole.targets, default_port(whole))
    vantages = vantages_of(whole)
    limits, seed = limits_of(whole), whole.value("seed", int)
    seed = randbits(32) if seed is None else seed
    load, load_notes = amount_of(whole, machine, limits.attempt_s, seed)
    plan = connection_of(whole, target)
    proxy, proxy_notes = proxy_of(whole, plan, resolve=resolve, reaches=machine.reaches)
    plan = replace(plan, notes=(*plan.notes, *proxy_notes), proxy=proxy)
    plan = replace(plan, proxy_authorization=authorization_of(whole, proxy))
    trust = trust_of(whole, plan.server_name or target.host, now)
    check_sweep(whole, plan)
    passed = whole.part("") | {"keeping": Keeping(**whole.part("keeping"))}
    found = places_of(
        whole, target, plan.sources, through=proxy, resolve=resolve, reaches=machine.reaches
    )
    plan = replace(
        plan,
        addresses=found.addresses,
        resolve_again_s=found.ttl_s,
        load=load,
        limits=limits,
        trust=trust,
        seed=seed,
        profile=profile.name if profile else "",
        notes=(*plan.notes, *load_notes, *found.notes),
        **passed,
    )
    check_headers(plan)
    try:
        plan = _allowed(plan, request, profile, stops=whole.stop_on_refusal)
    except UsageError as error:
        if not vantages:
            raise
        raise UsageError(error.message, f"All from {listed(vantages)}.\n{error.hint}") from None
    # A search begins slowly and ends as fast as the target takes it: nothing bounds its ports.
    load = replace(plan.load, rate=None) if plan.find_limit else plan.load
    ports = machine.local_ports * max(1, len(plan.sources)) * len(plan.addresses)
    close, note = closing_of(plan.close, load, ports)
    return replace(plan, close=close, notes=(*plan.notes, note))


def _allowed(
    plan: Plan, request: Request, profile: LoadProfile | None, *, stops: bool | None
) -> Plan:
    """Return the plan that consent and this machine allow; raise the soft limit of open files."""
    ignored = ignored_consent(request, profile)
    foreign = names_addresses(request, profile)
    try:
        agreed = consents(request, profile, plan.target.host, user_config().authorized)
        plan = allow(plan, agreed, foreign=foreign)
    except UsageError as error:
        hint = "\n".join([*(f"{line[0].upper()}{line[1:]}." for line in ignored), error.hint or ""])
        raise UsageError(error.message, hint) from None
    if stops is None:
        stops = any(is_public(address.ip) for address in plan.addresses)
    _open_files(plan.load)
    if plan.find_limit and plan.load.hold_s:
        raise_open_files_fully()  # the search decides how many will be held open
    load = replace(plan.load, stop_on_refusal=stops)
    return replace(plan, load=load, notes=(*plan.notes, *ignored))


def _open_files(load: Load) -> None:
    """Raise the soft limit of open files to what a load needs.

    Raises:
        UsageError: the system refuses it.
    """
    needed = files_needed(load)
    try:
        raise_open_files(needed)
    except (OSError, ValueError, OverflowError):  # macOS: above kern.maxfilesperproc
        raise UsageError(
            f"--concurrency: the system refuses {needed:,} open files per process",
            "Lower --concurrency, or raise the limit (macOS: sysctl kern.maxfilesperproc).",
        ) from None


# Plans that are made from a recorded plan: the rest of an interrupted run, and a replay.
#
# A run file may come from a stranger. Consent and the paths of a client certificate are therefore
# read from this command line alone, and the trust anchors are those that the file holds.

_YEAR_S, _MOST = 366 * 86_400.0, 10**12
_RANGES: Mapping[str, tuple[float, float]] = {
    "load.count": (1, _MOST),
    "load.duration_s": (1e-9, _YEAR_S),
    "load.concurrency": (1, _MOST),
    "load.rate": (1e-9, 1e6),
    "load.processes": (1, _MOST),
    "load.warm_up_s": (0, _YEAR_S),
    "load.hold_s": (0, _YEAR_S),
    "limits.attempt_s": (1e-9, _YEAR_S),
    "limits.connect_s": (1e-9, _YEAR_S),
    "limits.hello_s": (1e-9, _YEAR_S),
    "limits.handshake_s": (1e-9, _YEAR_S),
    "limits.after_handshake_s": (0, _YEAR_S),
    "limits.drain_s": (0, _YEAR_S),
    "limits.connection_bytes": (1, _MOST),
    "keeping.per_signature": (0, _MOST),
    "keeping.total_bytes": (0, _MOST),
    "resumption": (0, 1),
    "resolve_again_s": (0, _YEAR_S),
}
"""What planning makes; a file may say anything."""
HIGHEST_RATE = 10.0
"""Most tries of a replay per second."""
IN_FLIGHT = 64
GAP_S = 60.0
"""How long firewalls and balancers remember a connection after its end."""
LOOPBACK_GAP_S = 1.0
_SECOND = 1_000_000_000


def with_anchors(plan: Plan, stores: str | None = None) -> Plan:
    """Return the plan with this machine's trust anchors, where it was recorded with a system's.

    A run file holds private anchors alone; those of the system are read again.

    Args:
        plan: as recorded.
        stores: the root stores of the families that this command line names.

    Raises:
        UsageError: there is no usable store, or the run had root stores of its own.
    """
    if plan.trust.stores and stores is None:
        raise UsageError(
            "the run was judged by its own root stores, whose path is not read from a run file",
            "Give them again: --stores FILE.",
        )
    if stores is not None:
        plan = replace(plan, trust=replace(plan.trust, stores=stores))
    trust = plan.trust
    if trust.private or trust.anchors or not trust.anchors_from:
        return plan
    from stress.trust import load_anchors  # noqa: PLC0415 - loads cryptography, slow to start

    found = load_anchors(None)
    return replace(
        plan, trust=replace(trust, anchors=found.certificates, anchors_from=found.source)
    )


def remainder(
    facts: RunFacts, addresses: Sequence[Address], *, last_ns: int, request: Request
) -> Plan:
    """Return the plan of what is left to do.

    Args:
        facts: of the interrupted run.
        addresses: all that took part, in their order.
        last_ns: Unix time of its latest start.
        request: this command line, for consent and the client certificate.

    Raises:
        UsageError: nothing is left, it is a load that makes sense only in one piece, or
            `_again` refuses it.
    """
    plan = facts.plan
    if facts.end is End.COMPLETED:
        raise UsageError(
            f"the run {facts.name} is complete: there is nothing to resume",
            f"Start another: {command('run', str(plan.target))}",
        )
    if plan.find_limit or plan.goals or plan.load.segments or plan.replay:
        raise UsageError(
            f"the run {facts.name} cannot be resumed: a search, a goal, a replay or a load profile"
            " with segments needs one uninterrupted run",
            "Start it again.",
        )
    if not addresses:
        raise UsageError(
            f"the run {facts.name} ended before its first address was recorded: there is nothing"
            " to resume",
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
            f"See its report: {command('report', facts.name)}",
        )
    in_flight = plan.load.concurrency if count is None else min(plan.load.concurrency, count)
    load = replace(
        plan.load,
        count=count,
        duration_s=seconds,
        concurrency=in_flight,
        processes=min(plan.load.processes, in_flight, Machine.here().cores),
    )
    # Another seed: the same one would draw the same order again.
    seed = plan.seed + facts.started + 1
    return _again(replace(plan, seed=seed, addresses=tuple(addresses), load=load), request)


def gap_s(addresses: Sequence[Address]) -> float:
    """Return how long to wait before a combination is tried again."""
    near = all(is_loopback(address.ip) for address in addresses)
    return LOOPBACK_GAP_S if near else GAP_S


def replay_plan(
    plan: Plan, addresses: Sequence[Address], replay: Replay, request: Request, *, started: int
) -> Plan:
    """Return the plan of a replay.

    Args:
        plan: of the recorded run.
        addresses: of the recorded run, by index.
        replay: what to try.
        request: this command line, for consent and the client certificate.
        started: attempts that the recorded run started.

    Raises:
        UsageError: there is no trust store, or `_again` refuses it.
    """
    close = plan.close
    for one in replay.order:
        if not (one.address < len(addresses) and one.client < len(plan.clients)):
            raise UsageError("the run file names an address or a client that it does not hold")
        if one.source is not None and one.source >= len(plan.sources):
            raise UsageError("the run file names a source address that it does not hold")
    if replay.at_load:
        processes = min(plan.load.processes, Machine.here().cores)
        load = replace(plan.load, count=started, processes=processes)
    else:
        tries, hold_s = len(replay.order), plan.load.hold_s
        load = Load(tries, None, min(IN_FLIGHT, tries), HIGHEST_RATE, hold_s=hold_s)
        close = Close.RST  # a closed connection must not keep its port from the next try
        replay = replace(replay, gap_s=max(replay.gap_s, hold_s))  # nor must one that is held
    plan = replace(plan, addresses=tuple(addresses), load=load, find_limit="")
    return replace(
        _again(plan, request),
        close=close,
        resolve_again_s=None,
        goals=(),
        assertions=(),
        sweep=(),
        profile="",
        backends=False,
        replay=replay,
    )


def _again(plan: Plan, request: Request) -> Plan:
    """Return a recorded plan as this command line allows it.

    Raises:
        UsageError: a source address is gone, the load needs consent, or a client certificate is
            missing, not wanted or not usable.
    """
    for name, (low, high) in _RANGES.items():
        value = attrgetter(name)(plan)
        if value is not None and not low <= value <= high:
            raise UsageError(
                f"the recorded plan has {name} = {value:g}, which no run has",
                f"It is {low:g} to {high:g}. Start a run of your own instead.",
            )
    if not plan.clients or not plan.addresses:
        raise UsageError("the recorded plan has no client or no address to connect to")
    for source in plan.sources:
        named("the recorded --source", own_address, source)
    certificate, key = credentials_of(request)
    if plan.client_certificate is None and certificate is not None:
        raise UsageError(
            "--cert: the recorded run used no client certificate", "Leave out --cert and --key."
        )
    if plan.client_certificate is not None and certificate is None:
        raise UsageError(
            "the recorded run used a client certificate, and its path is not read from a run file",
            "Give it again: --cert FILE, and --key FILE where the key is in another file.",
        )
    plan = replace(plan, client_certificate=certificate, client_key=key)
    plan = authorized_again(plan, request)
    factories(plan)  # to check that each hello can be sent, with our certificate
    plan = allow(plan, consents(request, None, plan.target.host))
    _open_files(plan.load)
    if plan.resolve_again_s is not None:
        plan = replace(plan, resolve_again_s=max(SHORTEST_TTL_S, plan.resolve_again_s))
    return with_anchors(plan, request.stores)
