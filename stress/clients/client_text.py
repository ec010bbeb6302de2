"""A client profile as text: its fields, and the ClientHello that is really sent."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from stress.model.client import Client
from stress.text.escape import escape

if TYPE_CHECKING:  # the tables of names are loaded when a client is shown
    from stress.handshake.hello import ClientHello

WIDTH = 100
LABEL = 24


def client_text(client: Client, hello: ClientHello, stack: str) -> str:
    """Return the fields of a profile, taken from the ClientHello that was made for it."""
    from stress.handshake import names  # noqa: PLC0415 - large tables
    from stress.handshake.hello import is_grease  # noqa: PLC0415 - with the tables

    def named(numbers: Sequence[int], name: Callable[[int], str]) -> str:
        return ", ".join("GREASE" if is_grease(number) else name(number) for number in numbers)

    fields = {
        "client": f"{client.name}: {client.title}" if client.title else client.name,
        "policy": client.policy,
        "stack": stack,
        "JA3": hello.ja3_md5,
        "JA4": hello.ja4,
        "versions": named(hello.versions, names.version_name),
        "cipher suites": named(hello.cipher_suites, names.cipher_name),
        "groups": named(hello.groups, names.group_name),
        "key shares": named(hello.key_shares, names.group_name),
        "signature algorithms": named(hello.signature_algorithms, names.signature_name),
        "ALPN": ", ".join(hello.alpn),
        "extensions": named([each.number for each in hello.extensions], names.extension_name),
        "server name": "sent" if client.server_name else "not sent",
        "cannot express": "; ".join(client.cannot_express),
    }
    lines: list[str] = []
    for label, value in fields.items():
        lines += textwrap.wrap(
            f"{label:<{LABEL}}{escape(value or '-', longest=4000)}",
            WIDTH,
            subsequent_indent=" " * LABEL,
            break_on_hyphens=False,
        )
    return "\n".join(lines) + "\n"
