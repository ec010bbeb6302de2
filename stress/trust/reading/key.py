"""Names public keys and signature algorithms by their identifiers, and measures the keys."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stress.trust.reading.der import (
    BIT_STRING,
    INTEGER,
    OID,
    SEQUENCE,
    DerError,
    Element,
    bits,
    integer,
    oid,
    single,
)


class KeyKind(StrEnum):
    """The families of public keys."""

    RSA = "RSA"
    EC = "EC"
    EDWARDS = "Edwards"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Key:
    """A public key's kind and strength."""

    text: str = "unreadable key"
    """Such as `ECDSA P-256`, `RSA 2048`."""
    kind: KeyKind = KeyKind.OTHER
    bits: int = 0
    """Modulus or curve size; 0: unknown."""
    curve: str = ""
    """Name of the curve; empty if it has none or is unknown."""


@dataclass(frozen=True, slots=True)
class Signing:
    """A signature algorithm."""

    text: str = "unreadable signature algorithm"
    """Such as `ECDSA with SHA-256`."""
    scheme: str = ""
    """`RSA`, `RSA-PSS`, `ECDSA`, `Ed25519`, `Ed448`; empty: unknown to us."""
    digest: str = ""
    """`SHA-256` …; empty: it has none (EdDSA) or is unknown."""


_CURVES = {
    "1.2.840.10045.3.1.1": ("P-192", 192),
    "1.3.132.0.33": ("P-224", 224),
    "1.2.840.10045.3.1.7": ("P-256", 256),
    "1.3.132.0.34": ("P-384", 384),
    "1.3.132.0.35": ("P-521", 521),
    "1.3.132.0.10": ("secp256k1", 256),
    "1.3.36.3.3.2.8.1.1.7": ("brainpoolP256r1", 256),
    "1.3.36.3.3.2.8.1.1.11": ("brainpoolP384r1", 384),
    "1.3.36.3.3.2.8.1.1.13": ("brainpoolP512r1", 512),
}

_EDWARDS = {"1.3.101.112": ("Ed25519", 256), "1.3.101.113": ("Ed448", 456)}
_EC = "1.2.840.10045.2.1"
_RSA_KEYS = {"1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10"}

_SIGNING = {
    "1.2.840.113549.1.1.2": ("RSA", "MD2"),
    "1.2.840.113549.1.1.3": ("RSA", "MD4"),
    "1.2.840.113549.1.1.4": ("RSA", "MD5"),
    "1.2.840.113549.1.1.5": ("RSA", "SHA-1"),
    "1.3.14.3.2.29": ("RSA", "SHA-1"),
    "1.2.840.113549.1.1.14": ("RSA", "SHA-224"),
    "1.2.840.113549.1.1.11": ("RSA", "SHA-256"),
    "1.2.840.113549.1.1.12": ("RSA", "SHA-384"),
    "1.2.840.113549.1.1.13": ("RSA", "SHA-512"),
    "1.2.840.10045.4.1": ("ECDSA", "SHA-1"),
    "1.2.840.10045.4.3.1": ("ECDSA", "SHA-224"),
    "1.2.840.10045.4.3.2": ("ECDSA", "SHA-256"),
    "1.2.840.10045.4.3.3": ("ECDSA", "SHA-384"),
    "1.2.840.10045.4.3.4": ("ECDSA", "SHA-512"),
    "1.3.101.112": ("Ed25519", ""),
    "1.3.101.113": ("Ed448", ""),
}

_PSS = "1.2.840.113549.1.1.10"

_DIGESTS = {
    "1.3.14.3.2.26": "SHA-1",
    "2.16.840.1.101.3.4.2.4": "SHA-224",
    "2.16.840.1.101.3.4.2.1": "SHA-256",
    "2.16.840.1.101.3.4.2.2": "SHA-384",
    "2.16.840.1.101.3.4.2.3": "SHA-512",
}


def read_key(spki: Element) -> Key:
    """The key in a SubjectPublicKeyInfo.

    Raises:
        DerError: the bytes are something else.
    """
    parts = spki.expect(SEQUENCE).children()
    algorithm = parts[0].expect(SEQUENCE).children() if len(parts) == 2 else []
    if not algorithm:
        raise DerError("a public key without an algorithm")
    identifier = oid(algorithm[0].expect(OID).body)
    if identifier in _RSA_KEYS:
        key = bits(parts[1].expect(BIT_STRING).body)
        modulus = integer(single(key).expect(SEQUENCE).first(INTEGER).body)
        return Key(f"RSA {modulus.bit_length()}", KeyKind.RSA, modulus.bit_length())
    if identifier in _EDWARDS:
        name, size = _EDWARDS[identifier]
        return Key(name, KeyKind.EDWARDS, size, name)
    if identifier != _EC:
        return Key(f"key type {identifier}")
    if len(algorithm) < 2 or algorithm[1].tag != OID:
        return Key("ECDSA with explicit parameters", KeyKind.EC)
    curve = oid(algorithm[1].body)
    name, size = _CURVES.get(curve, (f"curve {curve}", 0))
    return Key(f"ECDSA {name}", KeyKind.EC, size, name)


def read_signing(identifier: Element) -> Signing:
    """The signature algorithm in an AlgorithmIdentifier.

    Raises:
        DerError: the bytes are something else.
    """
    parts = identifier.expect(SEQUENCE).children()
    if not parts:
        raise DerError("an algorithm without an identifier")
    name = oid(parts[0].expect(OID).body)
    if name == _PSS:
        # The digest in RSASSA-PSS-params; SHA-1 is its default (RFC 4055 section 3.1).
        digest = "SHA-1"
        for part in parts[1].children() if len(parts) > 1 else []:
            if part.tag == 0xA0:
                digest = _DIGESTS.get(oid(single(part.body).first(OID).body), "unknown digest")
                break
        return Signing(f"RSA-PSS with {digest}", "RSA-PSS", digest)
    if name not in _SIGNING:
        return Signing(f"signature algorithm {name}")
    scheme, digest = _SIGNING[name]
    return Signing(f"{scheme} with {digest}" if digest else scheme, scheme, digest)
