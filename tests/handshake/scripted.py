"""Servers that say what no library would: wrong keys, broken certificates, chosen alerts.

`Scripted13` is a real TLS 1.3 end (X25519, TLS_AES_128_GCM_SHA256, ecdsa_secp256r1_sha256) whose
messages can be replaced; `plain_flight` is the readable first flight of a TLS 1.2 server.
Layout and key schedule: RFC 8446 sections 4 and 7; RFC 5246 section 7.4 and RFC 8422 section 5.4.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from stress.handshake.hello import KEY_SHARE, ClientHello, read_hello

X25519 = 29
ALERT, HANDSHAKE, DATA = 21, 22, 23
LARGEST = 1 << 14
RANDOM = bytes(range(32))
ZEROS = bytes(32)
RENEGOTIATION_INFO = b"\xff\x01\x00\x01\x00"
"""RFC 5746: OpenSSL refuses TLS 1.2 servers without it."""


def vector(data: bytes, size: int) -> bytes:
    return len(data).to_bytes(size) + data


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + vector(body, 3)


def record(kind: int, payload: bytes, version: int = 0x0303) -> bytes:
    return bytes([kind]) + version.to_bytes(2) + vector(payload, 2)


def alert(number: int, level: int = 2) -> bytes:
    return record(ALERT, bytes([level, number]))


def server_hello(
    hello: ClientHello, cipher: int, extensions: bytes = b"", *, version: int = 0x0303
) -> bytes:
    head = version.to_bytes(2) + RANDOM + vector(hello.session_id, 1) + cipher.to_bytes(2) + b"\0"
    return message(2, head + (vector(extensions, 2) if extensions else b""))


def plain_flight(
    sent: bytes, chain: Sequence[bytes], key: ec.EllipticCurvePrivateKey
) -> list[bytes]:
    """The records of a TLS 1.2 server: hello, certificates, key exchange, done."""
    hello = read_hello(sent)
    share = X25519PrivateKey.generate().public_key()
    params = b"\x03\x00\x1d" + vector(share.public_bytes(Encoding.Raw, PublicFormat.Raw), 1)
    signature = key.sign(hello.random + RANDOM + params, ec.ECDSA(hashes.SHA256()))
    messages = (
        server_hello(hello, 0xC02B, RENEGOTIATION_INFO),
        message(11, vector(b"".join(vector(der, 3) for der in chain), 3)),
        message(12, params + b"\x04\x03" + vector(signature, 2)),
        message(14, b""),
    )
    return [fragments(each) for each in messages]


def fragments(said: bytes) -> bytes:
    """A message in as many records as it takes."""
    return b"".join(
        record(HANDSHAKE, said[at : at + LARGEST]) for at in range(0, len(said), LARGEST)
    )


class Scripted13:
    """A TLS 1.3 server end; call `answer` with the ClientHello, then seal what it should say."""

    def __init__(self, chain: Sequence[bytes], key: ec.EllipticCurvePrivateKey) -> None:
        self.chain = chain
        self.key = key
        self._transcript = b""
        self._master = b""
        self._key = self._iv = self._secret = b""
        self._sealed = 0

    def flight(self, sent: bytes) -> list[bytes]:
        """The records of the whole flight: hello, extensions, certificates, verify, finished."""
        records = [self.greet(sent)]
        says = (self.extensions, self.certificates, self.verify, self.finished)
        records += [self.seal(HANDSHAKE, say()) for say in says]
        self.finish()
        return records

    def greet(self, sent: bytes) -> bytes:
        """The record of ServerHello; from here on `seal` encrypts for the handshake."""
        hello = read_hello(sent)
        shares = (hello.body(KEY_SHARE) or b"")[2:]
        at = shares.index(b"\x00\x1d\x00\x20") + 4
        private = X25519PrivateKey.generate()
        shared = private.exchange(X25519PublicKey.from_public_bytes(shares[at : at + 32]))
        mine = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        said = server_hello(
            hello,
            0x1301,
            b"\x00\x2b\x00\x02\x03\x04\x00\x33\x00\x24\x00\x1d" + vector(mine, 2),
        )
        self._transcript = sent[5:] + said
        early = _derive(_extract(ZEROS, ZEROS), b"derived", sha256().digest())
        handshake = _extract(early, shared)
        self._master = _extract(_derive(handshake, b"derived", sha256().digest()), ZEROS)
        self._switch(_derive(handshake, b"s hs traffic", self._hash()))
        return record(HANDSHAKE, said)

    def extensions(self) -> bytes:
        return self._note(message(8, vector(b"", 2)))

    def certificates(self) -> bytes:
        entries = b"".join(vector(der, 3) + vector(b"", 2) for der in self.chain)
        return self._note(message(11, b"\0" + vector(entries, 3)))

    def verify(self) -> bytes:
        context = b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + self._hash()
        signature = self.key.sign(context, ec.ECDSA(hashes.SHA256()))
        return self._note(message(15, b"\x04\x03" + vector(signature, 2)))

    def finished(self) -> bytes:
        key = _expand(self._secret, b"finished", b"", 32)
        return self._note(message(20, hmac.digest(key, self._hash(), "sha256")))

    def finish(self) -> None:
        """From here on `seal` encrypts application data, tickets and alerts after the handshake."""
        self._switch(_derive(self._master, b"s ap traffic", self._hash()))

    def seal(self, kind: int, payload: bytes) -> bytes:
        """Encrypted records, as many as it takes."""
        pieces = (payload[at : at + LARGEST] for at in range(0, len(payload), LARGEST))
        return b"".join(self._seal(kind, piece) for piece in pieces)

    def _seal(self, kind: int, payload: bytes) -> bytes:
        inner = payload + bytes([kind])
        head = bytes([DATA, 3, 3]) + (len(inner) + 16).to_bytes(2)
        nonce = int.from_bytes(self._iv) ^ self._sealed
        self._sealed += 1
        return head + AESGCM(self._key).encrypt(nonce.to_bytes(12), inner, head)

    def _note(self, said: bytes) -> bytes:
        self._transcript += said
        return said

    def _hash(self) -> bytes:
        return sha256(self._transcript).digest()

    def _switch(self, secret: bytes) -> None:
        self._secret, self._sealed = secret, 0
        self._key = _expand(secret, b"key", b"", 16)
        self._iv = _expand(secret, b"iv", b"", 12)


def _extract(salt: bytes, keying: bytes) -> bytes:
    return hmac.digest(salt, keying, "sha256")


def _expand(secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    info = length.to_bytes(2) + vector(b"tls13 " + label, 1) + vector(context, 1)
    return HKDFExpand(hashes.SHA256(), length, info).derive(secret)


def _derive(secret: bytes, label: bytes, transcript_hash: bytes) -> bytes:
    return _expand(secret, label, transcript_hash, 32)
