"""The encrypted part of a TLS 1.3 server's first flight, read with the key log after a failure.

What is true and what is tricky:

* A library that cannot decode a certificate shows none. The bytes are ours and so are the secrets,
  so the flight can be read again: HKDF-Expand-Label and the AEAD of the suite (RFC 8446 sections
  5.2, 7.1 and 7.3).
* Each record counts in the nonce, from 0 for each secret. What does not decrypt is either damaged
  or already under another secret (after Finished), so reading ends there without a complaint.
* The content type is the last octet that is not zero; zeros after it are padding.
* A compressed certificate (RFC 8879) stays unread.

Only failures come here: this costs more than a handshake's own Python.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

# The secrets of our own test connections, kept in memory for decryption and evidence.
#
# What is true and what is tricky:
#
# * `utls` writes key logs only to a file by name, and would create it readable for others. On Linux
#   it gets an anonymous file in memory (`/proc/self/fd/N`); elsewhere a file of mode 0600 in a
#   folder of mode 0700. It appends, so what was read can be cut off.
# * Lines are in the NSS key log format (draft-ietf-tls-keylogfile), keyed by the client random.
# * What was written is read only when somebody asks, which in a good run is hardly ever: reading
#   costs 10 us a connection. Secrets of application data are dropped then: nobody here needs them.
#
# Invariants: at most `keep` connections and `_MOST_UNREAD` bytes are remembered, the oldest go
# first.

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


_SUITES: Final[dict[int, tuple[type[AESGCM | ChaCha20Poly1305], hashes.HashAlgorithm, int]]] = {
    0x1301: (AESGCM, hashes.SHA256(), 16),
    0x1302: (AESGCM, hashes.SHA384(), 32),
    0x1303: (ChaCha20Poly1305, hashes.SHA256(), 32),
}
_ALERT: Final = 21
_HANDSHAKE: Final = 22
_APPLICATION_DATA: Final = 23
_CERTIFICATE: Final = 11
_CERTIFICATE_REQUEST: Final = 13
_COMPRESSED_CERTIFICATE: Final = 25


@dataclass(frozen=True, slots=True)
class Flight:
    """What stood in the decrypted records."""

    certificates: tuple[bytes, ...] | None
    """DER as sent, leaf first; None when no readable Certificate message came."""
    certificate_seen: bool
    """A Certificate message began, readable or not."""
    certificate_requested: bool
    alert: int | None
    """Description of the last alert, None when there was none."""


def read_flight(records: bytes, cipher: int, secret: bytes) -> Flight | None:
    """Decrypts what was sent under a handshake traffic secret; None for an unknown suite.

    Args:
        records: all bytes of one direction, from the hello on; what is not encrypted is skipped.
        cipher: the suite, as IANA number.
        secret: the handshake traffic secret of that direction.
    """
    if cipher not in _SUITES:
        return None
    said, alert = bytearray(), None
    for kind, payload in decrypt(records, cipher, secret):
        if kind == _HANDSHAKE:
            said += payload
        elif kind == _ALERT and len(payload) == 2:
            alert = payload[1]
    messages, last = _messages(bytes(said))
    bodies = dict(reversed(messages))  # the first of each kind counts
    kinds = {*bodies, last}
    return Flight(
        certificates=_read_certificates(bodies.get(_CERTIFICATE, b"")),
        certificate_seen=bool(kinds & {_CERTIFICATE, _COMPRESSED_CERTIFICATE}),
        certificate_requested=_CERTIFICATE_REQUEST in bodies,
        alert=alert,
    )


def secret_of(lines: Sequence[str], label: str) -> bytes | None:
    """The secret with this label among key log lines, None when it is not there."""
    for line in lines:
        words = line.split(" ")
        if len(words) == 3 and words[0] == label:
            return bytes.fromhex(words[2])
    return None


def decrypt(records: bytes, cipher: int, secret: bytes) -> Iterator[tuple[int, bytes]]:
    """Lists (content type, payload) of the encrypted records, up to the first that resists."""
    aead, digest, length = _SUITES[cipher]
    key = aead(_expand(secret, b"key", length, digest))
    base = int.from_bytes(_expand(secret, b"iv", 12, digest))
    position = sealed = 0
    while len(records) - position >= 5:
        after = position + 5 + int.from_bytes(records[position + 3 : position + 5])
        head, body = records[position : position + 5], records[position + 5 : after]
        position = after
        if head[0] != _APPLICATION_DATA:
            continue
        try:
            inner = key.decrypt((base ^ sealed).to_bytes(12), body, head).rstrip(b"\0")
        except (InvalidTag, ValueError):
            return
        sealed += 1
        if inner:
            yield inner[-1], inner[:-1]


def _expand(secret: bytes, label: bytes, length: int, digest: hashes.HashAlgorithm) -> bytes:
    """HKDF-Expand-Label with an empty context (RFC 8446 section 7.1)."""
    label = b"tls13 " + label
    info = length.to_bytes(2) + len(label).to_bytes(1) + label + b"\0"
    return HKDFExpand(digest, length, info).derive(secret)


def _messages(data: bytes) -> tuple[list[tuple[int, bytes]], int | None]:
    """Lists (kind, body) of the whole messages, and the kind of one that is cut off."""
    found: list[tuple[int, bytes]] = []
    position = 0
    while len(data) - position >= 4:
        after = position + 4 + int.from_bytes(data[position + 1 : position + 4])
        if after > len(data):
            return found, data[position]
        found.append((data[position], data[position + 4 : after]))
        position = after
    return found, None


def _read_certificates(body: bytes) -> tuple[bytes, ...] | None:
    """Lists the DER of a Certificate message (RFC 8446 section 4.4.2), None if malformed."""
    if not body:
        return None
    position, end = 4 + body[0], len(body)
    if position > end or int.from_bytes(body[position - 3 : position]) != end - position:
        return None
    found = []
    while position < end:
        start = position + 3
        after = start + int.from_bytes(body[position:start])
        found.append(body[start:after])
        position = after + 2 + int.from_bytes(body[after : after + 2])
    return tuple(found) if position == end else None


class Sealed:
    """Keeps the encrypted bytes of one connection for as long as it may fail."""

    __slots__ = ("_key_log", "_random", "_received")

    def __init__(self, key_log: KeyLog) -> None:
        """Starts with nothing; the secrets are looked up only when something is to be read."""
        self._key_log = key_log
        self._random = b""
        self._received: list[bytes] = []

    def sent_hello(self, hello: bytes) -> None:
        """Notes the client random, which stands behind two headers and the version."""
        self._random = hello[11:43]

    def received(self, data: bytes) -> None:
        """Keeps what the server sent."""
        self._received.append(data)

    def forget(self) -> None:
        """Drops what was kept."""
        self._received.clear()

    def flight(self, cipher: int | None) -> Flight | None:
        """Reads what the server sent; None when there is no secret for it (before TLS 1.3)."""
        return self._read(b"".join(self._received), cipher, "SERVER_HANDSHAKE_TRAFFIC_SECRET")

    def alert_sent(self, sent: bytes, cipher: int | None) -> int | None:
        """Reads the alert in the first encrypted records of our own."""
        flight = self._read(sent, cipher, "CLIENT_HANDSHAKE_TRAFFIC_SECRET")
        return None if flight is None else flight.alert

    def _read(self, records: bytes, cipher: int | None, label: str) -> Flight | None:
        secret = secret_of(self._key_log.lines(self._random), label)
        if secret is None or cipher is None:
            return None
        return read_flight(records, cipher, secret)
