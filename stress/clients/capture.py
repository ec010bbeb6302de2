"""Packet captures (pcap and pcapng), and the TCP streams in them.

What is true and what is tricky:

* A pcap file has the byte order of the machine that wrote it; in a pcapng file each section
  declares its own (IETF draft-ietf-opsawg-pcap and -pcapng).
* Captures are copied while they grow, and end in the middle of a packet. What comes before is
  read all the same; `Capture.cut` is for the message when nothing was found.
* A packet may be captured shorter than it was (the snap length of old tcpdump).

Invariants: any bytes give a `Capture`; nothing is copied, packets are views into the file's bytes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import islice
from typing import Final, Literal, NamedTuple

from stress.model.plan import Address

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
    """Return whether the bytes begin as a capture does."""
    return data[:4] in _PCAP or data[:4] == _SECTION


def read_capture(data: bytes) -> Capture:
    """Read a pcap or pcapng file as far as it is whole; other bytes hold no packets."""
    if not is_capture(data):
        return Capture(())
    view, order = memoryview(data), _PCAP.get(data[:4])
    packets: list[Packet] = []
    try:
        for packet in _pcapng(view) if order is None else _pcap(view, order):
            packets.append(packet)  # noqa: PERF402 - those before a cut are kept
    except (EOFError, struct.error):
        return Capture(tuple(packets), cut=True)
    return Capture(tuple(packets))


def _pcap(view: memoryview, order: Literal["<", ">"]) -> Iterator[Packet]:
    """Yield each packet; raise `EOFError` or `struct.error` where the file is cut."""
    (link,) = struct.unpack_from(f"{order}I", view, 20)
    position = _PCAP_HEADER
    while position < len(view):
        (size,) = struct.unpack_from(f"{order}I", view, position + 8)
        begin, position = position + _PCAP_RECORD, position + _PCAP_RECORD + size
        if position > len(view):
            raise EOFError
        yield Packet(link & 0xFFFF, view[begin:position])


def _pcapng(view: memoryview) -> Iterator[Packet]:
    """Yield each packet; raise `EOFError` or `struct.error` where the file is cut."""
    order: Literal["<", ">"] = "<"
    links: list[int] = []
    position = 0
    while position < len(view):
        block = view[position:]
        if bytes(block[:4]) == _SECTION:
            order = "<" if struct.unpack_from("<I", block, 8)[0] == _ORDER_MARK else ">"
            links = []
        kind, size = struct.unpack_from(f"{order}II", block)
        if size < 12 or size > len(block):
            raise EOFError
        body = block[8 : size - 4]
        position += size + -size % 4
        if kind == _INTERFACE and len(body) >= 8:
            links.append(struct.unpack_from(f"{order}H", body)[0])
        elif kind == _SIMPLE_PACKET and len(body) >= 4 and links:
            (length,) = struct.unpack_from(f"{order}I", body)
            yield Packet(links[0], body[4 : 4 + length])
        elif kind in {_ENHANCED_PACKET, _OBSOLETE_PACKET} and len(body) >= 20:
            number_form = "I" if kind == _ENHANCED_PACKET else "H"
            (interface,) = struct.unpack_from(f"{order}{number_form}", body)
            (length,) = struct.unpack_from(f"{order}I", body, 12)
            if interface < len(links):  # else it belongs to no interface that is described
                yield Packet(links[interface], body[20 : 20 + length])


# From captured packets to the first bytes of each direction of each TCP connection.
#
# What is true and what is tricky:
#
# * Segments come out of order, twice, and overlapping; sequence numbers wrap at 2^32. What was
#   captured first wins where two overlap.
# * A capture may begin in the middle of a connection, without its SYN. Then any segment that looks
#   like the start of a ClientHello is tried as the beginning.
# * A port is used again: a SYN with another number begins another stream.
# * IP fragments are not reassembled: no ClientHello over TCP travels in them.
#
# Invariants: no packet raises; each stream keeps at most `_KEPT` bytes, because a ClientHello
# comes first.

HELLO_START: Final = re.compile(rb"\x16\x03[\x00-\x04]..\x01", re.DOTALL)
"""A TLS record whose first message is a ClientHello."""

_KEPT: Final = 1 << 18
_MOST_STARTS: Final = 4
"""Possible starts of a stream without its SYN that are tried: each costs as much as the stream."""
_WRAP: Final = 1 << 32
_TCP: Final = 6
_SYN: Final = 0x02
_ETHERTYPES: Final = frozenset({0x0800, 0x86DD})  # IPv4, IPv6
_TAGS: Final = frozenset({0x8100, 0x88A8, 0x9100})  # IEEE 802.1Q and 802.1ad
_SKIPPED_HEADERS: Final = frozenset({0, 43, 60})  # hop-by-hop, routing, destination options

_BARE: Final = {**dict.fromkeys((12, 14, 101, 228, 229), 0), 0: 4, 108: 4}
"""Link types without an EtherType -> bytes before IP: raw IP, and BSD's loopback."""
_TYPED: Final = {1: 12, 113: 14}
"""Link types -> offset of the EtherType: Ethernet, Linux cooked."""
_COOKED_2: Final = 276
_PKTAP: Final = frozenset({149, 258})  # macOS, also for iPhones by rvictl (net/pktap.h)


_IPV4: Final = struct.Struct("!2xH2xHxB2x4s4s")
"""Length, fragment, protocol, source and target."""
_TCP_HEADER: Final = struct.Struct("!HHI4xBB")
"""Ports, sequence number, size of the header and flags."""


class Flow(NamedTuple):
    """One direction of a connection."""

    source: bytes
    source_port: int
    target: bytes
    target_port: int

    @property
    def shown(self) -> str:
        """Address and port that it is sent to."""
        return str(Address(str(ip_address(self.target)), self.target_port))


class TcpSegment(NamedTuple):
    """One TCP segment."""

    flow: Flow
    sequence: int
    """Of the first byte of the payload."""
    begins: bool
    """It is a SYN."""
    payload: memoryview


@dataclass(slots=True)
class Stream:
    """One direction of a connection, in pieces."""

    flow: Flow
    start: int | None
    """Sequence number of its first byte; None when the SYN was not captured."""
    pieces: list[tuple[int, memoryview]] = field(default_factory=list)
    kept: int = 0

    def add(self, segment: TcpSegment) -> None:
        """Keep a piece, while there is room."""
        if segment.payload and self.kept < _KEPT:
            self.kept += len(segment.payload)
            self.pieces.append((segment.sequence, segment.payload))

    def beginnings(self) -> Iterator[bytes]:
        """Yield the bytes from the start on, or from each possible start, up to the first gap."""
        starts = [self.start] if self.start is not None else []
        if self.start is None:
            found = (sequence for sequence, payload in self.pieces if HELLO_START.search(payload))
            starts = list(islice(found, _MOST_STARTS))
        for start in starts:
            joined = bytearray()
            placed = sorted(
                ((sequence - start) % _WRAP, order, payload)
                for order, (sequence, payload) in enumerate(self.pieces)
                if (sequence - start) % _WRAP < _WRAP // 2
            )
            for offset, _, payload in placed:
                if offset > len(joined):
                    break
                joined += payload[len(joined) - offset :]
            yield bytes(joined)


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


def read_segment(packet: Packet) -> TcpSegment | None:
    """Read the TCP segment in a packet (RFC 791, RFC 8200, RFC 9293); None when there is none."""
    try:
        data = _internet(packet)
        if data is None:
            return None
        if data[0] >> 4 == 4:
            end, fragment, kind, source, target = _IPV4.unpack_from(data)
            kind = 0 if fragment & 0x1FFF else kind
            position, end = (data[0] & 0x0F) * 4, end or len(data)  # 0: left to the network card
        elif data[0] >> 4 == 6:
            source, target = bytes(data[8:24]), bytes(data[24:40])
            kind, position = data[6], 40
            while kind in _SKIPPED_HEADERS:
                kind, position = data[position], position + 8 + data[position + 1] * 8
            end = 40 + (int.from_bytes(data[4:6]) or len(data))
        else:
            return None
        tcp = data[position:end]
        if kind != _TCP:
            return None
        source_port, target_port, sequence, size, flags = _TCP_HEADER.unpack_from(tcp)
        begins = bool(flags & _SYN)
        flow = Flow(source, source_port, target, target_port)
        return TcpSegment(flow, (sequence + begins) % _WRAP, begins, tcp[(size >> 4) * 4 :])
    except (IndexError, struct.error):  # shorter than its headers say
        return None


def _internet(packet: Packet) -> memoryview | None:
    """Return the packet from its IP header on; None for a link type or protocol we do not read."""
    link, data = packet
    if link in _PKTAP:
        size, inner = int.from_bytes(data[:4], "little"), int.from_bytes(data[8:12], "little")
        nested = inner in _PKTAP or not size
        return None if nested else _internet(Packet(inner, data[size:]))
    if link in _BARE:
        return data[_BARE[link] :]
    if link == _COOKED_2 and int.from_bytes(data[:2]) in _ETHERTYPES:
        return data[20:]
    if link not in _TYPED:
        return None
    position = _TYPED[link]
    while (kind := int.from_bytes(data[position : position + 2])) in _TAGS:
        position += 4
    return data[position + 2 :] if kind in _ETHERTYPES else None
