"""A transcript as TCP/IP packets, as a capture on our side would have shown them.

What is true and what is tricky:

* Bytes, order and times of the flights are as they were; what is around them is made up to carry
  them: the three-way handshake (from the time of connect()), sequence numbers, acknowledgements of
  what we read, segments of the usual size. The server's bare acknowledgements are not made up.
* A packet that a dissector would complain about would make people distrust the rest: checksums are
  right, sequence numbers have no gaps, and time never runs backwards within a connection.
* The end is as it was met: FIN or RST, of the side that did it. A refused connection is a SYN with
  a RST, one that timed out a SYN alone.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import pairwise
from operator import attrgetter
from typing import Final, NamedTuple

from stress.model.transcript import Flight, Parting, Transcript

# Writes pcapng: packets with nanoseconds, and the secrets to decrypt them, in one file.
#
# After the IETF's draft-ietf-opsawg-pcapng. Wireshark and tshark find the key log lines in the
# Decryption Secrets Block (section 4.7) and need no other file.

LINKTYPE_RAW: Final = 101
"""Packets begin with their IPv4 or IPv6 header."""

_SECTION: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_PACKET: Final = 6
_SECRETS: Final = 10
_BYTE_ORDER: Final = 0x1A2B3C4D
_UNKNOWN_LENGTH: Final = -1
_TLS_KEY_LOG: Final = 0x544C534B

_END: Final = 0
_COMMENT: Final = 1
_APPLICATION: Final = 4
_INTERFACE_DESCRIPTION: Final = 3
_RESOLUTION: Final = 9
_NANOSECONDS: Final = b"\x09"
_LONGEST_OPTION: Final = 0xFFFC
_LATEST_NS: Final = (1 << 64) - 1


class Packet(NamedTuple):
    """One packet, from its IP header on."""

    at_ns: int
    """Unix time, nanoseconds."""
    data: bytes


def write(packets: Sequence[Packet], secrets: Sequence[str], *, origin: str, comment: str) -> bytes:
    """The whole file.

    Args:
        packets: in the order in which they shall stand.
        secrets: key log lines; none: no block of secrets.
        origin: which program writes it.
        comment: about the file as a whole.
    """
    return b"".join(_blocks(packets, secrets, origin, comment))


def _blocks(
    packets: Sequence[Packet], secrets: Sequence[str], origin: str, comment: str
) -> Iterator[bytes]:
    yield _section(origin, comment)
    yield _interface()
    if secrets:
        yield _secrets("".join(f"{line}\n" for line in secrets).encode("ascii", "replace"))
    for packet in packets:
        yield _packet(packet)


def _section(origin: str, comment: str) -> bytes:
    head = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, _UNKNOWN_LENGTH)
    options = ((_COMMENT, comment.encode()), (_APPLICATION, origin.encode()))
    return _block(_SECTION, head + _options(*options))


def _interface() -> bytes:
    about = b"made from the bytes of our own sockets, not captured from a network"
    options = ((_INTERFACE_DESCRIPTION, about), (_RESOLUTION, _NANOSECONDS))
    return _block(_INTERFACE, struct.pack("<HHI", LINKTYPE_RAW, 0, 0) + _options(*options))


def _secrets(lines: bytes) -> bytes:
    return _block(_SECRETS, struct.pack("<II", _TLS_KEY_LOG, len(lines)) + _padded(lines))


def _packet(packet: Packet) -> bytes:
    at_ns = min(max(packet.at_ns, 0), _LATEST_NS)
    size = len(packet.data)
    head = struct.pack("<IIIII", 0, at_ns >> 32, at_ns & 0xFFFFFFFF, size, size)
    return _block(_PACKET, head + _padded(packet.data))


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


def packets(transcript: Transcript) -> list[Packet]:
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


@dataclass(slots=True)
class _Connection:
    transcript: Transcript
    client: _Side = field(init=False)
    server: _Side = field(init=False)
    segment_bytes: int = field(init=False)
    now_ns: int = 0

    def __post_init__(self) -> None:
        transcript = self.transcript
        record, address = transcript.record, transcript.address
        local, remote = ip_address(transcript.local_ip), ip_address(address.ip)
        first = record.id * _SPREAD
        self.client = _Side(local.packed, record.local_port or 0, first % _SEQUENCE)
        self.server = _Side(remote.packed, address.port, (first * _SPREAD + 1) % _SEQUENCE)
        self.segment_bytes = _MSS_V4 if local.version == 4 else _MSS_V6

    def packets(self) -> Iterator[Packet]:
        transcript = self.transcript
        connect_ns = transcript.record.connect_ns
        yield from self._syn(transcript.dialled_ns, self.client, _SYN)
        if connect_ns is None:
            yield from self._not_connected()
            return
        opened_ns = transcript.dialled_ns + max(0, connect_ns)
        if transcript.flights:
            opened_ns = min(opened_ns, transcript.flights[0].at_ns)
        yield from self._syn(opened_ns, self.server, _SYN | _ACK)
        yield self._emit(self.client, opened_ns, _ACK)
        yield from self._talk()

    def _not_connected(self) -> Iterator[Packet]:
        record = self.transcript.record
        if record.outcome in _RESET_IN_CONNECT:
            ended_ns = self.transcript.dialled_ns + max(0, record.total_ns)
            self.server.sequence = 0
            yield self._emit(self.server, ended_ns, _RST | _ACK)

    def _talk(self) -> Iterator[Packet]:
        """Flights and partings by time; nothing follows a RST."""
        transcript = self.transcript
        moves: list[Flight | Parting] = [*transcript.flights, *transcript.partings]
        events = [*sorted(moves, key=attrgetter("at_ns")), None]
        for event, after in pairwise(events):
            if isinstance(event, Flight):
                yield from self._say(event)
                if not event.sent and not (isinstance(after, Flight) and after.sent):
                    yield self._emit(self.client, event.at_ns, _ACK)
            elif event is not None:
                yield from self._part(event)
                if event.reset:
                    return

    def _say(self, flight: Flight) -> Iterator[Packet]:
        side = self.client if flight.sent else self.server
        data = memoryview(flight.data)
        while data:
            segment, data = data[: self.segment_bytes], data[self.segment_bytes :]
            flags = _ACK if data else _ACK | _PSH
            yield self._emit(side, flight.at_ns, flags, bytes(segment))

    def _part(self, parting: Parting) -> Iterator[Packet]:
        side = self.client if parting.sent else self.server
        yield self._emit(side, parting.at_ns, _ACK | (_RST if parting.reset else _FIN))
        if not parting.reset:
            side.sequence = (side.sequence + 1) % _SEQUENCE
            if not parting.sent:
                yield self._emit(self.client, parting.at_ns, _ACK)

    def _syn(self, at_ns: int, side: _Side, flags: int) -> Iterator[Packet]:
        size = struct.pack("!BBH", _MAXIMUM_SEGMENT_SIZE, 4, self.segment_bytes)
        yield self._emit(side, at_ns, flags, options=size)
        side.sequence = (side.sequence + 1) % _SEQUENCE

    def _emit(
        self, side: _Side, at_ns: int, flags: int, data: bytes = b"", options: bytes = b""
    ) -> Packet:
        """One packet; moves the side's sequence number on, and never goes back in time."""
        self.now_ns = max(self.now_ns, at_ns)
        other = self.server if side is self.client else self.client
        acknowledged = other.sequence if flags & _ACK else 0
        offset = (5 + len(options) // 4) << 4
        ports = (side.port, other.port, side.sequence, acknowledged)
        head = struct.pack("!HHIIBBHHH", *ports, offset, flags, _WINDOW, 0, 0)
        segment = head + options + data
        summed = checksum(_pseudo_header(side.ip, other.ip, len(segment)) + segment)
        segment = segment[:16] + struct.pack("!H", summed) + segment[18:]
        side.sequence = (side.sequence + len(data)) % _SEQUENCE
        return Packet(self.now_ns, _ip_header(side, other.ip, len(segment)) + segment)


def _pseudo_header(source: bytes, target: bytes, size: int) -> bytes:
    """What TCP's checksum covers too (RFC 9293 section 3.1, RFC 8200 section 8.1)."""
    if len(source) == 4:
        return source + target + struct.pack("!BBH", 0, _TCP, size)
    return source + target + struct.pack("!IHBB", size, 0, 0, _TCP)


def _ip_header(side: _Side, target: bytes, size: int) -> bytes:
    if len(side.ip) == 16:
        return struct.pack("!IHBB", 6 << 28, size, _TCP, _TTL) + side.ip + target
    side.identification = (side.identification + 1) % 0x10000
    fields = (0x45, 0, 20 + size, side.identification, _DO_NOT_FRAGMENT, _TTL, _TCP)
    bare = struct.pack("!BBHHHBBH", *fields, 0) + side.ip + target
    return bare[:10] + struct.pack("!H", checksum(bare)) + bare[12:]


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
