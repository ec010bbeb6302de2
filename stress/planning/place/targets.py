"""The target as the user writes it: host, port or https URL, read into a `Target`."""

from __future__ import annotations

import re

from stress.errors import UsageError
from stress.model.target import Target
from stress.planning.place.hostname import host_name, literal
from stress.planning.words import printable

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
