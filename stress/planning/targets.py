"""The target as the user writes it: host, port or https URL, read into a `Target`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from ipaddress import IPv6Address, ip_address
from socket import if_nameindex

import idna

from stress.errors import UsageError
from stress.model.plan import Target
from stress.text.escape import quoted
from stress.text.units import named

_FORMS = "Write host, host:port, 192.0.2.1:443, [2001:db8::1]:443 or https://host[:port]/."
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_LETTERS = "A host name consists of letters, digits and hyphens, with dots between its parts."
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_DOTS = re.compile("[\u3002\uff0e\uff61]")
"""What else separates labels (UTS 46 section 4.5)."""
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label that makes an IPv4 address of the whole (URL standard, "ends in a number")."""


def one_target(words: Sequence[str], port: int = 443) -> Target:
    """Read the one target of a command line.

    Args:
        words: its arguments.
        port: where the target names none.

    Raises:
        UsageError: there is none or several, or it is not a target.
    """
    if not words:
        raise UsageError("TARGET is missing", "Try: tls-stress run example.com")
    if len(words) > 1:
        raise UsageError(
            f"{len(words)} targets are given; a run has one",
            "Start one run per target; use --address for several addresses of one target.",
        )
    return named("TARGET", partial(parse_target, port=port), words[0])


def parse_target(text: str, port: int = 443) -> Target:
    """Read one of `host`, `host:port`, `1.2.3.4:443`, `[::1]:443`, `::1`, `https://host[:port]/`.

    Raises:
        UsageError: it is none of these; a password in it is never repeated.
    """
    authority = _authority(text.strip())
    if not authority:
        raise UsageError("the target is empty", _FORMS)
    # `::1:443` may be an address, or an address and a port. Only here: a list of addresses was
    # written by a program, which means the address.
    before, _, last = authority.rpartition(":")
    port_like = last.isdecimal() and not last.startswith("0")
    if ":" in before and port_like and literal(authority) and literal(before):
        raise UsageError(
            f'"{quoted(authority)}" is an address, or port {last} of {before}',
            f"Write [{authority}] for the first, [{before}]:{last} for the second.",
        )
    host, given = split_port(authority)
    return Target(literal(host) or host_name(host), port if given is None else given)


def split_port(text: str) -> tuple[str, int | None]:
    """Split `host[:port]`, where an IPv6 address with a port has brackets.

    Raises:
        UsageError: the brackets do not match or hold no IPv6 address, or the port is not valid.
    """
    if text.startswith("["):
        inside, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise UsageError(f'"{quoted(text)}" has unbalanced brackets', _FORMS)
        if literal(inside) is None or ":" not in inside:
            raise UsageError(f'"{quoted(inside)}" is not an IPv6 address', _FORMS)
        return inside, parse_port(rest[1:]) if rest else None
    if literal(text) is not None:  # an IPv6 address without brackets: every colon is its own
        return text, None
    host, colon, port = text.partition(":")
    if ":" in port:
        raise UsageError(f'"{quoted(text)}" is not an IPv6 address and has several colons', _FORMS)
    if not host:
        raise UsageError(f'"{quoted(text)}" has no host', _FORMS)
    return host, parse_port(port) if colon else None


def parse_port(text: str) -> int:
    """Read a TCP port.

    Raises:
        UsageError: it is not a number from 1 to 65535.
    """
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
    if not 1 <= number <= 65535:
        raise UsageError(
            f'"{quoted(text)}" is not a valid port', "A port is a number from 1 to 65535."
        )
    return number


def host_name(text: str) -> str:
    """Return a DNS name in lower-case ASCII (RFC 5890 A-labels), without a final dot.

    Other names are encoded as browsers do (UTS 46, nontransitional: the sharp s stays one).
    Underscores are allowed: RFC 952 has none in host names, yet resolvers and servers answer.

    Raises:
        UsageError: a label is empty, longer than 63 bytes, or contains what no name may contain;
            the whole is longer than 253; or it looks like an IPv4 address and is none.
    """
    shown = quoted(text)
    name = _DOTS.sub(".", text).removesuffix(".").lower()
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode().lower()
        except (idna.IDNAError, UnicodeError) as error:
            raise UsageError(
                f'"{quoted(name)}" is not a host name: a part has no ASCII form (RFC 5891)',
                "Letters and digits of any script are allowed, symbols are not.",
            ) from error
    for label in name.split("."):
        if len(label) > 63:
            raise UsageError(
                f'the label "{label[:20]}..." has {len(label)} bytes; a host name allows 63',
                "Each part of a host name between dots has at most 63 bytes (RFC 1035).",
            )
        if not label:
            raise UsageError(
                f'"{shown}" is not a host name: a part between dots is empty', _LETTERS
            )
        if not _LABEL.fullmatch(label):
            raise UsageError(
                f'"{shown}" is not a host name: "{quoted(label)}" has invalid characters', _LETTERS
            )
    if len(name) > 253:
        raise UsageError(
            f"the host name of {len(name)} bytes is longer than 253 (RFC 1035)",
            "Check that it is the name of one host.",
        )
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        raise UsageError(
            f'"{shown}" is neither a host name nor an IPv4 address',
            "An IPv4 address has four numbers from 0 to 255, such as 192.0.2.1.",
        )
    return name


def reference_name(text: str) -> str:
    """Return the name that a certificate has to be for: a host name, its final dot kept.

    Clients differ in what they make of the dot: curl, Go and Java drop it, OpenSSL and Python do
    not, and no certificate has one.

    Raises:
        UsageError: `host_name` refuses it.
    """
    return host_name(text) + "." * _DOTS.sub(".", text).endswith(".")


def literal(text: str) -> str | None:
    """Return the canonical text of an IPv4 or IPv6 address, or None when it is neither.

    Raises:
        UsageError: it names a zone (RFC 4007) that is not an interface of this machine, which the
            kernel would refuse at every single attempt.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        interfaces = if_nameindex()
        if address.scope_id not in {str(each) for pair in interfaces for each in pair}:
            raise UsageError(
                f'"{quoted(text)}": this machine has no interface "{quoted(address.scope_id)}"',
                f"Interfaces of this machine: {', '.join(name for _, name in interfaces)}.",
            )
    return str(address)


def _authority(text: str) -> str:
    """Return the `host[:port]` part, refusing what a TLS handshake has no use for."""
    found = _SCHEME.fullmatch(text)
    scheme, rest = (found[1].lower(), found[2]) if found else ("https", text)
    if "@" in rest:
        raise UsageError("the target contains a user name or password", _FORMS)
    if scheme != "https":
        raise UsageError(f'the scheme "{quoted(scheme)}" is not supported', _FORMS)
    authority, _, path = rest.partition("/")
    if path or "?" in rest or "#" in rest:
        left = re.split("[/?#]", rest)[0]
        raise UsageError(
            f'"{quoted(text)}" has a path or a query, which a TLS handshake never sends',
            f"Remove it: {quoted(left)}" if left.strip(":") == left != "" else _FORMS,
        )
    if rest.endswith("/") and not found:
        raise UsageError(f'"{quoted(text)}" ends in a slash', _FORMS)
    return authority
