"""What a target's name stands for now: all its A and AAAA addresses, and for how long.

Without a resolver of the user's own, the system answers: it honours /etc/hosts and whatever else
the machine's owner set up, but does not tell the TTL. With `--resolver` we ask that server
ourselves and learn the TTL. In both cases the answers are sorted, because resolvers rotate them
and a run should number its addresses alike each time.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol

from stress.errors import UsageError
from stress.model.target import Address, Target
from stress.planning.targets import literal, split_port
from stress.text.suggestions import printable

if TYPE_CHECKING:  # dnspython is heavy, and most runs do not name a resolver
    import dns.rdatatype
    import dns.resolver

UNKNOWN_TTL_S = 60.0
"""How long an answer without a TTL is believed."""
_LIFETIME_S = 4.0
"""How long one question to a DNS server may take; there are two of them, A and AAAA."""
SHORTEST_TTL_S = 1.0
"""A TTL of 0 means "ask each time"; once a second is often enough to see every change."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """The addresses of a target."""

    addresses: tuple[Address, ...]
    """Without doubles, IPv4 first, in numeric order."""
    ttl_s: float | None
    """Seconds until it should be asked again; None: never (the target is an address)."""


class Resolve(Protocol):
    """Whoever can say what a target stands for; the engine is handed one of these."""

    def __call__(self, target: Target, resolver: str | None, /) -> Awaitable[Resolution]: ...


async def resolve(
    target: Target, resolver: str | None, /, *, patience_s: float = 10.0
) -> Resolution:
    """Find all addresses of a target.

    Args:
        target: an address literal stands for itself, and nothing is asked.
        resolver: `IP[:PORT]` of the DNS server to ask; None asks the system.
        patience_s: how long to wait for an answer.

    Raises:
        UsageError: the name does not resolve, or nobody answered.
    """
    if target.literal is not None:
        return Resolution((Address(target.host, target.port),), None)
    import trio  # noqa: PLC0415 - commands that resolve nothing start faster without it

    with trio.move_on_after(patience_s):
        if resolver is None:
            return await _ask_system(target)
        return await _ask_server(target, *parse_resolver(resolver))
    raise UsageError(f"{target.host} did not resolve within {patience_s:g} s", _HINT)


def parse_resolver(text: str) -> tuple[str, int]:
    """Read `IP[:PORT]` of a DNS server; the port is 53 where none is given.

    Raises:
        UsageError: it holds no IP address or no port.
    """
    host, port = split_port(text.strip())
    ip = literal(host)
    if ip is None:
        raise UsageError(
            f'"{printable(host)}" is no IP address', "Name the DNS server by its address."
        )
    return ip, port or 53


_HINT = "Check the spelling, or name a DNS server with --resolver, or addresses with --address."


async def _ask_system(target: Target) -> Resolution:
    import trio  # noqa: PLC0415 - see `resolve`

    try:
        found = await trio.socket.getaddrinfo(
            target.host, target.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no answer"
        raise UsageError(f"{target.host} does not resolve: {reason}", _HINT) from None
    return Resolution(_sorted(target, (str(place[0]) for *_, place in found)), UNKNOWN_TTL_S)


async def _ask_server(target: Target, ip: str, port: int) -> Resolution:
    # Late, for the start-up time: only --resolver needs dnspython.
    import dns.asyncresolver  # noqa: PLC0415 - see above
    import dns.rdatatype  # noqa: PLC0415 - see above

    asker = dns.asyncresolver.Resolver(configure=False)
    asker.nameservers = [ip]
    asker.port = port
    kinds = (dns.rdatatype.A, dns.rdatatype.AAAA)
    answers = [await _answer(asker, target, kind, f"{ip} port {port}") for kind in kinds]
    found = [record.address for answer in answers for record in answer.rrset or ()]
    if not found:
        raise UsageError(f"{target.host} has no address: {ip} knows neither A nor AAAA", _HINT)
    ttls = [answer.chaining_result.minimum_ttl for answer in answers if answer.rrset]
    return Resolution(_sorted(target, found), max(SHORTEST_TTL_S, float(min(ttls))))


async def _answer(
    asker: dns.asyncresolver.Resolver, target: Target, kind: dns.rdatatype.RdataType, server: str
) -> dns.resolver.Answer:
    import dns.exception  # noqa: PLC0415 - only --resolver needs dnspython
    import dns.name  # noqa: PLC0415 - the same

    try:
        return await asker.resolve(
            dns.name.from_text(target.host),
            kind,
            raise_on_no_answer=False,
            lifetime=_LIFETIME_S,
        )
    except dns.exception.DNSException as error:
        reason = type(error).__name__
        raise UsageError(f"{target.host} does not resolve at {server}: {reason}", _HINT) from None


def _sorted(target: Target, ips: Iterable[str]) -> tuple[Address, ...]:
    canonical = {ip_address(ip) for ip in ips}
    ordered = sorted(canonical, key=lambda ip: (ip.version, int(ip), str(ip)))
    return tuple(Address(str(ip), target.port) for ip in ordered)
