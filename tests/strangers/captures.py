"""Hostile packet captures: sizes, depths and orders that a reader must not pay for."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

_PCAP = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, 1)
HELLO = bytes.fromhex("160301")
START = HELLO + b"\x01\x00\x01"
"""The first bytes of a hello of 252 bytes or more."""


def packet(body: bytes, length: int | None = None) -> bytes:
    """One record of a pcap file; `length` lies about the size."""
    size = len(body) if length is None else length
    return struct.pack("<IIII", 1_790_000_000, 0, size, size) + body


def segment(port: int, sequence: int, data: bytes, flags: int = 0x18, ip: int = 0) -> bytes:
    """An Ethernet frame with IPv4 and TCP."""
    tcp = struct.pack("!HHIIBBHHH", port, 443, sequence % 2**32, 0, 0x50, flags, 1024, 0, 0)
    size = 20 + len(tcp) + len(data)
    source, target = (0x7F000001 + ip).to_bytes(4), b"\x7f\0\0\2"
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, size, 0, 0, 64, 6, 0, source, target)
    return bytes(12) + b"\x08\x00" + header + tcp + data


def _block(kind: int, body: bytes, length: int | None = None) -> bytes:
    size = 12 + len(body) if length is None else length
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def _section() -> bytes:
    return _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))


def _reversed(count: int) -> Iterator[bytes]:
    for number in range(count, 0, -1):
        yield packet(segment(40_000, number * 10, b"x" * 10))


def captures() -> dict[str, Callable[[], bytes]]:
    """What makes each capture, by name."""
    tiny = packet(segment(40_000, 1, b""))
    return {
        "empty": lambda: b"",
        "header-only": lambda: _PCAP,
        "many-packets": lambda: _PCAP + tiny * 200_000,
        "many-streams": lambda: (
            _PCAP
            + b"".join(packet(segment(port % 60_000 + 1, 1, b"\x16")) for port in range(120_000))
        ),
        "many-openings": lambda: (
            _PCAP
            + b"".join(packet(segment(p % 60_000 + 1, 0, b"", flags=2)) for p in range(120_000))
        ),
        "out-of-order": lambda: _PCAP + b"".join(_reversed(100_000)),
        "same-again": lambda: _PCAP + packet(segment(40_000, 1, b"x" * 1000)) * 50_000,
        "overlapping": lambda: (
            _PCAP + b"".join(packet(segment(40_000, n, b"y" * 1400)) for n in range(50_000))
        ),
        "hello-starts": lambda: (
            _PCAP + packet(segment(40_000, 1, (HELLO + b"\xff\xff\x01") * 200)) * 20_000
        ),
        "many-starts": lambda: (
            _PCAP + b"".join(packet(segment(40_000, n * 6, START)) for n in range(40_000, 0, -1))
        ),
        "many-starts-of-many": lambda: (
            _PCAP
            + b"".join(
                packet(segment(port, n * 1_400, START + b"\x00\xff\xff" + START * 200))
                for port in range(1, 80)
                for n in range(180)
            )
        ),
        "many-addresses": lambda: (
            _PCAP + b"".join(packet(segment(n % 60_000, 1, START, ip=n)) for n in range(200_000))
        ),
        "length-lies": lambda: _PCAP + packet(b"x", length=0xFFFFFFFF),
        "length-zero": lambda: _PCAP + packet(b"") * 300_000,
        "cut": lambda: _PCAP + tiny[:-3],
        "pcapng-zero-length": lambda: _section() + _block(6, b"", length=0) * 10,
        "pcapng-huge-length": lambda: _section() + _block(6, bytes(32), length=0xFFFFFFF0),
        "pcapng-sections": lambda: _section() * 100_000,
        "pcapng-interfaces": lambda: _section() + _block(1, struct.pack("<HHI", 1, 0, 0)) * 200_000,
        "hello-bytes": lambda: HELLO + b"\x40\x00\x01" + b"\xff" * 16_384,
        "hello-extensions": lambda: HELLO + b"\x3f\xff\x01\x00\x3f\xfb\x03\x03" + bytes(16_379),
        "noise": lambda: bytes(range(256)) * 40_000,
    }
