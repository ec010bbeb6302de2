"""Which addresses a run connects to: given by hand, or what the target's name resolves to."""

from __future__ import annotations

import socket
import sys
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

from stress.errors import UsageError
from stress.host.limits import Reaches
from stress.model.plan import Address, Proxy, Target
from stress.planning.request import Request
from stress.planning.targets import literal, split_port
from stress.text.escape import UNREADABLE, quoted
from stress.text.units import named

# What a target's name resolves to: all its A and AAAA addresses, and for how long.
#
# Without `--resolver` the system answers: it honours /etc/hosts and whatever else the machine's
# owner configured, but does not report the TTL. With `--resolver` we query that server ourselves
# and learn the TTL. In both cases the answers are sorted, because resolvers rotate them and a run
# should number its addresses alike each time.

UNKNOWN_TTL_S = 60.0
"""How long an answer without a TTL is used."""
_LIFETIME_S = 4.0
"""Time limit of one query to a DNS server; there are two of them, A and AAAA."""
SHORTEST_TTL_S = 1.0
"""A TTL of 0 means "resolve each time"; once a second is often enough to see every change."""
_HINT = "Check the spelling, or give a DNS server with --resolver, or addresses with --address."


@dataclass(frozen=True, slots=True)
class Resolution:
    """The addresses of a target."""

    addresses: tuple[Address, ...]
    """Without duplicates, IPv4 first, in numeric order."""
    ttl_s: float | None
    """Seconds until it should be resolved again; None: never."""
    notes: tuple[str, ...] = ()
    """What was left out, and why."""


class Resolve(Protocol):
    """Resolves a target; the engine is handed one of these."""

    def __call__(self, target: Target, resolver: str | None, /) -> Awaitable[Resolution]: ...


async def resolve(
    target: Target, resolver: str | None, /, *, patience_s: float = 10.0
) -> Resolution:
    """Find all addresses of a target.

    Args:
        target: an address literal resolves to itself, without a query.
        resolver: `IP[:PORT]` of the DNS server to query; None: the system resolver.
        patience_s: how long to wait for an answer.

    Raises:
        UsageError: the name does not resolve, or there was no answer in time.
    """
    if target.literal is not None:
        return Resolution((Address(target.host, target.port),), None)
    import trio  # noqa: PLC0415 - commands that resolve nothing start faster without it

    with trio.move_on_after(patience_s):
        if resolver is not None:
            ips, ttl_s = await _query_server(target.host, *parse_resolver(resolver))
        else:
            try:
                found = await trio.socket.getaddrinfo(
                    target.host, target.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
                )
            except (OSError, UnicodeError) as error:
                reason = getattr(error, "strerror", None) or "no answer"
                raise UsageError(f"{target.host} does not resolve: {reason}", _HINT) from None
            ips, ttl_s = [str(place[0]) for *_, place in found], UNKNOWN_TTL_S
        canonical = {ip_address(ip) for ip in ips}
        ordered = sorted(canonical, key=lambda ip: (ip.version, int(ip), str(ip)))
        return Resolution(tuple(Address(str(ip), target.port) for ip in ordered), ttl_s)
    raise UsageError(f"{target.host} did not resolve within {patience_s:g} s", _HINT)


def parse_resolver(text: str) -> tuple[str, int]:
    """Read `IP[:PORT]` of a DNS server; the port is 53 where none is given.

    Raises:
        UsageError: it has no valid IP address or port.
    """
    host, port = split_port(text.strip())
    ip = literal(host)
    if ip is None:
        raise UsageError(
            f'"{quoted(host)}" is not an IP address', "Give the IP address of the DNS server."
        )
    return ip, port or 53


async def _query_server(host: str, ip: str, port: int) -> tuple[list[str], float]:
    """Return the addresses, and the seconds until they should be resolved again."""
    # Late, for the start-up time: only --resolver needs dnspython.
    import dns.asyncresolver  # noqa: PLC0415 - see above
    import dns.exception  # noqa: PLC0415 - see above
    import dns.name  # noqa: PLC0415 - see above

    server = dns.asyncresolver.Resolver(configure=False)
    server.nameservers = [ip]
    server.port = port
    try:
        name = dns.name.from_text(host)
        answers = [
            await server.resolve(name, kind, raise_on_no_answer=False, lifetime=_LIFETIME_S)
            for kind in ("A", "AAAA")
        ]
    except dns.exception.DNSException as error:
        reason = type(error).__name__
        raise UsageError(f"{host} does not resolve at {ip} port {port}: {reason}", _HINT) from None
    found = [record.address for answer in answers for record in answer.rrset or ()]
    if not found:
        raise UsageError(f"{host} has no address: {ip} has neither A nor AAAA records", _HINT)
    ttls = [answer.chaining_result.minimum_ttl for answer in answers if answer.rrset]
    return found, max(SHORTEST_TTL_S, float(min(ttls)))


_MOST = 10_000
"""An address is a row in every table of the report; more than this is a mistake."""


def places_of(
    request: Request,
    target: Target,
    sources: Sequence[str],
    *,
    through: Proxy | None = None,
    resolve: Resolve,
    reaches: Reaches,
) -> Resolution:
    """Find the addresses of a run.

    Args:
        request: with the profile filled in.
        target: whose addresses they are.
        sources: local addresses to connect from; empty: any.
        through: the proxy, which resolves the name itself; None: connections are direct.
        resolve: resolves the target's name.
        reaches: whether this machine has a route to an address.

    Raises:
        UsageError: a given address is bad, the name does not resolve, or no source fits.
    """
    import trio  # noqa: PLC0415 - commands that resolve nothing start faster without it

    read = partial(parse_address, port=target.port)
    given = [named("--address", read, text) for text in request.addresses_inline]
    if request.addresses_file is not None:
        given += read_addresses(request.addresses_file, target.port)
    if through is not None:  # where the proxy connects to, it alone knows
        if not connectable([through.address], sources):
            raise UsageError(
                f"the proxy {through.ip} cannot be reached from {', '.join(sources)}",
                "Give a --source of the same family as the proxy's address.",
            )
        place = Address(target.host, target.port)
        return Resolution(gathered(given, "--address") if given else (place,), None)
    if given:
        found = Resolution(gathered(given, "--address"), None)
    else:
        found = trio.run(resolve, target, request.resolver)
        routed = tuple(address for address in found.addresses if reaches(address.ip))
        # A missing route, such as a machine without IPv6, is not the target's fault.
        if routed and not target.literal:
            found = _without(found, routed, "no route from this machine")
    kept = connectable(found.addresses, sources)
    if not kept:
        raise UsageError(
            f"no address can be reached from {', '.join(sources)}: IPv4 and IPv6 do not mix",
            "Give a --source of the same family as the target's addresses.",
        )
    return _without(found, kept, "no --source of their family")


def parse_address(text: str, port: int = 443) -> Address:
    """Read `IP[:PORT][=LABEL]`.

    Args:
        text: as the user wrote it.
        port: the target's port, where the text has none.

    Raises:
        UsageError: it has no valid IP address or port, or an empty or unprintable label.
    """
    place, equals, label = text.strip().partition("=")
    if equals and not label.strip():
        raise UsageError(f'"{quoted(text)}" has an empty label', "Write 192.0.2.1:443=node-7.")
    return _address(place, label, port)


def read_addresses(file: str, port: int) -> tuple[Address, ...]:
    """Read a file of lines `ip[:port] [label]`; `#` begins a comment, `-` is standard input.

    Raises:
        UsageError: the file cannot be read or is empty, or a line is bad (with its number).
    """
    name = "standard input" if file == "-" else file
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}", UNREADABLE) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: is not text (byte {error.start} is not UTF-8)") from None

    def addresses() -> Iterator[Address]:
        for number, line in enumerate(text.splitlines(), 1):
            words = [*line.partition("#")[0].split(None, 1), ""]
            if len(words) > 1:
                read = partial(_address, label=words[1], port=port)
                yield named(f"{name}, line {number}", read, words[0])

    return gathered(addresses(), name)


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
        raise UsageError(
            f"{name}: contains no address", "Write lines such as 192.0.2.1:443 node-7."
        )
    if len(seen) > _MOST:
        raise UsageError(f"{name}: {len(seen):,} addresses; at most {_MOST:,} are allowed")
    return tuple(seen.values())


def connectable(addresses: Sequence[Address], sources: Sequence[str]) -> tuple[Address, ...]:
    """Return the addresses whose family one of the sources has."""
    if not sources:
        return tuple(addresses)
    families = {"ipv6" if ":" in source else "ipv4" for source in sources}
    return tuple(address for address in addresses if address.family in families)


def _address(place: str, label: str, port: int) -> Address:
    host, own_port = split_port(place)
    ip = literal(host)
    if ip is None:
        raise UsageError(
            f'"{quoted(host)}" is not an IP address',
            "Give an address such as 192.0.2.1:443; a name can only be the target.",
        )
    if not label.isprintable():
        raise UsageError(f'the label "{quoted(label)}" contains unprintable characters')
    return Address(ip, own_port or port, label.strip() or None)


def _without(found: Resolution, kept: tuple[Address, ...], reason: str) -> Resolution:
    """Return the addresses that are kept, with a note about the others."""
    left = [str(address) for address in found.addresses if address not in kept]
    if not left:
        return found
    shown = ", ".join(left[:3]) + (f" and {len(left) - 3} more" if len(left) > 3 else "")
    return Resolution(kept, found.ttl_s, (*found.notes, f"skipped {shown}: {reason}"))
