"""Packet captures as files: pcap and pcapng, read as far as they are whole.

What is true and what is tricky:

* A pcap file is written in the byte order of the machine that made it; in a pcapng file each
  section says its own (IETF draft-ietf-opsawg-pcap and -pcapng).
* Captures are copied while they grow, and end in the middle of a packet. That is no reason to
  refuse what came before; `Capture.cut` remembers it, for the message when nothing was found.
* A packet may be captured shorter than it was (the snap length of old tcpdump).

Invariants: any bytes give a `Capture`; nothing is copied, packets are views into the file's bytes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, Literal, NamedTuple

_PCAP: Final[dict[bytes, Literal["<", ">"]]] = {
    b"\xd4\xc3\xb2\xa1": "<",
    b"\xa1\xb2\xc3\xd4": ">",
    b"\x4d\x3c\xb2\xa1": "<",  # with nanoseconds
    b"\xa1\xb2\x3c\x4d": ">",
}
_PCAP_HEADER: Final = 24
_PCAP_RECORD: Final = 16

_SECTION: Final = b"\x0a\x0d\x0d\x0a"
_ORDER_MARK: Final = 0x1A2B3C4D
_INTERFACE: Final = 1
_OBSOLETE_PACKET: Final = 2
_SIMPLE_PACKET: Final = 3
_ENHANCED_PACKET: Final = 6


class Packet(NamedTuple):
    """One packet as captured."""

    link: int
    """Number of the link type (https://www.tcpdump.org/linktypes.html)."""
    data: memoryview
    """From the link layer on."""


@dataclass(frozen=True, slots=True)
class Capture:
    """The packets of a file."""

    packets: tuple[Packet, ...]
    cut: bool = False
    """The file ends, or stops making sense, in the middle of a packet."""


def is_capture(data: bytes) -> bool:
    """Whether the bytes begin as a capture does."""
    return data[:4] in _PCAP or data[:4] == _SECTION


def read_capture(data: bytes) -> Capture:
    """Read a pcap or pcapng file as far as it is whole; other bytes hold no packets."""
    view = memoryview(data)
    packets: list[Packet] = []
    order = _PCAP.get(data[:4])
    if order is not None:
        reader = _pcap(view, order)
    elif data[:4] == _SECTION:
        reader = _pcapng(view)
    else:
        return Capture(())
    for each in reader:
        if each is None:
            return Capture(tuple(packets), cut=True)
        packets.append(each)
    return Capture(tuple(packets))


def _pcap(view: memoryview, order: Literal["<", ">"]) -> Iterator[Packet | None]:
    """Yield each packet; None where the file breaks off."""
    if len(view) < _PCAP_HEADER:
        yield None
        return
    (link,) = struct.unpack_from(f"{order}I", view, 20)
    position = _PCAP_HEADER
    while position < len(view):
        if position + _PCAP_RECORD > len(view):
            yield None
            return
        (size,) = struct.unpack_from(f"{order}I", view, position + 8)
        position += _PCAP_RECORD
        if position + size > len(view):
            yield None
            return
        yield Packet(link & 0xFFFF, view[position : position + size])
        position += size


def _pcapng(view: memoryview) -> Iterator[Packet | None]:
    """Yield each packet; None where the file breaks off."""
    order: Literal["<", ">"] = "<"
    links: list[int] = []
    position = 0
    while position < len(view):
        block = view[position:]
        if len(block) < 12:
            yield None
            return
        if bytes(block[:4]) == _SECTION:
            order = "<" if struct.unpack_from("<I", block, 8)[0] == _ORDER_MARK else ">"
            links = []
        kind, size = struct.unpack_from(f"{order}II", block)
        if size < 12 or size > len(block):
            yield None
            return
        body = block[8 : size - 4]
        if kind == _INTERFACE and len(body) >= 8:
            links.append(struct.unpack_from(f"{order}H", body)[0])
        elif (packet := _block_packet(kind, body, links, order)) is not None:
            yield packet
        position += size + -size % 4


def _block_packet(
    kind: int, body: memoryview, links: list[int], order: Literal["<", ">"]
) -> Packet | None:
    """The packet of one block; None when it holds none, or one of an unknown interface."""
    if kind == _SIMPLE_PACKET and len(body) >= 4 and links:
        (size,) = struct.unpack_from(f"{order}I", body)
        return Packet(links[0], body[4 : 4 + size])
    if kind not in {_ENHANCED_PACKET, _OBSOLETE_PACKET} or len(body) < 20:
        return None
    number_form = "I" if kind == _ENHANCED_PACKET else "H"
    (interface,) = struct.unpack_from(f"{order}{number_form}", body)
    (size,) = struct.unpack_from(f"{order}I", body, 12)
    return Packet(links[interface], body[20 : 20 + size]) if interface < len(links) else None


# From captured packets to what each side of each TCP connection said first.
#
# What is true and what is tricky:
#
# * Segments come out of order, again, and overlapping; sequence numbers wrap at 2^32. What came
#   first in the capture wins where two overlap.
# * A capture may begin in the middle of a connection, without its SYN. Then any segment that looks
#   like the start of a ClientHello is tried as the beginning.
# * A port is used again: a SYN with another number begins another stream.
# * Fragments of IP are not put together: no ClientHello over TCP travels in them.
#
# Invariants: no packet raises; each stream keeps at most `_KEPT` octets, because a ClientHello
# comes first.

HELLO_START: Final = re.compile(rb"\x16\x03[\x00-\x04]..\x01", re.DOTALL)
"""A TLS record whose first message is a ClientHello."""

_KEPT: Final = 1 << 18
_WRAP: Final = 1 << 32
_TCP: Final = 6
_SYN: Final = 0x02
_ETHERTYPES: Final = frozenset({0x0800, 0x86DD})  # IPv4, IPv6
_TAGS: Final = frozenset({0x8100, 0x88A8, 0x9100})  # IEEE 802.1Q and 802.1ad
_SKIPPED_HEADERS: Final = frozenset({0, 43, 60})  # hop-by-hop, routing, destination options

_BARE: Final = {**dict.fromkeys((12, 14, 101, 228, 229), 0), 0: 4, 108: 4}
"""Link types without an EtherType -> octets before IP: raw IP, and BSD's loopback."""
_TYPED: Final = {1: 12, 113: 14}
"""Link types -> where the EtherType stands: Ethernet, Linux cooked."""
_COOKED_2: Final = 276
_PKTAP: Final = frozenset({149, 258})  # macOS, also for iPhones by rvictl (net/pktap.h)


class Flow(NamedTuple):
    """One direction of a connection."""

    source: str
    source_port: int
    target: str
    target_port: int


class Segment(NamedTuple):
    """One TCP segment."""

    flow: Flow
    sequence: int
    """Of the first octet of the payload."""
    begins: bool
    """It is a SYN."""
    payload: memoryview


@dataclass(slots=True)
class Stream:
    """What one side said, in pieces."""

    flow: Flow
    start: int | None
    """Sequence number of its first octet; None when the SYN was not captured."""
    pieces: list[tuple[int, memoryview]] = field(default_factory=list)
    kept: int = 0

    def add(self, segment: Segment) -> None:
        """Keep a piece, while there is room."""
        if segment.payload and self.kept < _KEPT:
            self.kept += len(segment.payload)
            self.pieces.append((segment.sequence, segment.payload))

    def beginnings(self) -> Iterator[bytes]:
        """What was said from the start on, or from each possible start, as far as it is whole."""
        if self.start is not None:
            yield self._from(self.start)
            return
        for sequence, payload in self.pieces:
            if HELLO_START.search(payload):
                yield self._from(sequence)

    def _from(self, start: int) -> bytes:
        joined = bytearray()
        placed = sorted(
            (((sequence - start) % _WRAP, order, payload))
            for order, (sequence, payload) in enumerate(self.pieces)
            if (sequence - start) % _WRAP < _WRAP // 2
        )
        for offset, _, payload in placed:
            if offset > len(joined):
                break
            joined += payload[len(joined) - offset :]
        return bytes(joined)


def streams(packets: Iterable[Packet]) -> list[Stream]:
    """Return each direction of each TCP connection, in the order of their first segments."""
    found: list[Stream] = []
    current: dict[Flow, Stream] = {}
    for packet in packets:
        segment = read_segment(packet)
        if segment is None:
            continue
        stream = current.get(segment.flow)
        if stream is None or (segment.begins and stream.start != segment.sequence):
            stream = Stream(segment.flow, segment.sequence if segment.begins else None)
            current[segment.flow] = stream
            found.append(stream)
        stream.add(segment)
    return found


def read_segment(packet: Packet) -> Segment | None:
    """Read the TCP segment in a packet; None when it holds none that can be read."""
    try:
        inner = _internet(packet)
        return None if inner is None else _segment(inner)
    except (IndexError, ValueError):  # shorter than its headers say
        return None


def _internet(packet: Packet) -> memoryview | None:
    """The packet from its IP header on."""
    link, data = packet
    if link in _PKTAP:
        size, inner = int.from_bytes(data[:4], "little"), int.from_bytes(data[8:12], "little")
        nested = inner in _PKTAP or not size
        return None if nested else _internet(Packet(inner, data[size:]))
    if link in _BARE:
        return data[_BARE[link] :]
    if link in _TYPED:
        return _by_type(data, _TYPED[link])
    if link == _COOKED_2 and int.from_bytes(data[:2]) in _ETHERTYPES:
        return data[20:]
    return None


def _by_type(data: memoryview, position: int) -> memoryview | None:
    """What follows an EtherType, VLAN tags skipped."""
    kind = int.from_bytes(data[position : position + 2])
    while kind in _TAGS:
        position += 4
        kind = int.from_bytes(data[position : position + 2])
    return data[position + 2 :] if kind in _ETHERTYPES else None


def _segment(data: memoryview) -> Segment | None:
    """Read IP and TCP headers (RFC 791, RFC 8200, RFC 9293)."""
    version = data[0] >> 4
    if version == 4:
        source, target, tcp = bytes(data[12:16]), bytes(data[16:20]), _tcp_in_4(data)
    elif version == 6:
        source, target, tcp = bytes(data[8:24]), bytes(data[24:40]), _tcp_in_6(data)
    else:
        return None
    if tcp is None:
        return None
    begins = bool(tcp[13] & _SYN)
    ports = int.from_bytes(tcp[:2]), int.from_bytes(tcp[2:4])
    flow = Flow(str(ip_address(source)), ports[0], str(ip_address(target)), ports[1])
    sequence = (int.from_bytes(tcp[4:8]) + begins) % _WRAP
    return Segment(flow, sequence, begins, tcp[(tcp[12] >> 4) * 4 :])


def _tcp_in_4(data: memoryview) -> memoryview | None:
    length = int.from_bytes(data[2:4]) or len(data)  # 0: the network card would have cut it
    fragment = int.from_bytes(data[6:8]) & 0x1FFF
    return data[(data[0] & 0x0F) * 4 : length] if data[9] == _TCP and not fragment else None


def _tcp_in_6(data: memoryview) -> memoryview | None:
    end = 40 + (int.from_bytes(data[4:6]) or len(data))
    kind, position = data[6], 40
    while kind in _SKIPPED_HEADERS:
        kind, position = data[position], position + 8 + data[position + 1] * 8
    return data[position:end] if kind == _TCP else None
