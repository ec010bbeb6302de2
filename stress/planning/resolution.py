"""What a target's name resolves to: all its A and AAAA addresses, and for how long.

Without `--resolver` the system answers: it honours /etc/hosts and whatever else the machine's owner
configured, but does not report the TTL. With `--resolver` we query that server ourselves and learn
the TTL. In both cases the answers are sorted, because resolvers rotate them and a run should number
its addresses alike each time.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

from stress.errors import UsageError
from stress.model.target import Address, Target
from stress.planning.targets import literal, split_port
from stress.text.escape import quoted

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
    """Seconds until it should be resolved again; None: never (the target is an address)."""


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
