"""Reads back what the room writes: pcapng blocks, IP packets, TCP streams."""

from __future__ import annotations

import struct
from collections import defaultdict
from dataclasses import dataclass, field
from ipaddress import ip_address

from stress.evidence.packets import RawPacket, checksum

Socket = tuple[str, int]


@dataclass
class Capture:
    """A pcapng file, taken apart."""

    options: dict[int, bytes] = field(default_factory=dict)
    link_type: int = -1
    resolution: int = -1
    secrets: bytes = b""
    packets: list[RawPacket] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)


def read_capture(data: bytes) -> Capture:
    """Each block, whose length must be at both ends."""
    found = Capture()
    while data:
        kind, size = struct.unpack_from("<II", data)
        assert size % 4 == 0
        assert struct.unpack_from("<I", data, size - 4) == (size,)
        _block(found, kind, data[8 : size - 4])
        found.kinds.append(kind)
        data = data[size:]
    return found


def _block(found: Capture, kind: int, body: bytes) -> None:
    if kind == 0x0A0D0D0A:
        assert body[:8] == bytes.fromhex("4d3c2b1a01000000")
        found.options = _options(body[16:])
    elif kind == 1:
        found.link_type = int.from_bytes(body[:2], "little")
        found.resolution = _options(body[8:])[9][0]
    elif kind == 10:
        label, size = struct.unpack_from("<II", body)
        assert label == 0x544C534B
        found.secrets = body[8 : 8 + size]
    else:
        _, high, low, kept, size = struct.unpack_from("<IIIII", body)
        assert kept == size
        found.packets.append(RawPacket(high << 32 | low, body[20 : 20 + size]))


def _options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while True:
        number, size = struct.unpack_from("<HH", data)
        if number == 0:
            return found
        found[number] = data[4 : 4 + size]
        data = data[4 + size + -size % 4 :]


@dataclass
class Segment:
    """A TCP segment whose checksums are right."""

    source: Socket
    target: Socket
    sequence: int
    acknowledged: int
    flags: int
    data: bytes


def read_segment(packet: bytes) -> Segment:
    """The segment of an IPv4 or IPv6 packet."""
    if packet[0] >> 4 == 4:
        assert checksum(packet[:20]) == 0
        assert int.from_bytes(packet[2:4]) == len(packet)
        source, target, tcp = packet[12:16], packet[16:20], packet[20:]
        pseudo = source + target + struct.pack("!HH", 6, len(tcp))
    else:
        assert int.from_bytes(packet[4:6]) == len(packet) - 40
        source, target, tcp = packet[8:24], packet[24:40], packet[40:]
        pseudo = source + target + struct.pack("!II", len(tcp), 6)
    assert checksum(pseudo + tcp) == 0
    ports = struct.unpack_from("!HHIIBB", tcp)
    return Segment(
        (str(ip_address(source)), ports[0]), (str(ip_address(target)), ports[1]),
        ports[2], ports[3], ports[5], tcp[(ports[4] >> 4) * 4 :],
    )  # fmt: skip


def streams(packets: list[RawPacket]) -> dict[Socket, bytes]:
    """What each end sent, after holding every sequence number to the one before."""
    expected: dict[Socket, int] = {}
    sent: defaultdict[Socket, bytes] = defaultdict(bytes)
    for packet in packets:
        segment = read_segment(packet.data)
        place = segment.source
        assert expected.setdefault(place, segment.sequence) == segment.sequence
        if segment.flags & 16 and segment.target in expected:
            assert segment.acknowledged == expected[segment.target]
        sent[place] += segment.data
        moves = len(segment.data) + bool(segment.flags & 3)
        expected[place] = (segment.sequence + moves) % (1 << 32)
    return dict(sent)
