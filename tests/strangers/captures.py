"""Hostile packet captures: sizes, depths and orders that a reader must not pay for."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_PCAP = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, 1)
HELLO = bytes.fromhex("160301")


def packet(body: bytes, length: int | None = None) -> bytes:
    """One record of a pcap file; `length` lies about the size."""
    size = len(body) if length is None else length
    return struct.pack("<IIII", 1_790_000_000, 0, size, size) + body


def segment(port: int, sequence: int, data: bytes, flags: int = 0x18) -> bytes:
    """An Ethernet frame with IPv4 and TCP."""
    tcp = struct.pack("!HHIIBBHHH", port, 443, sequence % 2**32, 0, 0x50, flags, 1024, 0, 0)
    size = 20 + len(tcp) + len(data)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, size, 0, 0, 64, 6, 0, b"\x7f\0\0\1", b"\x7f\0\0\2")
    return bytes(12) + b"\x08\x00" + ip + tcp + data


def _block(kind: int, body: bytes, length: int | None = None) -> bytes:
    size = 12 + len(body) if length is None else length
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def _section() -> bytes:
    return _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))


def _reversed(count: int) -> Iterator[bytes]:
    for number in range(count, 0, -1):
        yield packet(segment(40_000, number * 10, b"x" * 10))


def captures() -> dict[str, bytes]:
    """Every capture by name."""
    tiny = packet(segment(40_000, 1, b""))
    return {
        "empty": b"",
        "header-only": _PCAP,
        "many-packets": _PCAP + tiny * 200_000,
        "many-streams": _PCAP
        + b"".join(packet(segment(port % 60_000 + 1, 1, b"\x16")) for port in range(120_000)),
        "many-openings": _PCAP
        + b"".join(packet(segment(p % 60_000 + 1, 0, b"", flags=2)) for p in range(120_000)),
        "out-of-order": _PCAP + b"".join(_reversed(100_000)),
        "same-again": _PCAP + packet(segment(40_000, 1, b"x" * 1000)) * 50_000,
        "overlapping": _PCAP
        + b"".join(packet(segment(40_000, n, b"y" * 1400)) for n in range(50_000)),
        "hello-starts": _PCAP
        + packet(segment(40_000, 1, (HELLO + b"\xff\xff\x01") * 200)) * 20_000,
        "length-lies": _PCAP + packet(b"x", length=0xFFFFFFFF),
        "length-zero": _PCAP + packet(b"") * 300_000,
        "cut": _PCAP + tiny[:-3],
        "pcapng-zero-length": _section() + _block(6, b"", length=0) * 10,
        "pcapng-huge-length": _section() + _block(6, bytes(32), length=0xFFFFFFF0),
        "pcapng-sections": _section() * 100_000,
        "pcapng-interfaces": _section() + _block(1, struct.pack("<HHI", 1, 0, 0)) * 200_000,
        "hello-bytes": HELLO + b"\x40\x00\x01" + b"\xff" * 16_384,
        "hello-extensions": HELLO + b"\x3f\xff\x01\x00\x3f\xfb\x03\x03" + bytes(16_379),
        "noise": bytes(range(256)) * 40_000,
    }
