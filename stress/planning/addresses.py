"""Addresses given by hand (`--address`, `--addresses`): they replace what the name resolves to."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stress.errors import UsageError
from stress.host.limits import Reaches
from stress.model.target import Address, Target
from stress.planning.request import Request
from stress.planning.resolution import Resolve
from stress.planning.targets import literal, split_port
from stress.text.suggestions import UNREADABLE, printable
from stress.text.units import named

_MOST = 10_000
"""An address is a row in every table of the report; more than this is a mistake."""


def parse_address(text: str, port: int) -> Address:
    """Read `IP[:PORT][=LABEL]`.

    Args:
        text: as the user wrote it.
        port: the target's port, where the text has none.

    Raises:
        UsageError: it holds no IP address, no port, or no printable label.
    """
    place, equals, label = text.strip().partition("=")
    if equals and not label.strip():
        raise UsageError(f'"{printable(text)}" has an empty label', "Write 192.0.2.1:443=node-7.")
    return _address(place, label, port)


def read_addresses(file: str, port: int) -> tuple[Address, ...]:
    """Read a file of lines `ip[:port] [label]`; `#` begins a comment, `-` is standard input.

    Raises:
        UsageError: the file cannot be read or is empty, or a line is bad (with its number).
    """
    name = "standard input" if file == "-" else file
    return gathered(_lines(_text(file, name), name, port), name)


def gathered(addresses: Iterable[Address], name: str) -> tuple[Address, ...]:
    """Return the addresses without those given twice.

    Raises:
        UsageError: there is none, too many, or one address with two labels.
    """
    seen: dict[tuple[str, int], Address] = {}
    for address in addresses:
        first = seen.setdefault((address.ip, address.port), address)
        if first.label != address.label:
            raise UsageError(f"{name}: {address} has two labels: {first.label}, {address.label}")
    if not seen:
        raise UsageError(f"{name}: holds no address", "Write lines such as 192.0.2.1:443 node-7.")
    if len(seen) > _MOST:
        raise UsageError(f"{name}: {len(seen):,} addresses; at most {_MOST:,} are taken")
    return tuple(seen.values())


def _lines(text: str, name: str, port: int) -> Iterator[Address]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split(None, 1)
        if not words:
            continue
        try:
            yield _address(words[0], words[1] if len(words) > 1 else "", port)
        except UsageError as error:
            raise UsageError(f"{name}, line {number}: {error.message}", error.hint) from None


def _address(place: str, label: str, port: int) -> Address:
    host, own_port = split_port(place)
    ip = literal(host)
    if ip is None:
        raise UsageError(
            f'"{printable(host)}" is no IP address',
            "Give addresses here, such as 192.0.2.1:443; a name is the target.",
        )
    if not label.isprintable():
        raise UsageError(f'the label "{printable(label)}" cannot be printed')
    return Address(ip, own_port or port, label.strip() or None)


def _text(file: str, name: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}", UNREADABLE) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: is no text (octet {error.start} is not UTF-8)") from None


# Which addresses are dialled at the start: given by hand, or what the target's name stands for.


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
    kept = tuple(address for address in places.addresses if reaches(address.ip))
    return _without(places, kept, "this machine has no route to them") if kept else places


def _without(places: Places, kept: tuple[Address, ...], reason: str) -> Places:
    left = [str(address) for address in places.addresses if address not in kept]
    if not left:
        return places
    shown = ", ".join(left[:3]) + (f" and {len(left) - 3} more" if len(left) > 3 else "")
    return Places(kept, places.again_s, (*places.notes, f"left out {shown}: {reason}"))
