"""Makes certificates octet by octet, so that any part of one may be wrong.

The library's builder refuses most of what a broken certificate says. Here a certificate is a list
of parts, each given as DER; what is not given is what a good CA would write. Keys come from a pool
of fixed seeds (RSA keys are made anew: their octets decide nothing).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import (
    dsa,
    ec,
    ed448,
    ed25519,
    mldsa,
    padding,
    rsa,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

AT = 1_795_392_000
"""The moment of judgement: 2026-11-23T00:00:00Z."""
DAY = 86_400

_CURVES: dict[str, type[ec.EllipticCurve]] = {
    "p192": ec.SECP192R1,
    "p224": ec.SECP224R1,
    "p256": ec.SECP256R1,
    "p384": ec.SECP384R1,
    "p521": ec.SECP521R1,
    "k256": ec.SECP256K1,
    "brainpool": ec.BrainpoolP256R1,
}


# DER


def tlv(tag: int, *bodies: bytes) -> bytes:
    """One element."""
    body = b"".join(bodies)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    octets = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


def seq(*bodies: bytes) -> bytes:
    """A SEQUENCE."""
    return tlv(0x30, *bodies)


def oid(text: str) -> bytes:
    """An OBJECT IDENTIFIER."""
    first, second, *arcs = map(int, text.split("."))
    octets = b""
    for arc in (40 * first + second, *arcs):
        piece = bytes([arc & 0x7F])
        while arc := arc >> 7:
            piece = bytes([0x80 | arc & 0x7F]) + piece
        octets += piece
    return tlv(0x06, octets)


def integer(value: int) -> bytes:
    """An INTEGER."""
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def bit_string(octets: bytes, unused: int = 0) -> bytes:
    """A BIT STRING."""
    return tlv(0x03, bytes([unused]), octets)


def moment(seconds: int) -> bytes:
    """A time as RFC 5280 wants it: UTCTime until 2049."""
    parts = time.gmtime(seconds)
    if 1950 <= parts.tm_year < 2050:
        return tlv(0x17, time.strftime("%y%m%d%H%M%SZ", parts).encode())
    return tlv(0x18, time.strftime("%Y%m%d%H%M%SZ", parts).encode())


def name(common: str = "", organization: str = "", tag: int = 0x0C) -> bytes:
    """A distinguished name; without arguments an empty one."""
    rdns = b""
    for kind, value in (("2.5.4.10", organization), ("2.5.4.3", common)):
        if value:
            codec = {0x1E: "utf-16-be", 0x1C: "utf-32-be", 0x14: "latin-1"}.get(tag, "utf-8")
            rdns += tlv(0x31, seq(oid(kind), tlv(tag, value.encode(codec))))
    return seq(rdns)


_MARK = ContextVar("_MARK", default="")


@contextmanager
def marked(text: str) -> Iterator[None]:
    """Certificates issued meanwhile have this text at the end of each name that is not empty.

    So those of one chain differ from those of every other, for clients that remember certificates
    or trust the roots of all chains at once.
    """
    token = _MARK.set(text)
    try:
        yield
    finally:
        _MARK.reset(token)


def _with_mark(der: bytes) -> bytes:
    """A distinguished name with the mark."""
    mark = _MARK.get()
    if not mark or len(der) == 2:
        return der
    rdns = der[2:] if der[1] < 0x80 else der[2 + (der[1] & 0x7F) :]
    return seq(rdns, tlv(0x31, seq(oid("2.5.4.11"), tlv(0x0C, mark.encode()))))


# Keys


@dataclass(frozen=True)
class Key:
    """A key pair of one kind and number."""

    kind: str
    private: object
    spki: bytes

    @property
    def identifier(self) -> bytes:
        """As in a subjectKeyIdentifier."""
        return hashlib.sha1(self.spki).digest()

    def sign(self, data: bytes, algorithm: str) -> bytes:
        """A signature by an algorithm of `ALGORITHMS`."""
        own, digest = self.private, algorithm.rpartition("-")[2]
        if isinstance(own, rsa.RSAPrivateKey) and algorithm.startswith("pss"):
            kind = _DIGESTS[digest]
            salt = int(algorithm.partition("-")[0][3:] or kind.digest_size)
            return own.sign(data, padding.PSS(padding.MGF1(kind), salt), kind)
        if isinstance(own, rsa.RSAPrivateKey) and digest == "md5":
            return _with_md5(own, data)
        if isinstance(own, rsa.RSAPrivateKey):
            return own.sign(data, padding.PKCS1v15(), _DIGESTS[digest])
        if isinstance(own, ec.EllipticCurvePrivateKey):
            return own.sign(data, ec.ECDSA(_DIGESTS[digest], deterministic_signing=True))
        if isinstance(own, dsa.DSAPrivateKey):
            return own.sign(data, hashes.SHA256())
        return bytes(own.sign(data))  # type: ignore[attr-defined]  # Edwards and ML-DSA alike

    @property
    def pkcs8(self) -> bytes:
        """The private key."""
        made = self.private.private_bytes(  # type: ignore[attr-defined]  # of any kind
            Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
        )
        assert isinstance(made, bytes)
        return made

    @property
    def algorithm(self) -> str:
        """What a good CA signs with."""
        if self.kind.startswith("rsa"):
            return "rsa-sha256"
        if self.kind in _CURVES or self.kind == "explicit":
            return {"p384": "ecdsa-sha384", "p521": "ecdsa-sha512"}.get(self.kind, "ecdsa-sha256")
        return "dsa-sha256" if self.kind == "dsa" else self.kind


_DIGESTS = {
    "sha1": hashes.SHA1(),
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


def _with_md5(key: rsa.RSAPrivateKey, data: bytes) -> bytes:
    """RSASSA-PKCS1-v1_5 by hand: the library no longer signs with MD5."""
    numbers = key.private_numbers()
    size = (numbers.public_numbers.n.bit_length() + 7) // 8
    tail = bytes.fromhex("3020300c06082a864886f70d020505000410") + hashlib.md5(data).digest()
    padded = b"\0\1" + b"\xff" * (size - 3 - len(tail)) + b"\0" + tail
    signed = pow(int.from_bytes(padded, "big"), numbers.d, numbers.public_numbers.n)
    return signed.to_bytes(size, "big")


def _null(identifier: str) -> bytes:
    return seq(oid(identifier), b"\x05\x00")


def _pss(digest: str, salt: int) -> bytes:
    kind = _null(digest)
    mask = seq(oid("1.2.840.113549.1.1.8"), kind)
    return seq(
        oid("1.2.840.113549.1.1.10"),
        seq(tlv(0xA0, kind), tlv(0xA1, mask), tlv(0xA2, integer(salt))),
    )


ALGORITHMS = {
    "rsa-md5": _null("1.2.840.113549.1.1.4"),
    "rsa-sha1": _null("1.2.840.113549.1.1.5"),
    "rsa-sha224": _null("1.2.840.113549.1.1.14"),
    "rsa-sha256": _null("1.2.840.113549.1.1.11"),
    "rsa-sha384": _null("1.2.840.113549.1.1.12"),
    "rsa-sha512": _null("1.2.840.113549.1.1.13"),
    "pss-sha256": _pss("2.16.840.1.101.3.4.2.1", 32),
    "pss-sha384": _pss("2.16.840.1.101.3.4.2.2", 48),
    "pss20-sha256": _pss("2.16.840.1.101.3.4.2.1", 20),
    "pss222-sha256": _pss("2.16.840.1.101.3.4.2.1", 222),
    "ecdsa-sha1": seq(oid("1.2.840.10045.4.1")),
    "ecdsa-sha224": seq(oid("1.2.840.10045.4.3.1")),
    "ecdsa-sha256": seq(oid("1.2.840.10045.4.3.2")),
    "ecdsa-sha384": seq(oid("1.2.840.10045.4.3.3")),
    "ecdsa-sha512": seq(oid("1.2.840.10045.4.3.4")),
    "dsa-sha256": seq(oid("2.16.840.1.101.3.4.3.2")),
    "ed25519": seq(oid("1.3.101.112")),
    "ed448": seq(oid("1.3.101.113")),
    "mldsa44": seq(oid("2.16.840.1.101.3.4.3.17")),
    "mldsa65": seq(oid("2.16.840.1.101.3.4.3.18")),
}


@cache
def key(kind: str = "p256", number: int = 0) -> Key:
    """The key of this kind and number, always the same one in one process."""
    private: Any
    seed = hashlib.sha256(f"{kind} {number}".encode()).digest()
    if kind in _CURVES or kind == "explicit":
        curve = _CURVES.get(kind, ec.SECP256R1)()
        private = ec.derive_private_key(int.from_bytes(seed[:20], "big") + 1, curve)
    elif kind.startswith("rsa"):
        private = rsa.generate_private_key(65537, int(kind[3:]))
    elif kind == "dsa":
        private = dsa.generate_private_key(2048)
    elif kind == "ed25519":
        private = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    elif kind == "ed448":
        private = ed448.Ed448PrivateKey.from_private_bytes((seed * 2)[:57])
    else:
        private = {
            "mldsa44": mldsa.MLDSA44PrivateKey.from_seed_bytes,
            "mldsa65": mldsa.MLDSA65PrivateKey.from_seed_bytes,
        }[kind](seed)
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Key(kind, private, _explicit(spki) if kind == "explicit" else spki)


def _explicit(spki: bytes) -> bytes:
    """A P-256 key whose curve is written out instead of named."""
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    x = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
    y = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5
    parameters = seq(
        integer(1),
        seq(oid("1.2.840.10045.1.1"), integer(prime)),
        seq(tlv(4, (prime - 3).to_bytes(32, "big")), tlv(4, b.to_bytes(32, "big"))),
        tlv(4, b"\4" + x.to_bytes(32, "big") + y.to_bytes(32, "big")),
        integer(order),
        integer(1),
    )
    return seq(seq(oid("1.2.840.10045.2.1"), parameters), bit_string(spki[-65:]))


# Extensions

OIDS = {
    "ski": "2.5.29.14",
    "usage": "2.5.29.15",
    "san": "2.5.29.17",
    "issuer-san": "2.5.29.18",
    "basic": "2.5.29.19",
    "constraints": "2.5.29.30",
    "crl": "2.5.29.31",
    "policies": "2.5.29.32",
    "mappings": "2.5.29.33",
    "aki": "2.5.29.35",
    "policy-constraints": "2.5.29.36",
    "purposes": "2.5.29.37",
    "freshest": "2.5.29.46",
    "any-policy": "2.5.29.54",
    "aia": "1.3.6.1.5.5.7.1.1",
    "feature": "1.3.6.1.5.5.7.1.24",
    "unknown": "1.2.3.4.5",
    "poison": "1.3.6.1.4.1.11129.2.4.3",
    "scts": "1.3.6.1.4.1.11129.2.4.2",
}
SERVER, CLIENT, ANY = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "2.5.29.37.0"
_USAGES = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)


def basic(*, ca: bool, path_length: int | None = None) -> bytes:
    """A basicConstraints."""
    length = b"" if path_length is None else integer(path_length)
    return seq(b"\x01\x01\xff" if ca else b"", length)


def usage(*names: str) -> bytes:
    """A keyUsage."""
    places = [_USAGES.index(one) for one in names]
    if not places:
        return bit_string(b"")
    value = sum(1 << 15 - place for place in places)
    octets = value.to_bytes(2, "big")
    octets = octets if max(places) > 7 else octets[:1]
    low = octets[-1]
    return bit_string(octets, (low & -low).bit_length() - 1)


def purposes(*identifiers: str) -> bytes:
    """An extendedKeyUsage."""
    return seq(*map(oid, identifiers))


def dns(text: str | bytes) -> bytes:
    """A dNSName."""
    return tlv(0x82, text.encode() if isinstance(text, str) else text)


def address(octets: bytes) -> bytes:
    """An iPAddress, or with a mask behind it a subtree of them."""
    return tlv(0x87, octets)


def mail(text: str) -> bytes:
    """An rfc822Name."""
    return tlv(0x81, text.encode())


def uri(text: str) -> bytes:
    """A uniformResourceIdentifier."""
    return tlv(0x86, text.encode())


def directory(of: bytes) -> bytes:
    """A directoryName."""
    return tlv(0xA4, of)


def constraints(permitted: list[bytes], excluded: list[bytes]) -> bytes:
    """A nameConstraints of these general names."""
    body = b""
    if permitted:
        body += tlv(0xA0, *map(seq, permitted))
    if excluded:
        body += tlv(0xA1, *map(seq, excluded))
    return seq(body)


@dataclass
class Extension:
    """One extension; `oid` is a key of `OIDS` or an identifier itself."""

    oid: str
    value: bytes
    critical: bool = False

    @property
    def der(self) -> bytes:
        identifier = oid(OIDS.get(self.oid, self.oid))
        return seq(identifier, b"\x01\x01\xff" if self.critical else b"", tlv(4, self.value))


# Certificates


@dataclass
class Spec:
    """What a certificate shall say. Everything may be changed until it is issued."""

    subject: bytes
    key: Key
    extensions: list[Extension] = field(default_factory=list)
    starts: int = AT - 30 * DAY
    ends: int = AT + 60 * DAY
    version: int | None = 2
    """As encoded: 2 is version 3; None: left out."""
    serial: bytes | None = None
    """None: one of its own (NSS refuses two certificates of one issuer and number)."""
    issuer: bytes | None = None
    """Another issuer's name than that of the signer."""
    key_id: bool = True
    """With subjectKeyIdentifier."""
    issuer_id: bool | bytes = True
    """With authorityKeyIdentifier (bytes: its whole value)."""
    algorithm: str = ""
    inner: bytes = b""
    """Another algorithm inside than outside."""
    outer: bytes = b""
    validity: bytes = b""
    spki: bytes = b""
    spoilt: bool = False
    """The signature is wrong."""
    twice: str = ""
    """This extension appears twice."""
    raw_extensions: bytes = b""
    """Further extensions, as they are."""
    fields: bytes = b""
    """Further fields in front of the extensions."""
    signature: bytes | None = None
    """Octets instead of the signature."""

    def change(self, kind: str, value: bytes | None, *, critical: bool | None = None) -> None:
        """Adds, replaces or (None) removes an extension."""
        old = self.get(kind)
        if value is None:
            self.extensions = [one for one in self.extensions if one.oid != kind]
        elif old is None:
            self.extensions.append(Extension(kind, value, bool(critical)))
        else:
            old.value = value
            old.critical = old.critical if critical is None else critical

    def get(self, kind: str) -> Extension | None:
        """Its extension of this kind."""
        return next((one for one in self.extensions if one.oid == kind), None)

    def _own_serial(self, signer: Spec) -> bytes:
        told = _with_mark(signer.subject) + _with_mark(self.subject) + self.key.spki
        return b"\x4d" + hashlib.sha256(told).digest()[:7]

    def issue(self, signer: Spec) -> bytes:
        """The certificate, signed by that one (which may be itself)."""
        extensions = list(self.extensions)
        if self.key_id and not self.get("ski"):
            extensions.append(Extension("ski", tlv(4, self.key.identifier)))
        if self.issuer_id and not self.get("aki"):
            own = seq(tlv(0x80, signer.key.identifier))
            value = self.issuer_id if isinstance(self.issuer_id, bytes) else own
            extensions.append(Extension("aki", value))
        extensions += [one for one in extensions if one.oid == self.twice]
        listed = [*(one.der for one in extensions), self.raw_extensions]
        algorithm = self.algorithm or signer.key.algorithm
        if algorithm.startswith("rsa") and not signer.key.kind.startswith("rsa"):
            algorithm = "ecdsa-sha1"  # weak, too
        name_of_algorithm = ALGORITHMS[algorithm]
        signed = seq(
            b"" if self.version is None else tlv(0xA0, integer(self.version)),
            tlv(2, self._own_serial(signer) if self.serial is None else self.serial),
            self.inner or name_of_algorithm,
            _with_mark(signer.subject if self.issuer is None else self.issuer),
            self.validity or seq(moment(self.starts), moment(self.ends)),
            _with_mark(self.subject),
            self.spki or self.key.spki,
            self.fields,
            tlv(0xA3, seq(*listed)) if any(listed) else b"",
        )
        signature = signer.key.sign(signed, algorithm)
        signature = signature if self.signature is None else self.signature
        if self.spoilt:
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        return seq(signed, self.outer or name_of_algorithm, bit_string(signature))


def authority(common: str, own: Key, *, path_length: int | None = None) -> Spec:
    """A good CA."""
    return Spec(
        name(common),
        own,
        [
            Extension("basic", basic(ca=True, path_length=path_length), critical=True),
            Extension("usage", usage("keyCertSign", "cRLSign"), critical=True),
        ],
        starts=AT - 300 * DAY,
        ends=AT + 3000 * DAY,
    )


def server(host: str, own: Key) -> Spec:
    """A good server certificate."""
    return Spec(
        name(host),
        own,
        [
            Extension("basic", basic(ca=False), critical=True),
            Extension("usage", usage("digitalSignature"), critical=True),
            Extension("purposes", purposes(SERVER)),
            Extension("san", seq(dns(host))),
        ],
    )
