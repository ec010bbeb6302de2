"""What a TLS 1.3 server sends encrypted, read again with the key log.

A library that cannot decode a certificate does not show it, and BoringSSL shows no session tickets.
We have the bytes and the secrets, so they can be read again: HKDF-Expand-Label and the AEAD of the
suite (RFC 8446 sections 5.2, 7.1 and 7.3).

* The nonce counts records, from 0 for each secret. What does not decrypt is either damaged or
  already under another secret (after Finished), so reading ends there silently.
* The content type is the last non-zero octet; zeros after it are padding.

It costs 10 to 20 us: for failures, and for the tickets of a sample of the good handshakes.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from stress.handshake.wire import APPLICATION_DATA, Wire, items

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
