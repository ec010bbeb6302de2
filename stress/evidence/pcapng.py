"""Writes pcapng: packets with nanoseconds, and the secrets to decrypt them, in one file.

After the IETF's draft-ietf-opsawg-pcapng. Wireshark and tshark find the key log lines in the
Decryption Secrets Block (section 4.7) and need no other file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

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
