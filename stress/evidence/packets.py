"""A transcript as TCP/IP packets in a pcapng file, as a capture on our side would have shown them.

What is true and what is tricky:

* Bytes, order and times of the flights are real. Everything around them is reconstructed: the
  three-way handshake (from the time of connect()), sequence numbers, acknowledgements of what we
  read, segments of the usual size. The server's bare acknowledgements are left out.
* A packet that a dissector complains about would make people distrust the rest: checksums are
  right, sequence numbers have no gaps, and time never goes back within a connection.
* The end is as it was seen: FIN or RST, from the side that sent it. A refused connection is a SYN
  with a RST, one that timed out a SYN alone.
* The file follows the IETF's draft-ietf-opsawg-pcapng. Wireshark and tshark find the key log lines
  in the Decryption Secrets Block (section 4.7) and need no other file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import pairwise
from operator import attrgetter
from typing import Final, NamedTuple

from stress.model.transcript import Flight, Parting, Transcript

LINKTYPE_RAW: Final = 101
"""Packets begin with their IPv4 or IPv6 header."""

_FIN, _SYN, _RST, _PSH, _ACK = 1, 2, 4, 8, 16
_TCP: Final = 6
_WINDOW: Final = 65_535
_TTL: Final = 64
_DO_NOT_FRAGMENT: Final = 0x4000
_MSS_V4, _MSS_V6 = 1460, 1440
_MAXIMUM_SEGMENT_SIZE: Final = 2
_SEQUENCE: Final = 1 << 32
_SPREAD: Final = 2_654_435_761
"""Knuth's multiplier: initial sequence numbers look random and are the same every time."""
_RESET_IN_CONNECT: Final = frozenset({"refused", "reset"})

# Block types and options of pcapng.
_SECTION, _INTERFACE, _PACKET, _SECRETS = 0x0A0D0D0A, 1, 6, 10
_BYTE_ORDER: Final = 0x1A2B3C4D
_UNKNOWN_LENGTH: Final = -1
_TLS_KEY_LOG: Final = 0x544C534B
_END, _COMMENT, _INTERFACE_DESCRIPTION, _APPLICATION, _RESOLUTION = 0, 1, 3, 4, 9
_NANOSECONDS: Final = b"\x09"
_LONGEST_OPTION: Final = 0xFFFC
_LATEST_NS: Final = (1 << 64) - 1


class RawPacket(NamedTuple):
    """One packet, from its IP header on."""

    at_ns: int
    """Unix time, nanoseconds."""
    data: bytes


def packets(transcript: Transcript) -> list[RawPacket]:
    """The packets of one connection; none when it has no local port, since nothing was sent."""
    if not transcript.record.local_port:
        return []
    return list(_Connection(transcript).packets())


@dataclass(slots=True)
class _Side:
    """One end of the connection."""

    ip: bytes
    port: int
    sequence: int
    identification: int = 0


class _Connection:
    """Both ends of a connection while its packets are made."""

    def __init__(self, transcript: Transcript) -> None:
        record, peer = transcript.record, transcript.peer
        local, remote = ip_address(transcript.local_ip), ip_address(peer.ip)
        first = record.id * _SPREAD
        self.transcript = transcript
        self.client = _Side(local.packed, record.local_port or 0, first % _SEQUENCE)
        self.server = _Side(remote.packed, peer.port, (first * _SPREAD + 1) % _SEQUENCE)
        self.segment_bytes = _MSS_V4 if local.version == 4 else _MSS_V6
        self.now_ns = 0

    def packets(self) -> Iterator[RawPacket]:
        """The TCP handshake, then what `_exchange` makes of flights and partings."""
        transcript, record = self.transcript, self.transcript.record
        size = struct.pack("!BBH", _MAXIMUM_SEGMENT_SIZE, 4, self.segment_bytes)
        yield self._emit(self.client, transcript.dialled_ns, _SYN, options=size)
        if record.connect_ns is None:
            if record.outcome in _RESET_IN_CONNECT:
                ended_ns = transcript.dialled_ns + max(0, record.total_ns)
                self.server.sequence = 0
                yield self._emit(self.server, ended_ns, _RST | _ACK)
            return
        opened_ns = transcript.dialled_ns + max(0, record.connect_ns)
        if transcript.flights:
            opened_ns = min(opened_ns, transcript.flights[0].at_ns)
        yield self._emit(self.server, opened_ns, _SYN | _ACK, options=size)
        yield self._emit(self.client, opened_ns, _ACK)
        yield from self._exchange()

    def _exchange(self) -> Iterator[RawPacket]:
        """Flights and partings by time; nothing follows a RST."""
        transcript = self.transcript
        moves: list[Flight | Parting] = [*transcript.flights, *transcript.partings]
        events = [*sorted(moves, key=attrgetter("at_ns")), None]
        for event, following in pairwise(events):
            if event is None:
                return
            side = self.client if event.sent else self.server
            if isinstance(event, Parting):
                yield self._emit(side, event.at_ns, _ACK | (_RST if event.reset else _FIN))
                if event.reset:
                    return
                answered = False
            else:
                data = event.data
                for start in range(0, len(data), self.segment_bytes):
                    end = start + self.segment_bytes
                    flags = _ACK if end < len(data) else _ACK | _PSH
                    yield self._emit(side, event.at_ns, flags, data[start:end])
                answered = isinstance(following, Flight) and following.sent
            if not event.sent and not answered:
                yield self._emit(self.client, event.at_ns, _ACK)

    def _emit(
        self, side: _Side, at_ns: int, flags: int, data: bytes = b"", options: bytes = b""
    ) -> RawPacket:
        """One packet; advances the side's sequence number, and never goes back in time."""
        self.now_ns = max(self.now_ns, at_ns)
        other = self.server if side is self.client else self.client
        acknowledged = other.sequence if flags & _ACK else 0
        offset = (5 + len(options) // 4) << 4
        ports = (side.port, other.port, side.sequence, acknowledged)
        head = struct.pack("!HHIIBBHHH", *ports, offset, flags, _WINDOW, 0, 0)
        segment = head + options + data
        size, ends = len(segment), side.ip + other.ip
        # TCP's checksum covers a pseudo header too (RFC 9293 section 3.1, RFC 8200 section 8.1).
        if len(side.ip) == 4:
            pseudo = ends + struct.pack("!BBH", 0, _TCP, size)
            side.identification = (side.identification + 1) % 0x10000
            fields = (0x45, 0, 20 + size, side.identification, _DO_NOT_FRAGMENT, _TTL, _TCP)
            bare = struct.pack("!BBHHHBBH", *fields, 0) + ends
            header = bare[:10] + struct.pack("!H", checksum(bare)) + bare[12:]
        else:
            pseudo = ends + struct.pack("!IHBB", size, 0, 0, _TCP)
            header = struct.pack("!IHBB", 6 << 28, size, _TCP, _TTL) + ends
        segment = segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]
        # SYN and FIN take up one sequence number each.
        side.sequence = (side.sequence + len(data) + bool(flags & (_SYN | _FIN))) % _SEQUENCE
        return RawPacket(self.now_ns, header + segment)


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def write(packets: Sequence[RawPacket], secrets: Sequence[str], *, comment: str) -> bytes:
    """The whole pcapng file.

    Args:
        packets: in the order in which they are written.
        secrets: key log lines; none: no block of secrets.
        comment: about the file as a whole.
    """
    section = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, _UNKNOWN_LENGTH)
    section += _options((_COMMENT, comment.encode()), (_APPLICATION, b"tls-stress"))
    about = b"made from the bytes of our own sockets, not captured from a network"
    interface = struct.pack("<HHI", LINKTYPE_RAW, 0, 0)
    interface += _options((_INTERFACE_DESCRIPTION, about), (_RESOLUTION, _NANOSECONDS))
    blocks = [_block(_SECTION, section), _block(_INTERFACE, interface)]
    if secrets:
        lines = "".join(f"{line}\n" for line in secrets).encode("ascii", "replace")
        blocks.append(
            _block(_SECRETS, struct.pack("<II", _TLS_KEY_LOG, len(lines)) + _padded(lines))
        )
    for packet in packets:
        at_ns, size = min(max(packet.at_ns, 0), _LATEST_NS), len(packet.data)
        head = struct.pack("<IIIII", 0, at_ns >> 32, at_ns & 0xFFFFFFFF, size, size)
        blocks.append(_block(_PACKET, head + _padded(packet.data)))
    return b"".join(blocks)


def _block(kind: int, body: bytes) -> bytes:
    size = len(body) + 12
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def _options(*options: tuple[int, bytes]) -> bytes:
    parts = []
    for number, value in options:
        shown = value[:_LONGEST_OPTION]
        parts.append(struct.pack("<HH", number, len(shown)) + _padded(shown))
    return b"".join(parts) + struct.pack("<HH", _END, 0)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
