from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest

from stress.engine.worker import dial
from stress.model.target import Address


def connected(family: socket.AddressFamily, host: str) -> tuple[socket.socket, Address]:
    with socket.create_server((host, 0), family=family) as server:
        address = Address(*server.getsockname()[:2])
        return socket.create_connection((address.ip, address.port)), address


@pytest.mark.parametrize(
    ("family", "host", "word"),
    [(socket.AF_INET, "127.0.0.1", "TCP4"), (socket.AF_INET6, "::1", "TCP6")],
)
def test_version_1_is_one_line_that_names_both_ends(
    family: socket.AddressFamily, host: str, word: str
) -> None:
    client, address = connected(family, host)

    with client:
        line = dial.header_v1(client, address)

        port = client.getsockname()[1]
    assert line == f"PROXY {word} {host} {host} {port} {address.port}\r\n".encode()


@pytest.mark.parametrize(
    ("family", "host", "kind"),
    [(socket.AF_INET, "127.0.0.1", 0x11), (socket.AF_INET6, "::1", 0x21)],
)
def test_version_2_packs_both_ends(family: socket.AddressFamily, host: str, kind: int) -> None:
    client, address = connected(family, host)

    with client:
        header = dial.header_v2(client, address)

        port = client.getsockname()[1]
    packed = ip_address(host).packed
    assert header[:12] == bytes.fromhex("0d0a0d0a000d0a515549540a")
    assert header[12:14] == bytes([0x21, kind])
    assert int.from_bytes(header[14:16], "big") == len(header) - 16
    assert header[16:] == packed * 2 + port.to_bytes(2, "big") + address.port.to_bytes(2, "big")


def test_no_header_is_made_where_none_is_wanted() -> None:
    assert dial.preamble(None) is None
    assert dial.preamble("v1") is dial.header_v1
