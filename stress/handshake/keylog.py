"""The secrets of our own test connections, kept in memory for decryption and evidence.

`utls` writes key logs only to a named file, which it would create readable for others. On Linux it
gets an anonymous file in memory (`/proc/self/fd/N`); elsewhere a file of mode 0600 in a folder of
mode 0700. It appends, so what was read can be cut off. Lines are in the NSS key log format
(draft-ietf-tls-keylogfile), by client random.

Lines are parsed only on request: parsing costs 3 us per connection. The server's first secret of
application data opens the session tickets that follow the handshake; it is never part of evidence.

What a TLS 1.3 server sends encrypted is read again with them: a library that cannot decode a
certificate does not show it, and BoringSSL shows no session tickets. That takes HKDF-Expand-Label
and the AEAD of the suite (RFC 8446 sections 5.2, 7.1 and 7.3), and costs 10 to 20 us: for failures,
and for the tickets of a sample of the good handshakes.

* The nonce counts records, from 0 for each secret. What does not decrypt is either damaged or
  already under another secret (after Finished), so reading ends there silently.
* The content type is the last non-zero octet; zeros after it are padding.

Invariants: at most `keep` connections and `_MOST_UNREAD` bytes are kept, the oldest go first.
"""

from __future__ import annotations

import hmac
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from stress.handshake.wire import APPLICATION_DATA, Wire, items

_LABELS: Final = frozenset(
    {
        b"CLIENT_RANDOM",  # master secret, up to TLS 1.2
        b"CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        b"SERVER_HANDSHAKE_TRAFFIC_SECRET",
    }
)
_OF_TICKETS: Final = b"SERVER_TRAFFIC_SECRET_0"
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
        self._lines: dict[bytes, list[str]] = {}
        self._of_tickets: dict[bytes, bytes] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._unread = bytearray()
        self._position = 0
        """Up to which the file was read."""
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
        label, _, rest = line.partition(b" ")
        random, _, secret = rest.partition(b" ")
        if label in _LABELS:
            self._lines.setdefault(random, []).append(line.decode("ascii", "replace"))
            if len(self._lines) > self._keep:
                del self._lines[next(iter(self._lines))]
        elif label == _OF_TICKETS:
            self._of_tickets[random] = secret
            if len(self._of_tickets) > self._keep:
                del self._of_tickets[next(iter(self._of_tickets))]

    def drain(self) -> None:
        """Takes what was appended to the file and empties it."""
        self._read_on()
        if self._position:
            os.ftruncate(self._file, 0)
            self._position = 0
        if len(self._unread) > _MOST_UNREAD:
            self._parse()

    def _read_on(self) -> None:
        """Takes what was appended, and leaves it there: emptying the file each time is dear."""
        size = os.fstat(self._file).st_size
        if size > self._position:
            self._unread += os.pread(self._file, size - self._position, self._position)
            self._position = size

    def lines(self, client_random: bytes) -> tuple[str, ...]:
        """The lines of the connection with this client random, empty if there are none."""
        self._read_on()
        self._parse()
        return tuple(self._lines.get(client_random.hex().encode(), ()))

    def of_tickets(self, client_random: bytes) -> bytes | None:
        """The secret under which the server of that connection sends session tickets (TLS 1.3).

        It is returned once, and is never among the lines: it opens data of the application, too.
        """
        self._read_on()
        # Among the newest: looked for, because to parse what all others wrote would cost far more.
        label = b"%s %s " % (_OF_TICKETS, client_random.hex().encode())
        place = self._unread.rfind(label)
        end = self._unread.find(b"\n", place) if place >= 0 else -1
        if end >= 0:
            found = bytes(self._unread[place + len(label) : end])
            del self._unread[place : end + 1]
            return bytes.fromhex(found.decode("ascii", "replace"))
        self._parse()
        secret = self._of_tickets.pop(client_random.hex().encode(), None)
        return None if secret is None else bytes.fromhex(secret.decode("ascii", "replace"))

    def close(self) -> None:
        """Deletes everything."""
        self._lines.clear()
        self._of_tickets.clear()
        self._unread.clear()
        os.close(self._file)
        if self._folder is not None:
            self._folder.cleanup()

    def _parse(self) -> None:
        whole, _, self._unread = self._unread.rpartition(b"\n")
        for line in bytes(whole).split(b"\n"):
            self.write(line)


def secret_of(lines: Sequence[str], label: str) -> bytes | None:
    """The secret with this label among key log lines, None if there is none."""
    for line in lines:
        words = line.split(" ")
        if len(words) == 3 and words[0] == label:
            return bytes.fromhex(words[2])
    return None


_SUITES: Final[dict[int, tuple[type[AESGCM | ChaCha20Poly1305], str, int]]] = {
    0x1301: (AESGCM, "sha256", 16),
    0x1302: (AESGCM, "sha384", 32),
    0x1303: (ChaCha20Poly1305, "sha256", 32),
}


def read_flight(sent: bytes, cipher: int, secret: bytes) -> Wire | None:
    """Reads what was sent under one traffic secret; None for an unknown suite.

    Args:
        sent: the bytes of one direction from its first record under that secret on; what is not
            encrypted is skipped.
        cipher: the suite, as IANA number.
        secret: the traffic secret of that direction.
    """
    if cipher not in _SUITES:
        return None
    flight = Wire(decrypted=True)
    for kind, payload in decrypt(sent, cipher, secret):
        flight.read_record(kind, payload)
    return flight


def read_ticket(sent: bytes, cipher: int, secret: bytes) -> bytes | None:
    """The first session ticket in what was sent under a server's application traffic secret."""
    flight = Wire(decrypted=True)
    for kind, payload in decrypt(sent, cipher, secret) if cipher in _SUITES else ():
        flight.read_record(kind, payload)
        if flight.ticket is not None:
            break
    return flight.ticket


def decrypt(data: bytes, cipher: int, secret: bytes) -> Iterator[tuple[int, bytes]]:
    """Lists (content type, payload) of the encrypted records, up to the first failure."""
    aead, digest, length = _SUITES[cipher]
    key = aead(_expand(secret, b"key", length, digest))
    base = int.from_bytes(_expand(secret, b"iv", 12, digest))
    number = 0
    for head, body in items(data, 5, 2):
        if head[0] != APPLICATION_DATA:
            continue
        try:
            inner = key.decrypt((base ^ number).to_bytes(12), body, head).rstrip(b"\0")
        except (InvalidTag, ValueError):
            return
        number += 1
        if inner:
            yield inner[-1], inner[:-1]


def _expand(secret: bytes, label: bytes, length: int, digest: str) -> bytes:
    """HKDF-Expand-Label with an empty context (RFC 8446 section 7.1), of one hash at most.

    One block of HKDF-Expand (RFC 5869 section 2.3) is one HMAC, which the standard library has for
    a fifth of the price.
    """
    label = b"tls13 " + label
    info = length.to_bytes(2) + len(label).to_bytes(1) + label + b"\0\1"
    return hmac.digest(secret, info, digest)[:length]
