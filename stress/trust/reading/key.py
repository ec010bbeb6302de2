"""Names public keys and signature algorithms by their identifiers, and measures the keys."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from stress.trust.reading.der import (
    BIT_STRING,
    INTEGER,
    OID,
    SEQUENCE,
    DerError,
    Element,
    bits,
    elements,
    first,
    integer,
    oid,
    single,
    tables,
)


class KeyKind(StrEnum):
    """The families of public keys."""

    RSA = "RSA"
    EC = "EC"
    EDWARDS = "Edwards"
    DSA = "DSA"
    ML_DSA = "ML-DSA"
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
    """Name of the curve, `explicit` if it is written out; of a key that is its own algorithm that
    name; else empty."""


@dataclass(frozen=True, slots=True)
class Signing:
    """A signature algorithm."""

    text: str = "unreadable signature algorithm"
    """Such as `ECDSA with SHA-256`."""
    scheme: str = ""
    """`RSA`, `RSA-PSS`, `ECDSA`, `DSA`, `Ed25519`, `ML-DSA-44` …; empty: unknown to us."""
    digest: str = ""
    """`SHA-256` …; empty: it has none (EdDSA) or is unknown."""
    mask: str = ""
    """RSA-PSS: the digest of its mask."""
    salt: int = 0
    """RSA-PSS: octets of its salt."""


_EC, _DSA = "1.2.840.10045.2.1", "1.2.840.10040.4.1"
_RSA_KEYS = {"1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10"}
_PSS = "1.2.840.113549.1.1.10"


def read_key(spki: Element) -> Key:
    """The key in a SubjectPublicKeyInfo.

    Raises:
        DerError: the bytes are something else.
    """
    parts = spki.expect(SEQUENCE).children()
    algorithm = parts[0].expect(SEQUENCE).children() if len(parts) == 2 else []
    if not algorithm:
        raise DerError("a public key without an algorithm")
    identifier, key = oid(algorithm[0].expect(OID).body), bits(parts[1].expect(BIT_STRING).body)
    if identifier in _RSA_KEYS:
        numbers = next(elements(key), single(b"\x30\0")).expect(SEQUENCE).children()
        if len(numbers) < 2:
            raise DerError("an RSA key without an exponent")
        modulus = integer(numbers[0].expect(INTEGER).body)
        return Key(f"RSA {modulus.bit_length()}", KeyKind.RSA, modulus.bit_length())
    if identifier in tables().own_algorithms:
        name, size = tables().own_algorithms[identifier]
        kind = KeyKind.ML_DSA if name.startswith("ML") else KeyKind.EDWARDS
        return Key(name, kind, size, name)
    if identifier == _DSA:
        return Key("DSA", KeyKind.DSA)
    if identifier != _EC:
        return Key(f"key type {identifier}")
    if len(algorithm) < 2 or algorithm[1].tag != OID:
        return Key("ECDSA with explicit parameters", KeyKind.EC, curve="explicit")
    curve = oid(algorithm[1].body)
    name, size = tables().curves.get(curve, (f"curve {curve}", 0))
    return Key(f"ECDSA {name}", KeyKind.EC, size, name)


def key_problems(spki: Element) -> tuple[str, ...]:
    """What is odd about a key that can be read, with the name of the part in front."""
    kind = read_key(spki)
    algorithm, key = spki.children()[:2]
    octets = bits(key.body)
    if kind.kind is KeyKind.RSA:
        exponent = integer(first(octets).children()[1].body)
        small = ("RSA exponent: smaller than 3",) if exponent < 3 else ()
        return small + (("RSA key end: octets behind it",) if first(octets).raw != octets else ())
    if kind.kind is KeyKind.EC and len(algorithm.children()) < 2:
        return ("EC curve: none",)
    size = 1 + 2 * ((kind.bits + 7) // 8)
    if kind.kind is KeyKind.EC and kind.bits and (octets[:1] != b"\4" or len(octets) != size):
        return (f"EC point: {len(octets)} octets",)
    return ()


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
        return _read_pss(parts[1] if len(parts) > 1 else None)
    if name not in tables().signatures:
        return Signing(f"signature algorithm {name}")
    scheme, digest = tables().signatures[name]
    return Signing(f"{scheme} with {digest}" if digest else scheme, scheme, digest)


_PSS_SALTS = {"SHA-256": 32, "SHA-384": 48, "SHA-512": 64}
"""Digests of RSA-PSS, and the salts that all clients know with them."""
_USUAL_PSS_OCTETS = 54
"""Of parameters with NULL behind each digest and without a trailer."""


def _read_pss(parameters: Element | None) -> Signing:
    """RSASSA-PSS-params, with the defaults of RFC 4055 section 3.1.

    The scheme is `RSA-PSS` for the parameters that every client knows, octet by octet; `RSA-PSS in
    another form` for the same ones otherwise encoded; `RSA-PSS otherwise` for others.
    """

    def digest_of(algorithm: Element) -> str:
        return tables().digests.get(oid(algorithm.first(OID).body), "unknown digest")

    own = parameters is not None and parameters.tag == SEQUENCE
    parts = {part.tag: single(part.body) for part in parameters.children()} if own else {}  # type: ignore[union-attr]  # it is there
    digest = digest_of(parts[0xA0]) if 0xA0 in parts else "SHA-1"
    masks = parts[0xA1].children()[1:] if 0xA1 in parts else []
    mask = digest_of(masks[0]) if masks else "SHA-1"
    salt = integer(parts[0xA2].expect(INTEGER).body) if 0xA2 in parts else 20
    usual = mask == digest and _PSS_SALTS.get(digest) == salt
    usual &= 0xA3 not in parts or integer(parts[0xA3].expect(INTEGER).body) == 1
    scheme = "RSA-PSS in another form" if usual else "RSA-PSS otherwise"
    if usual and parameters is not None and len(parameters.raw) == _USUAL_PSS_OCTETS:
        scheme = "RSA-PSS"
    return Signing(f"RSA-PSS with {digest}", scheme, digest, mask, salt)


@lru_cache(maxsize=512)
def is_point(spki: bytes) -> bool:
    """Whether a key on a curve is a point of it, as far as our library knows the curve."""
    if spki.endswith(b"\3\2\0\0"):
        return True  # the point at infinity
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  slow import
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415

    try:
        load_der_public_key(spki)
    except UnsupportedAlgorithm:
        pass  # our library does not know the curve; clients may
    except ValueError:
        return False
    return True
