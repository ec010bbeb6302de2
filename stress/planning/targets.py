"""The target as the user writes it: host, port or https URL, read into a `Target`."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from socket import if_nameindex

import idna

from stress.errors import UsageError
from stress.model.target import Target
from stress.text.suggestions import printable

# Host names as they go into DNS and SNI: ASCII labels, internationalised ones encoded.

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


_FORMS = "Write host, host:port, 192.0.2.1:443, [2001:db8::1]:443 or https://host[:port]/."
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


def parse_target(text: str) -> Target:
    """Read one of `host`, `host:port`, `1.2.3.4:443`, `[::1]:443`, `::1`, `https://host[:port]/`.

    Raises:
        UsageError: it is none of these; a password in it is never repeated.
    """
    authority = _authority(text.strip())
    if not authority:
        raise UsageError("the target is empty", _FORMS)
    _refuse_two_readings(authority)
    host, port = split_port(authority)
    return Target(literal(host) or host_name(host), 443 if port is None else port)


def split_port(text: str) -> tuple[str, int | None]:
    """Split `host[:port]`, where an IPv6 address with a port stands in brackets.

    Raises:
        UsageError: the brackets do not match or hold no IPv6 address, or the port is none.
    """
    if text.startswith("["):
        return _split_brackets(text)
    if literal(text) is not None:  # an IPv6 address without brackets: every colon is its own
        return text, None
    host, colon, port = text.partition(":")
    if ":" in port:
        raise UsageError(f'"{printable(text)}" is no IPv6 address and has several colons', _FORMS)
    if not host:
        raise UsageError(f'"{printable(text)}" has no host', _FORMS)
    return host, parse_port(port) if colon else None


def _refuse_two_readings(text: str) -> None:
    """Asks for brackets where `::1:443` may be an address, or an address and a port.

    A list of addresses is not asked: there a program wrote it, and means the address.

    Raises:
        UsageError: both readings are possible.
    """
    before, _, last = text.rpartition(":")
    port = last if last.isdecimal() and not last.startswith("0") else ""
    if ":" in before and port and literal(text) and literal(before):
        raise UsageError(
            f'"{printable(text)}" is an address, or the port {port} of {before}',
            f"Write [{text}] for the first, [{before}]:{port} for the second.",
        )


def parse_port(text: str) -> int:
    """Read a TCP port.

    Raises:
        UsageError: it is no number of 1 to 65535.
    """
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
    if not 1 <= number <= 65535:
        raise UsageError(
            f'"{printable(text)}" is no port', "A port is a number between 1 and 65535."
        )
    return number


def _split_brackets(text: str) -> tuple[str, int | None]:
    inside, bracket, rest = text[1:].partition("]")
    if not bracket or (rest and not rest.startswith(":")):
        raise UsageError(f'"{printable(text)}" has brackets that do not match', _FORMS)
    if literal(inside) is None or ":" not in inside:
        raise UsageError(f'"{printable(inside)}" is no IPv6 address', _FORMS)
    return inside, parse_port(rest[1:]) if rest else None


def _authority(text: str) -> str:
    """Return the `host[:port]` part, refusing what a TLS handshake has no use for."""
    found = _SCHEME.fullmatch(text)
    scheme, rest = (found[1].lower(), found[2]) if found else ("https", text)
    if "@" in rest:
        raise UsageError("the target holds a user name or password", _FORMS)
    if scheme != "https":
        raise UsageError(f'the scheme "{printable(scheme)}" is not spoken here', _FORMS)
    authority, _, path = rest.partition("/")
    if path or "?" in rest or "#" in rest:
        left = re.split("[/?#]", rest)[0]
        raise UsageError(
            f'"{printable(text)}" has a path or a query; a handshake ends before it',
            f"Leave it out: {printable(left)}" if left.strip(":") == left != "" else _FORMS,
        )
    if rest.endswith("/") and not found:
        raise UsageError(f'"{printable(text)}" ends in a slash', _FORMS)
    return authority
