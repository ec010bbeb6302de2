"""IP addresses as this machine sees them: public or not, its own, and how it reaches others."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_CARRY_IPV4 = tuple(
    IPv6Network(text) for text in ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")
)
"""IPv6 addresses that end in an IPv4 address: compatible, translated, and two kinds of NAT64
(RFC 4291 section 2.5.5, RFC 2765, RFC 6052 section 2.1, RFC 8215)."""
_TEREDO = IPv6Network("2001::/32")
"""Tunnels to hosts on the public Internet (RFC 4380); Python versions classify it differently."""
_ALLOCATED = IPv6Network("2000::/3")
"""All that is given out for hosts on the Internet (IANA's IPv6 address space registry). The rest is
not public, such as the old site-local addresses, which some Python versions call global."""
_DOCUMENTATION = IPv6Network("3fff::/20")
"""RFC 9637, which older Python versions do not know."""


def is_public(ip: str) -> bool:
    """Tell whether an address belongs to the public Internet (IANA special-purpose registries).

    An IPv6 address that stands for an IPv4 host (mapped, compatible, 6to4, NAT64) is as public as
    that host: packets go there. Multicast is never public. A name that only a proxy resolves may be
    anybody's, so it counts as public.
    """
    try:
        address = ip_address(ip)
    except ValueError:
        return True
    if isinstance(address, IPv6Address):
        if address in _TEREDO:
            return True
        inner = address.ipv4_mapped or address.sixtofour
        if any(address in network for network in _CARRY_IPV4):
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is None and (address not in _ALLOCATED or address in _DOCUMENTATION):
            return False
        address = inner or address
    return address.is_global and not address.is_multicast


def is_loopback(ip: str) -> bool:
    """Tell whether an address is this machine's own; a name that a proxy resolves is not."""
    try:
        return ip_address(ip).is_loopback
    except ValueError:
        return False


def source_address(ip: str, port: int = 9) -> str | None:
    """Return the local address from which the kernel reaches another; None: there is no route.

    Connecting a UDP socket sends no packet.
    """
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((ip, port))
            return str(probe.getsockname()[0])
    except OSError:
        return None
