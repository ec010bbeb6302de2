"""The secrets of our own test connections, kept in memory for decryption and evidence.

`utls` writes key logs only to a named file, which it would create readable for others. On Linux it
gets an anonymous file in memory (`/proc/self/fd/N`); elsewhere a file of mode 0600 in a folder of
mode 0700. It appends, so what was read can be cut off. Lines are in the NSS key log format
(draft-ietf-tls-keylogfile), by client random.

Lines are parsed only on request, which a good run hardly ever makes: parsing costs 10 us per
connection. Secrets of application data are dropped, because nothing here needs them.

Invariants: at most `keep` connections and `_MOST_UNREAD` bytes are kept, the oldest go first.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_LABELS: Final = frozenset(
    {
        "CLIENT_RANDOM",  # master secret, up to TLS 1.2
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    }
)
_MOST_UNREAD: Final = 8 << 20
"""Bytes kept unparsed: about 9,000 connections."""


class KeyLog:
    """Collects the key log lines of all connections of one process. Must be closed."""

    def __init__(self, keep: int = 16_384, *, anonymous: bool = sys.platform == "linux") -> None:
        """Opens an empty log.

        Args:
            keep: how many connections are kept, the newest.
            anonymous: use an unnamed file in memory (Linux only).
        """
        self._keep = keep
        self._lines: dict[str, list[str]] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._unread = bytearray()
        if sys.platform == "linux" and anonymous:
            self._file = os.memfd_create("tls-stress-keys", os.MFD_CLOEXEC)
            self.path = f"/proc/self/fd/{self._file}"
            """Where a TLS library may append lines."""
        else:
            self._folder = tempfile.TemporaryDirectory(prefix="tls-stress-")
            self.path = str(Path(self._folder.name) / "keys")
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)

    def write(self, line: bytes) -> None:
        """Takes one line; a library that calls back instead of writing a file calls this."""
        label, _, rest = line.decode("ascii", "replace").partition(" ")
        if label not in _LABELS:
            return
        self._lines.setdefault(rest.partition(" ")[0], []).append(f"{label} {rest}")
        if len(self._lines) > self._keep:
            del self._lines[next(iter(self._lines))]

    def drain(self) -> None:
        """Takes what was appended to the file and empties it."""
        size = os.fstat(self._file).st_size
        if not size:
            return
        self._unread += os.pread(self._file, size, 0)
        os.ftruncate(self._file, 0)
        if len(self._unread) > _MOST_UNREAD:
            self._parse()

    def lines(self, client_random: bytes) -> tuple[str, ...]:
        """The lines of the connection with this client random, empty if there are none."""
        self.drain()
        self._parse()
        return tuple(self._lines.get(client_random.hex(), ()))

    def close(self) -> None:
        """Deletes everything."""
        self._lines.clear()
        self._unread.clear()
        os.close(self._file)
        if self._folder is not None:
            self._folder.cleanup()

    def _parse(self) -> None:
        *whole, self._unread = self._unread.split(b"\n")
        for line in whole:
            self.write(bytes(line))


def secret_of(lines: Sequence[str], label: str) -> bytes | None:
    """The secret with this label among key log lines, None if there is none."""
    for line in lines:
        words = line.split(" ")
        if len(words) == 3 and words[0] == label:
            return bytes.fromhex(words[2])
    return None
