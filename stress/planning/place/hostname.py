"""Host names as they go into DNS and SNI: ASCII labels, internationalised ones encoded."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from socket import if_nameindex

import idna

from stress.errors import UsageError
from stress.planning.words import printable

_LETTERS = "A host name is made of letters, digits and hyphens, with dots between."
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")


def host_name(text: str) -> str:
    """Return a DNS name in lower-case ASCII (RFC 5890 A-labels), without a final dot.

    Underscores are let through: they are no host names by RFC 952, yet resolvers and servers
    answer to them.

    Raises:
        UsageError: a label is empty, longer than 63 octets, or holds what no name may hold; the
            whole is longer than 253; or it looks like an IPv4 address and is none.
    """
    plain = text.removesuffix(".").lower()
    name = plain if plain.isascii() else _encoded(plain)
    for label in name.split("."):
        _check_label(label, text)
    if len(name) > 253:
        raise UsageError(
            f"the host name of {len(name)} octets is longer than 253 (RFC 1035)",
            "Is it the name of a host, and of one?",
        )
    if name.rpartition(".")[2].isdigit():
        raise UsageError(
            f'"{printable(text)}" is neither a host name nor an IPv4 address',
            "An IPv4 address has four numbers of 0 to 255, such as 192.0.2.1.",
        )
    return name


def literal(text: str) -> str | None:
    """Return the canonical text of an IPv4 or IPv6 address, or None when it is none.

    Raises:
        UsageError: it names a zone (RFC 4007) that is no interface of this machine.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        _check_zone(address.scope_id, text)
    return str(address)


def _check_zone(zone: str, text: str) -> None:
    """Refuse what the kernel would refuse at each single attempt."""
    known = [name for pair in if_nameindex() for name in map(str, pair)]
    if zone not in known:
        raise UsageError(
            f'"{printable(text)}" is in the zone "{printable(zone)}", no interface of this machine',
            f"Interfaces of this machine: {', '.join(known[1::2])}.",
        )


def _encoded(name: str) -> str:
    try:
        return idna.encode(name, uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError) as error:
        raise UsageError(
            f'"{printable(name)}" is no host name: a part of it has no form in ASCII (RFC 5891)',
            "Letters and digits of any script are taken, symbols are not.",
        ) from error


def _check_label(label: str, text: str) -> None:
    shown = printable(text)
    if len(label) > 63:
        raise UsageError(
            f'the label "{label[:20]}..." has {len(label)} octets; a host name allows 63',
            "Between two dots of a host name are at most 63 octets (RFC 1035).",
        )
    if not label:
        raise UsageError(f'"{shown}" is no host name: a part between two dots is empty', _LETTERS)
    if not _LABEL.fullmatch(label):
        raise UsageError(
            f'"{shown}" is no host name: "{printable(label)}" holds what no name may hold',
            _LETTERS,
        )
