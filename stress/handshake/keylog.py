"""The secrets of our own test connections, kept in memory for decryption and evidence.

What is true and what is tricky:

* `utls` writes key logs only to a file by name, and would create it readable for others. On Linux
  it gets an anonymous file in memory (`/proc/self/fd/N`); elsewhere a file of mode 0600 in a
  folder of mode 0700. It appends, so what was read can be cut off.
* Lines are in the NSS key log format (draft-ietf-tls-keylogfile), keyed by the client random.
* What was written is read only when somebody asks, which in a good run is hardly ever: reading
  costs 10 us a connection. Secrets of application data are dropped then: nobody here needs them.

Invariants: at most `keep` connections and `_MOST_UNREAD` bytes are remembered, the oldest go first.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_LABELS: Final = frozenset(
    {
        "CLIENT_RANDOM",  # master secret, up to TLS 1.2
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    }
)
_MOST_UNREAD: Final = 8 << 20
"""Bytes that may wait to be read: some 9,000 connections."""


class KeyLog:
    """Collects key log lines of all connections of one process.

    Made by whoever runs the connections; both TLS stacks write into it. Must be closed.
    """

    def __init__(self, keep: int = 16_384, *, anonymous: bool = sys.platform == "linux") -> None:
        """Opens an empty log.

        Args:
            keep: how many connections are remembered, the newest.
            anonymous: use a file without a name, in memory (only Linux can).
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
        """Takes one line from a library that calls back instead of writing a file."""
        self._note(line.decode("ascii", "replace"))

    def drain(self) -> None:
        """Takes what was appended to the file and empties it."""
        size = os.fstat(self._file).st_size
        if not size:
            return
        self._unread += os.pread(self._file, size, 0)
        os.ftruncate(self._file, 0)
        if len(self._unread) > _MOST_UNREAD:
            self._read()

    def lines(self, client_random: bytes) -> tuple[str, ...]:
        """The lines of the connection with this client random, empty when there are none."""
        self.drain()
        self._read()
        return tuple(self._lines.get(client_random.hex(), ()))

    def close(self) -> None:
        """Forgets everything."""
        self._lines.clear()
        self._unread.clear()
        os.close(self._file)
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self) -> None:
        *whole, self._unread = self._unread.split(b"\n")
        for line in whole:
            self._note(line.decode("ascii", "replace"))

    def _note(self, line: str) -> None:
        label, _, rest = line.partition(" ")
        if label not in _LABELS:
            return
        self._lines.setdefault(rest.partition(" ")[0], []).append(line)
        if len(self._lines) > self._keep:
            del self._lines[next(iter(self._lines))]
