"""A client profile as text: what it says of itself, and what really leaves on the wire."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from stress.model.client import Client
from stress.text.escape import escape

if TYPE_CHECKING:  # the tables of names are loaded when a client is shown
    from stress.handshake.hello import ClientHello

WIDTH = 100
LABEL = 24


def render_portrait(client: Client, hello: ClientHello, stack: str) -> str:
    """The fields of a profile, taken from the ClientHello that was made for it."""
    return "\n".join(_lines(client, hello, stack)) + "\n"


def _lines(client: Client, hello: ClientHello, stack: str) -> Iterator[str]:
    from stress.handshake import names  # noqa: PLC0415 - large tables

    yield from _field("client", [f"{client.name}: {client.title}" if client.title else client.name])
    yield from _field("policy", [client.policy])
    yield from _field("stack", [stack])
    yield from _field("JA3", [hello.ja3_md5])
    yield from _field("JA4", [hello.ja4])
    yield from _field("versions", _named(hello.versions, names.version_name))
    yield from _field("cipher suites", _named(hello.cipher_suites, names.cipher_name))
    yield from _field("groups", _named(hello.groups, names.group_name))
    yield from _field("key shares", _named(hello.key_shares, names.group_name))
    signatures = _named(hello.signature_algorithms, names.signature_name)
    yield from _field("signature algorithms", signatures)
    yield from _field("ALPN", hello.alpn)
    numbers = [extension.number for extension in hello.extensions]
    yield from _field("extensions", _named(numbers, names.extension_name))
    yield from _field("server name", ["sent" if client.server_name else "not sent"])
    yield from _field("cannot express", client.cannot_express, "; ")


def _named(numbers: Sequence[int], name: Callable[[int], str]) -> list[str]:
    from stress.handshake.hello import is_grease  # noqa: PLC0415 - with the tables

    return ["GREASE" if is_grease(number) else name(number) for number in numbers]


def _field(label: str, values: Sequence[str], joint: str = ", ") -> Iterator[str]:
    text = escape(joint.join(values) or "-", longest=4000)
    yield from textwrap.wrap(
        f"{label:<{LABEL}}{text}",
        WIDTH,
        subsequent_indent=" " * LABEL,
        break_on_hyphens=False,
    )
