"""Which addresses are dialled at the start: given by hand, or what the target's name stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stress.errors import UsageError
from stress.model.target import Address, Target
from stress.planning.machine import Reaches
from stress.planning.place.addresses import gathered, parse_address, read_addresses
from stress.planning.place.resolution import Resolve
from stress.planning.request import Request
from stress.planning.units import named


@dataclass(frozen=True, slots=True)
class Places:
    """Where connections go."""

    addresses: tuple[Address, ...]
    again_s: float | None
    """Seconds until the name is resolved again; None: never."""
    notes: tuple[str, ...] = ()


def places_of(
    request: Request,
    target: Target,
    sources: Sequence[str],
    *,
    resolve: Resolve,
    reaches: Reaches,
) -> Places:
    """Find the addresses of a run.

    Args:
        request: with the profile filled in.
        target: whose addresses they are.
        sources: local addresses to dial from; empty: any.
        resolve: finds what the target's name stands for.
        reaches: tells whether this machine knows a way to an address.

    Raises:
        UsageError: a given address is bad, the name does not resolve, or no source fits.
    """
    import trio  # noqa: PLC0415 - commands that resolve nothing start faster without it

    given = _given(request, target.port)
    if given:
        return _from_sources(Places(given, None), sources)
    resolution = trio.run(resolve, target, request.resolver)
    found = Places(resolution.addresses, resolution.ttl_s)
    return _from_sources(found if target.literal else _with_route(found, reaches), sources)


def dialable(addresses: Sequence[Address], sources: Sequence[str]) -> tuple[Address, ...]:
    """Return the addresses of the families that can be dialled from the sources."""
    if not sources:
        return tuple(addresses)
    families = {"ipv6" if ":" in source else "ipv4" for source in sources}
    return tuple(address for address in addresses if address.family in families)


def _given(request: Request, port: int) -> tuple[Address, ...]:
    inline = [
        named("--address", lambda text: parse_address(text, port), word)
        for word in request.addresses_inline
    ]
    if request.addresses_file is not None:
        inline += read_addresses(request.addresses_file, port)
    return gathered(inline, "--address") if inline else ()


def _from_sources(places: Places, sources: Sequence[str]) -> Places:
    kept = dialable(places.addresses, sources)
    if not kept:
        raise UsageError(
            f"no address can be reached from {', '.join(sources)}: IPv4 and IPv6 do not mix",
            "Give a --source of the same family as the target's addresses.",
        )
    return _without(places, kept, "no --source of their family")


def _with_route(places: Places, reaches: Reaches) -> Places:
    """Leave out what this machine has no way to; a family we lack says nothing of the target."""
    kept = tuple(address for address in places.addresses if reaches(address))
    return _without(places, kept, "this machine has no route to them") if kept else places


def _without(places: Places, kept: tuple[Address, ...], reason: str) -> Places:
    left = [str(address) for address in places.addresses if address not in kept]
    if not left:
        return places
    shown = ", ".join(left[:3]) + (f" and {len(left) - 3} more" if len(left) > 3 else "")
    return Places(kept, places.again_s, (*places.notes, f"left out {shown}: {reason}"))
