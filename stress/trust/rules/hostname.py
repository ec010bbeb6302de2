"""Compares the host that was asked for with the names of a certificate (RFC 9525 section 6)."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from stress.trust.reading.certificate import CertificateFacts

_LONGEST_NAME = 253
"""Characters of a host name (RFC 1035 section 2.3.4); what is longer names no host."""


def names_host(facts: CertificateFacts, host: str) -> bool:
    """Whether the subjectAltName holds the host (a name or an address literal)."""
    names = facts.alternative_names
    if names is None:
        return False
    address = literal(host)
    if address is not None:
        return address in names.addresses
    wanted = ascii_name(host)
    return any(covers(ascii_name(pattern), wanted) for pattern in names.dns)


def common_name_is(facts: CertificateFacts, host: str) -> bool:
    """Whether the CN would do for the host, for clients that still look at it."""
    if facts.common_name is None:
        return False
    address = literal(host)
    if address is not None:
        return literal(facts.common_name) == address
    return covers(ascii_name(facts.common_name), ascii_name(host))


def covers(pattern: str, name: str) -> bool:
    """Whether a name from a certificate stands for `name`; both lower case, without final dot.

    A `*` is the whole first label and stands for exactly one; `*.com` stands for nothing.
    """
    if not pattern.startswith("*."):
        return pattern == name and bool(name)
    first, dot, rest = name.partition(".")
    return bool(first) and bool(dot) and rest == pattern[2:] and "." in rest


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """The host as an address; None: it is a name. Brackets are dropped, and an IPv6 zone."""
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


# Every policy compares the same names again, and IDNA is slow.
@lru_cache(maxsize=4096)
def ascii_name(name: str) -> str:
    """The name as it stands in certificates: lower case, A-labels, without a final dot."""
    if not name.isascii() and len(name) <= _LONGEST_NAME:
        # A label that is empty, too long or no IDNA is compared as it is.
        with suppress(UnicodeError):
            name = name.encode("idna").decode("ascii")
    return name.removesuffix(".").lower()
