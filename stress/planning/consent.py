"""Consent: how much load a public target gets without its owner's permission.

A handshake costs a server far more than it costs us, so a load test of somebody else's server is
an attack. What an ordinary visitor might do is free: 50 handshakes per second and 1,000 in total.
Private, loopback, link-local and documentation addresses belong to the user or to nobody. More
against a public address needs a statement that it is agreed: on the command line, or once in the
profile, by the exact host name. The statement is recorded with the run.

Subtle:

* A closed loop has no rate of its own; against a public address it is paced to 50 per second, so
  that "small" stays true however fast the target answers.
* Names are resolved again during a run. `Guard` keeps a public address out that appears after
  the start of a run without consent.
* Consent covers the target and what the command line names, and the record says so. Addresses that
  only a stranger's profile names are not covered, or the profile would aim somebody's consent.
* Through a proxy, both count: the target, which gets the load, and the proxy, which carries it. A
  name that only the proxy resolves may be anybody's.
* IPv4 inside IPv6 (mapped, 6to4, NAT64) reaches an IPv4 host, so that one decides.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from stress.errors import UsageError
from stress.host.addresses import is_loopback, is_public
from stress.host.limits import Reaches, has_route
from stress.model.plan import PROBES, Address, Load, Plan, Target
from stress.planning.addresses import Resolution, Resolve, connectable, resolve
from stress.planning.load import highest, total_of
from stress.text.escape import quoted
from stress.text.units import show_duration, show_rate, show_size

FREE_RATE = 50.0
"""Attempts per second that need no consent."""
FREE_COUNT = 1000
"""Attempts in total that need no consent."""
HANDSHAKE_BYTES = 5_000
"""A usual full handshake, both directions, for the message only."""


def allow(plan: Plan, consent: Collection[str], *, foreign: bool = False) -> Plan:
    """Decide whether the load of a plan may be sent to its addresses.

    Args:
        plan: without notes and consent of this decision.
        consent: how the user consented for its target, as text; empty: not at all.
        foreign: only a profile that may be a stranger's names the addresses. Then private ones
            are not taken for the user's own, unless they are this machine's (loopback).

    Raises:
        UsageError: it needs consent and has none; the hint prints the line to add.
    """
    plan, load = replace(plan, authorized=None), _asked(plan)
    places = [*plan.addresses, *([plan.proxy.address] if plan.proxy else [])]
    others = [
        address
        for address in places
        if is_public(address.ip) or (foreign and not is_loopback(address.ip))
    ]
    if not others:
        return plan
    if consent:  # for the target, and the addresses that are connected to
        covered = str(plan.target)
        if not plan.target.literal:
            covered += f" at {', '.join(map(str, plan.addresses[:3]))}"
            covered += f" and {len(plan.addresses) - 3:,} more" if len(plan.addresses) > 3 else ""
        covered += f" through the proxy {plan.proxy}" if plan.proxy else ""
        return replace(plan, authorized=f"{'; '.join(consent)}, for {covered}")
    small = load.count is not None and load.count <= FREE_RATE
    paced = load if small or load.rate is not None else replace(load, rate=FREE_RATE)
    more = PROBES if plan.backends else 0
    if exceeds(paced, more):
        raise _refusal(load, plan, others[0], more, foreign=foreign)
    if paced is load:
        return plan
    place = "addresses that only a profile names" if foreign else "a public address"
    place = "a name that the proxy resolves" if others[0].family == "name" else place
    note = f"paced to {show_rate(FREE_RATE)}: more against {place} needs consent"
    return replace(plan, load=paced, notes=(*plan.notes, note))


def _asked(plan: Plan) -> Load:
    """The load to consent to: a search raises its rate, so its time bounds no total."""
    return replace(plan.load, duration_s=None) if plan.find_limit else plan.load


def exceeds(load: Load, more: int = 0) -> bool:
    """Return whether a load, and so many connections, are more than anybody gets unasked."""
    total = total_of(load)
    total = None if total is None else total + more
    if total is None or total > FREE_COUNT:
        return True
    fastest = highest(load.segments) or load.rate
    return total > FREE_RATE and not (fastest is not None and fastest <= FREE_RATE)


@dataclass(frozen=True, slots=True)
class Guard:
    """Resolves a name again during a run, within what was agreed. It can be pickled."""

    plan: Plan
    resolve: Resolve = resolve
    reaches: Reaches = has_route

    async def __call__(self, target: Target, resolver: str | None, /) -> Resolution:
        """Resolve, without addresses that this run may not or cannot connect to.

        Raises:
            UsageError: the name does not resolve, or to no address that is left.
        """
        found = await self.resolve(target, resolver)
        kept = connectable(found.addresses, self.plan.sources)
        kept = tuple(address for address in kept if self.reaches(address.ip))
        if self.plan.authorized is None and exceeds(
            _asked(self.plan), PROBES if self.plan.backends else 0
        ):
            kept = tuple(address for address in kept if not is_public(address.ip))
        if not kept:
            raise UsageError(
                f"{quoted(target.host)} no longer has an address that this run may connect to"
            )
        return Resolution(kept, found.ttl_s)


def _refusal(load: Load, plan: Plan, address: Address, more: int, *, foreign: bool) -> UsageError:
    target, proxy = plan.target, plan.proxy
    total = total_of(load)
    total = None if total is None else total + more
    amount = "handshakes" if total is None else f"{total:,} handshakes"
    pace = "as fast as it answers" if load.rate is None else f"at {show_rate(load.rate)}"
    length = "" if load.duration_s is None else f" for {show_duration(load.duration_s)}"
    shown = quoted(target.host)
    place = "" if address.ip == target.host else f" ({address.ip})"
    burden = (
        f"Each handshake is about {show_size(HANDSHAKE_BYTES)} and a new visitor to the server."
    )
    if total is not None:
        traffic = show_size(total * HANDSHAKE_BYTES)
        burden = f"That is about {traffic} of traffic and the work of {total:,} new visitors."
    free = f"Without consent: {FREE_RATE:.0f} per second and {FREE_COUNT:,} in total."
    if foreign:
        return UsageError(
            f"only the profile names {address}: {amount} {pace}{length} need consent",
            f"{burden}\n{free}\n"
            "--i-am-authorized covers addresses that the command line names: repeat them there with"
            " --address\nor --addresses, or keep the profile in ~/.config/tls-stress.",
        )
    if address.family == "name":
        shown, place = f"{shown}, which only the proxy resolves,", ""
        free += " --address names the addresses."
    elif proxy is not None and address == proxy.address:
        shown, place = f"the proxy {proxy.host}", "" if proxy.host == proxy.ip else f" ({proxy.ip})"
    counts = "counts as public" if address.family == "name" else "is public"
    return UsageError(
        f"{shown}{place} {counts}: {amount} {pace}{length} need consent",
        f"{burden}\n{free}\n"
        "If it is yours, or its owner agrees, add --i-am-authorized, or to a profile in"
        " ~/.config/tls-stress:\n\n"
        f'    authorized = ["{target.host}"]',
    )
