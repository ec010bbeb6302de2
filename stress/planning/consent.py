"""Consent: who may be asked how much without anybody's leave.

A handshake costs a server far more than it costs us, so a load test of somebody else's server is
an attack. What lies within a visitor's means is free: 50 handshakes a second and 1,000 in all.
Private, loopback, link-local and documentation addresses are the user's own or nobody's. For more
against a public address somebody must say that it is agreed: on the command line, or once in the
profile, by the exact host name. What was said is kept with the run.

Subtle:

* A closed loop has no rate of its own; against a public address it is paced to 50 a second, so
  that "small" stays true however fast the target answers.
* Names are resolved again while a run goes on. `Guard` keeps a public address out that joins
  a run to which nobody consented.
* IPv4 inside IPv6 (mapped, 6to4, NAT64) reaches an IPv4 host, so that one decides.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from stress.errors import UsageError
from stress.host.addresses import is_public
from stress.host.limits import Reaches, has_route
from stress.model.plan import Load, Plan
from stress.model.target import Address, Target
from stress.planning.addresses import dialable
from stress.planning.load_shapes import highest
from stress.planning.resolution import Resolution, Resolve, resolve
from stress.text.suggestions import printable
from stress.text.units import show_duration, show_rate, show_size

FREE_RATE = 50.0
"""Attempts a second that need nobody's leave."""
FREE_COUNT = 1000
"""Attempts in all that need nobody's leave."""
HANDSHAKE_BYTES = 5_000
"""A usual full handshake, both directions, for the message only."""


@dataclass(frozen=True, slots=True)
class Leave:
    """What the user may do, and by whose word."""

    load: Load
    given: str | None
    """How consent was given, for the record; None: none was needed."""
    notes: tuple[str, ...] = ()


def leave_for(
    load: Load, target: Target, addresses: Iterable[Address], said: Collection[str]
) -> Leave:
    """Decide whether a load may be sent.

    Args:
        load: as planned.
        target: as the user named it.
        addresses: that would be dialled.
        said: how the user consented for this target, in words; empty: not at all.

    Raises:
        UsageError: it needs consent and has none; the hint prints the line to add.
    """
    public = [address for address in addresses if is_public(address.ip)]
    if not public:
        return Leave(load, None)
    if said:
        return Leave(load, "; ".join(said))
    paced = _paced(load)
    if exceeds(paced):
        raise _refusal(load, target, public[0])
    if paced is load:
        return Leave(load, None)
    note = f"paced to {show_rate(FREE_RATE)}: more against a public address needs consent"
    return Leave(paced, None, (note,))


def mindful(load: Load, addresses: Iterable[Address], *, wish: bool | None) -> Load:
    """Return the load that stops when the target begins to refuse everything.

    Args:
        load: as allowed.
        addresses: that would be dialled.
        wish: what the user said; None: nothing, so others' servers are spared and one's own not.
    """
    public = any(is_public(address.ip) for address in addresses)
    return replace(load, stop_on_refusal=public if wish is None else wish)


def exceeds(load: Load) -> bool:
    """Tell whether a load is more than a public target gets without consent."""
    total = total_of(load)
    if total is None or total > FREE_COUNT:
        return True
    fastest = highest(load.segments) or load.rate
    return total > FREE_RATE and (fastest is None or fastest > FREE_RATE)


def total_of(load: Load) -> int | None:
    """Return the most attempts that a load can make; None: nothing bounds it."""
    by_time = None
    if load.rate is not None and load.duration_s is not None:
        by_time = math.ceil(load.rate * load.duration_s)
    return min((n for n in (load.count, by_time) if n is not None), default=None)


@dataclass(frozen=True, slots=True)
class Guard:
    """Resolves a name again during a run, within what was agreed. Can be sent to a process."""

    plan: Plan
    ask: Resolve = resolve
    reaches: Reaches = has_route

    async def __call__(self, target: Target, resolver: str | None, /) -> Resolution:
        """Resolve, and leave out what this run may not or cannot dial.

        Raises:
            UsageError: the name does not resolve, or to nothing that may be dialled.
        """
        found = await self.ask(target, resolver)
        kept = dialable(found.addresses, self.plan.sources)
        kept = tuple(address for address in kept if self.reaches(address.ip))
        if self.plan.authorized is None and exceeds(self.plan.load):
            kept = tuple(address for address in kept if not is_public(address.ip))
        if not kept:
            raise UsageError(f"{printable(target.host)} now has no address that may be dialled")
        return Resolution(kept, found.ttl_s)


def _paced(load: Load) -> Load:
    free = load.count is not None and load.count <= FREE_RATE
    return load if free or load.rate is not None else replace(load, rate=FREE_RATE)


def _refusal(load: Load, target: Target, address: Address) -> UsageError:
    total = total_of(load)
    amount = "handshakes" if total is None else f"{total:,} handshakes"
    pace = "as fast as it answers" if load.rate is None else f"at {show_rate(load.rate)}"
    length = "" if load.duration_s is None else f" for {show_duration(load.duration_s)}"
    shown = printable(target.host)
    place = "" if address.ip == target.host else f" ({address.ip})"
    return UsageError(
        f"{shown}{place} is public: {amount} {pace}{length} need consent",
        f"{_burden(total)}\n"
        f"Without consent: {FREE_RATE:.0f} a second and {FREE_COUNT:,} in all.\n"
        "If it is yours, or its owner agrees, add --i-am-authorized, or to the profile:\n\n"
        f'    authorized = ["{target.host}"]',
    )


def _burden(total: int | None) -> str:
    if total is None:
        return f"Each handshake is about {show_size(HANDSHAKE_BYTES)} and a new visitor to it."
    traffic = show_size(total * HANDSHAKE_BYTES)
    return f"That is about {traffic} of traffic, and as much work for it as {total:,} new visitors."
