"""Parses the little that faults depend on in a ClientHello: versions, name, size.

Reads RFC 8446 section 4.1.2 from raw bytes, because a fault is decided before the TLS library
sees any. Only the first record counts: a middlebox that looks at one packet does no better.
"""

from __future__ import annotations

from dataclasses import dataclass

RECORD_HEADER = 5
SERVER_NAME = 0
SUPPORTED_VERSIONS = 43


@dataclass(frozen=True, slots=True)
class Hello:
    """The fields of one ClientHello."""

    size: int
    """Bytes of its record, header included."""
    versions: tuple[int, ...] = ()
    """TLS versions offered as wire numbers, without GREASE."""
    server_name: str | None = None

    @property
    def best_version(self) -> int:
        """The highest version offered; 0 when the hello could not be read."""
        return max(self.versions, default=0)


def record_size(data: bytes) -> int:
    """Bytes that the first record has in all, as its header says; the header alone if unknown."""
    if len(data) < RECORD_HEADER:
        return RECORD_HEADER
    return RECORD_HEADER + int.from_bytes(data[3:5], "big")


def read(data: bytes) -> Hello:
    """Parse the first record; what cannot be parsed is left at its default."""
    size = record_size(data)
    body = data[RECORD_HEADER + 4 : size]  # 4: handshake type and length
    try:
        versions, extensions = _body(body)
    except IndexError:
        return Hello(size)
    offered = extensions.get(SUPPORTED_VERSIONS)
    if offered is not None:
        versions = _versions(offered[1:])
    return Hello(size, versions, _name(extensions.get(SERVER_NAME, b"")))


def _body(body: bytes) -> tuple[tuple[int, ...], dict[int, bytes]]:
    """Walk over random, session, suites and compression to the extensions."""
    at = 34
    at += 1 + body[at]
    at += 2 + (body[at] << 8 | body[at + 1])
    at += 1 + body[at]
    extensions: dict[int, bytes] = {}
    at += 2
    while at + 4 <= len(body):
        kind, length = int.from_bytes(body[at : at + 2], "big"), body[at + 2] << 8 | body[at + 3]
        extensions[kind] = body[at + 4 : at + 4 + length]
        at += 4 + length
    return _versions(body[:2]), extensions


def _versions(data: bytes) -> tuple[int, ...]:
    pairs = (int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data) - 1, 2))
    return tuple(pair for pair in pairs if pair >> 8 == 0x03)


def _name(data: bytes) -> str | None:
    """The first host_name of a server_name extension (RFC 6066 section 3)."""
    length = int.from_bytes(data[3:5], "big")
    name = data[5 : 5 + length]
    return name.decode("ascii", "replace") if name else None
