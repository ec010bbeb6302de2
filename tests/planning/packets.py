"""Hand-made packets and capture files, according to the formats' specifications."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Literal

from stress.handshake.stack import stack_for
from stress.model.plan import Client, Stack

CLIENT, SERVER = ("192.0.2.1", 50_000), ("198.51.100.7", 443)
CLIENT_6, SERVER_6 = ("2001:db8::1", 50_000), ("2001:db8::7", 443)
ETHERNET = bytes(12)
SYN, ACK = 0x02, 0x10
End = tuple[str, int]
Order = Literal["<", ">"]


def hello(name: str | None = "app.lab.test", client: Client | None = None) -> bytes:
    """A ClientHello as OpenSSL sends it, in one record."""
    factory = stack_for(client or Client("test"), Stack.OPENSSL, server_name=name)
    return factory.machine().begin().send


def tcp(
    payload: bytes,
    sequence: int,
    *,
    source: End = CLIENT,
    target: End = SERVER,
    flags: int = ACK,
) -> bytes:
    """An IP packet with one TCP segment."""
    ports = struct.pack("!HH", source[1], target[1])
    segment = ports + struct.pack("!IIBBHHH", sequence % 2**32, 0, 5 << 4, flags, 0, 0, 0) + payload
    ends = ip_address(source[0]).packed + ip_address(target[0]).packed
    if ":" in source[0]:
        return struct.pack("!IHBB", 6 << 28, len(segment), 6, 64) + ends + segment
    size = 20 + len(segment)
    return struct.pack("!BBHHHBBH", 0x45, 0, size, 0, 0, 64, 6, 0) + ends + segment


def ethernet(packet: bytes) -> bytes:
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    return ETHERNET + struct.pack("!H", kind) + packet


def pcap(packets: Iterable[bytes], link: int = 1, order: Order = "<") -> bytes:
    head = struct.pack(f"{order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, link)
    sizes = (struct.pack(f"{order}IIII", 0, 0, len(each), len(each)) + each for each in packets)
    return head + b"".join(sizes)


def block(kind: int, body: bytes, order: Order = "<") -> bytes:
    size = 12 + len(body) + -len(body) % 4
    numbers = struct.pack(f"{order}II", kind, size)
    return numbers + body + bytes(-len(body) % 4) + struct.pack(f"{order}I", size)


def pcapng(packets: Iterable[bytes], link: int = 1, order: Order = "<") -> bytes:
    section = struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1)
    interface = struct.pack(f"{order}HHI", link, 0, 0)
    blocks = [block(0x0A0D0D0A, section, order), block(1, interface, order)]
    blocks += [
        block(6, struct.pack(f"{order}IIIII", 0, 0, 0, len(each), len(each)) + each, order)
        for each in packets
    ]
    return b"".join(blocks)


def spoken(pieces: Iterable[tuple[int, bytes]], start: int = 1_000) -> list[bytes]:
    """A SYN, then pieces at offsets of what the client says; Ethernet."""
    opening = tcp(b"", start - 1, flags=SYN)
    return [
        ethernet(opening),
        *(ethernet(tcp(piece, start + offset)) for offset, piece in pieces),
    ]
