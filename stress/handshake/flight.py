"""The encrypted part of a TLS 1.3 server's first flight, read with the key log after a failure.

A library that cannot decode a certificate does not show it. We have the bytes and the secrets, so
the flight can be read again: HKDF-Expand-Label and the AEAD of the suite (RFC 8446 sections 5.2,
7.1 and 7.3).

* The nonce counts records, from 0 for each secret. What does not decrypt is either damaged or
  already under another secret (after Finished), so reading ends there silently.
* The content type is the last non-zero octet; zeros after it are padding.

For failures only: this costs more than the whole Python part of a handshake.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from stress.handshake.wire import APPLICATION_DATA, Wire, items

_SUITES: Final[dict[int, tuple[type[AESGCM | ChaCha20Poly1305], hashes.HashAlgorithm, int]]] = {
    0x1301: (AESGCM, hashes.SHA256(), 16),
    0x1302: (AESGCM, hashes.SHA384(), 32),
    0x1303: (ChaCha20Poly1305, hashes.SHA256(), 32),
}


def read_flight(sent: bytes, cipher: int, secret: bytes) -> Wire | None:
    """Reads what was sent under a handshake traffic secret; None for an unknown suite.

    Args:
        sent: all bytes of one direction, from the hello on; what is not encrypted is skipped.
        cipher: the suite, as IANA number.
        secret: the handshake traffic secret of that direction.
    """
    if cipher not in _SUITES:
        return None
    flight = Wire(decrypted=True)
    for kind, payload in decrypt(sent, cipher, secret):
        flight.read_record(kind, payload)
    return flight


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


def _expand(secret: bytes, label: bytes, length: int, digest: hashes.HashAlgorithm) -> bytes:
    """HKDF-Expand-Label with an empty context (RFC 8446 section 7.1)."""
    label = b"tls13 " + label
    info = length.to_bytes(2) + len(label).to_bytes(1) + label + b"\0"
    return HKDFExpand(digest, length, info).derive(secret)
