"""The little that faults depend on in a ClientHello: versions, name, size.

A fault is decided before the TLS library sees any bytes. Only the first record counts: a middlebox
that looks at one packet does no better.
"""

from __future__ import annotations

from dataclasses import dataclass

from stress.errors import UsageError
from stress.handshake.hello import read_hello

RECORD_HEADER = 5


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
    """Bytes of the whole first record, as its header says; of the header alone if unknown."""
    if len(data) < RECORD_HEADER:
        return RECORD_HEADER
    return RECORD_HEADER + int.from_bytes(data[3:5], "big")


def read(data: bytes) -> Hello:
    """Read the first record; what cannot be read is left at its default."""
    size = record_size(data)
    try:
        hello = read_hello(data[:size])
    except UsageError:
        return Hello(size)
    versions = tuple(version for version in hello.versions if version >> 8 == 0x03)
    return Hello(size, versions, hello.server_name)
