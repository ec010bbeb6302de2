"""From captured packets to what each side of each TCP connection said first.

What is true and what is tricky:

* Segments come out of order, again, and overlapping; sequence numbers wrap at 2^32. What came
  first in the capture wins where two overlap.
* A capture may begin in the middle of a connection, without its SYN. Then any segment that looks
  like the start of a ClientHello is tried as the beginning.
* A port is used again: a SYN with another number begins another stream.
* Fragments of IP are not put together: no ClientHello over TCP travels in them.

Invariants: no packet raises; each stream keeps at most `_KEPT` octets, because a ClientHello comes
first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, NamedTuple

from stress.planning.client.capture import Packet

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
