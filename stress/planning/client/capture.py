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

import struct
from collections.abc import Iterator
from dataclasses import dataclass
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
