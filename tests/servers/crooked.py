"""Certificates that no library would issue, written octet by octet (RFC 5280, X.690)."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from math import prod
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

HOST = "hostile.test"
SEQUENCE, SET, OID, INTEGER, BOOLEAN, OCTETS, BITS = 0x30, 0x31, 6, 2, 1, 4, 3
UTF8, UTC_TIME, GENERALIZED_TIME, NULL = 12, 23, 24, 5
COMMON_NAME = bytes.fromhex("550403")
ECDSA_SHA256 = bytes.fromhex("2a8648ce3d040302")
RSA_ENCRYPTION = bytes.fromhex("2a864886f70d010101")
ALT_NAME, BASIC, PURPOSES = (bytes.fromhex(each) for each in ("551d11", "551d13", "551d25"))
SERVER_AUTH = bytes.fromhex("2b06010505070301")
UNKNOWN = bytes.fromhex("2a030405")
TEXTS = {
    "nul": b"good.test\0.evil.test",
    "newline": b"one\r\ntwo\n\n# three",
    "escape": b"\x1b[2J\x1b]0;owned\x07red",
    "bidi": "test\u202egnp.exe\u2066".encode(),
    "html": b"<script>alert(1)</script><img src=x onerror=alert(2)>",
    "sql": b"x'); DROP TABLE handshake; --",
    "formula": b"=cmd|' /C calc'!A0",
    "no-utf8": b"\xff\xfe\xc3\x28",
    "long": b"A" * 5000,
}
"""Names that try to harm programs that show, store or export them."""


def der(tag: int, *parts: bytes) -> bytes:
    """One element of DER."""
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + body


def moment(when: datetime) -> bytes:
    """A UTCTime."""
    return der(UTC_TIME, when.strftime("%y%m%d%H%M%SZ").encode())


def named(text: bytes) -> bytes:
    """A Name of one common name."""
    return der(SEQUENCE, der(SET, der(SEQUENCE, der(OID, COMMON_NAME), der(UTF8, text))))


def extension(kind: bytes, body: bytes) -> bytes:
    return der(SEQUENCE, der(OID, kind), der(OCTETS, body))


def integer(value: int) -> bytes:
    return der(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a certificate shall say; a case says only what is odd."""

    subject: bytes = HOST.encode()
    alternative: bytes = HOST.encode()
    """The one dNSName."""
    serial: bytes = b"\x11" * 8
    """Content octets of the INTEGER."""
    starts: bytes = field(default_factory=lambda: moment(_now() - timedelta(days=1)))
    ends: bytes = field(default_factory=lambda: moment(_now() + timedelta(days=30)))
    public: bytes | None = None
    """SubjectPublicKeyInfo; None: of the key it is issued for."""
    more: bytes = b""
    """Further extensions."""
    authority: bool = False


def certificate(
    wish: Wish,
    key: ec.EllipticCurvePrivateKey,
    issuer: bytes,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> bytes:
    """Issues a certificate as DER, signed ECDSA with SHA-256."""
    public = wish.public or key.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    basic = der(SEQUENCE, der(BOOLEAN, b"\xff")) if wish.authority else der(SEQUENCE)
    extensions = der(
        SEQUENCE,
        extension(ALT_NAME, der(SEQUENCE, der(0x82, wish.alternative))),
        extension(BASIC, basic),
        b"" if wish.authority else extension(PURPOSES, der(SEQUENCE, der(OID, SERVER_AUTH))),
        wish.more,
    )
    algorithm = der(SEQUENCE, der(OID, ECDSA_SHA256))
    signed = der(
        SEQUENCE,
        der(0xA0, integer(2)),
        der(INTEGER, wish.serial),
        algorithm,
        named(issuer),
        der(SEQUENCE, wish.starts, wish.ends),
        named(wish.subject),
        public,
        der(0xA3, extensions),
    )
    signature = issuer_key.sign(signed, ec.ECDSA(hashes.SHA256()))
    return der(SEQUENCE, signed, algorithm, der(BITS, b"\0", signature))


class House:
    """An authority, and one key for all its leaves."""

    def __init__(self, folder: Path) -> None:
        self.key, self._middle_key, self._root_key = (_curve_key() for _ in range(3))
        top, middle = (Wish(subject=name, authority=True) for name in (b"Root", b"Middle"))
        self.root = certificate(top, self._root_key, b"Root", self._root_key)
        self.middle = certificate(middle, self._middle_key, b"Root", self._root_key)
        self.good = self.chain()
        self.pem = folder / "good.pem"
        self.pem.write_bytes(b"".join(map(pem, self.good)) + _key_pem(self.key))

    def context(self) -> ssl.SSLContext:
        """A healthy server's."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.pem)
        return made

    def chain(self, wish: Wish | None = None) -> tuple[bytes, ...]:
        """A leaf below the intermediate."""
        return certificate(wish or Wish(), self.key, b"Middle", self._middle_key), self.middle

    def below(self, issuer: bytes) -> tuple[bytes, ...]:
        """A good leaf below an intermediate with a name of its own."""
        wish = Wish(subject=issuer, authority=True)
        middle = certificate(wish, self._middle_key, b"Root", self._root_key)
        return certificate(Wish(), self.key, issuer, self._middle_key), middle


def _curve_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem(certificate_der: bytes) -> bytes:
    return ssl.DER_cert_to_PEM_cert(certificate_der).encode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def rsa_public(modulus: int, exponent: int) -> bytes:
    """SubjectPublicKeyInfo of an RSA key, whatever its numbers."""
    algorithm = der(SEQUENCE, der(OID, RSA_ENCRYPTION), der(NULL))
    return der(
        SEQUENCE,
        algorithm,
        der(BITS, b"\0", der(SEQUENCE, integer(modulus), integer(exponent))),
    )


@dataclass(frozen=True, slots=True)
class Rsa:
    """An RSA key of any size and exponent, which really signs."""

    primes: tuple[int, ...]
    exponent: int

    @property
    def public(self) -> bytes:
        return rsa_public(prod(self.primes), self.exponent)

    def sign(self, said: bytes) -> bytes:
        """A PKCS #1 v1.5 signature with SHA-256 (RFC 8017 section 8.2)."""
        modulus = prod(self.primes)
        size = (modulus.bit_length() + 7) // 8
        info = bytes.fromhex("3031300d060960864801650304020105000420") + sha256(said).digest()
        block = int.from_bytes(b"\0\1" + b"\xff" * (size - len(info) - 3) + b"\0" + info)
        private = pow(self.exponent, -1, prod(prime - 1 for prime in self.primes))
        # Each prime on its own (Chinese remainders): 30 times as fast for a large key.
        parts = (
            pow(block, private % (p - 1), p) * pow(modulus // p, -1, p) * (modulus // p)
            for p in self.primes
        )
        return (sum(parts) % modulus).to_bytes(size)


@cache
def rsa_key(bits: int, exponent: int) -> Rsa:
    """A key of many primes of 512 bits: as good on the wire, and made in a second."""
    primes: list[int] = []
    while len(primes) < bits // 512:
        numbers = rsa.generate_private_key(65537, 1024).private_numbers()
        primes += [p for p in (numbers.p, numbers.q) if exponent == 1 or (p - 1) % exponent]
    return Rsa(tuple(primes[: bits // 512]), exponent)


Made = Callable[[House], Sequence[bytes]]

CHAINS: dict[str, Made] = {
    "one hundred certificates": lambda house: (house.good[0], *[house.middle] * 99),
    "one megabyte": lambda house: house.chain() * 1200,
    "no certificate": lambda _: (),
    "leaf cut short": lambda house: (house.good[0][:-40], house.middle),
    "leaf of zeros": lambda house: (bytes(300), house.middle),
    "empty leaf": lambda house: (b"", house.middle),
    "nested 2,000 deep": lambda house: (_nested(2000), house.middle),
    "extension twice": lambda house: house.chain(Wish(more=extension(BASIC, der(SEQUENCE)))),
    "giant extension": lambda house: house.chain(Wish(more=extension(UNKNOWN, bytes(60_000)))),
    "ten thousand names": lambda house: house.chain(
        Wish(more=extension(UNKNOWN, der(SEQUENCE, *[der(0x82, b"a.test")] * 5000)))
    ),
    "negative serial": lambda house: house.chain(Wish(serial=b"\x80\x01")),
    "huge serial": lambda house: house.chain(Wish(serial=b"\x7f" * 500)),
    "serial zero": lambda house: house.chain(Wish(serial=b"\0")),
    "year 9999": lambda house: house.chain(Wish(ends=der(GENERALIZED_TIME, b"99991231235959Z"))),
    "year 1950": lambda house: house.chain(
        Wish(starts=der(UTC_TIME, b"500101000000Z"), ends=der(UTC_TIME, b"510101000000Z"))
    ),
    "year 0": lambda house: house.chain(Wish(starts=der(GENERALIZED_TIME, b"00000101000000Z"))),
    "no time": lambda house: house.chain(Wish(ends=der(UTC_TIME, b"yesterday"))),
}
for _kind, _text in TEXTS.items():
    CHAINS[f"{_kind} in the subject"] = lambda house, text=_text: house.chain(  # type: ignore[misc]  # a default binds the text of this round
        Wish(subject=text)
    )
    CHAINS[f"{_kind} in the alternative name"] = lambda house, text=_text: house.chain(  # type: ignore[misc]  # the same
        Wish(alternative=text)
    )
    CHAINS[f"{_kind} in the issuer"] = lambda house, text=_text: house.below(text)  # type: ignore[misc]  # the same


def _nested(depth: int) -> bytes:
    inner = b""
    for _ in range(depth):
        inner = der(SEQUENCE, inner)
    return inner
