"""The PROXY header that some nodes expect before the ClientHello (HAProxy's proxy-protocol.txt)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from ipaddress import ip_address

from stress.model.target import Address

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_VERSION_2_PROXY = 0x21
_TCP_OVER = {"ipv4": 0x11, "ipv6": 0x21}

Preamble = Callable[[socket.socket, Address], bytes]


def preamble(version: str | None) -> Preamble | None:
    """The maker of headers for `v1` or `v2`; None when none is wanted."""
    return {None: None, "v1": header_v1, "v2": header_v2}[version]


def header_v1(sock: socket.socket, address: Address) -> bytes:
    """The line of text (section 2.1): our own end, and the address we dialled."""
    source, port = sock.getsockname()[:2]
    family = "TCP6" if address.family == "ipv6" else "TCP4"
    return f"PROXY {family} {source} {address.ip} {port} {address.port}\r\n".encode("ascii")


def header_v2(sock: socket.socket, address: Address) -> bytes:
    """The binary header (section 2.2)."""
    source, port = sock.getsockname()[:2]
    ends = ip_address(source).packed + ip_address(address.ip).packed
    body = ends + struct.pack("!HH", port, address.port)
    kind = struct.pack("!BBH", _VERSION_2_PROXY, _TCP_OVER[address.family], len(body))
    return _SIGNATURE + kind + body
