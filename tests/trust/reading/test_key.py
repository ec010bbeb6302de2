from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from stress.trust.reading.der import DerError, single
from stress.trust.reading.key import KeyKind, read_key, read_signing
from tests.trust.certificates import encode

KEYS = [
    (lambda: ec.generate_private_key(ec.SECP256R1()), "ECDSA P-256", KeyKind.EC, 256),
    (lambda: ec.generate_private_key(ec.SECP521R1()), "ECDSA P-521", KeyKind.EC, 521),
    (lambda: ec.generate_private_key(ec.SECP256K1()), "ECDSA secp256k1", KeyKind.EC, 256),
    (lambda: rsa.generate_private_key(65537, 1024), "RSA 1024", KeyKind.RSA, 1024),
    (ed25519.Ed25519PrivateKey.generate, "Ed25519", KeyKind.EDWARDS, 256),
    (ed448.Ed448PrivateKey.generate, "Ed448", KeyKind.EDWARDS, 456),
]


@pytest.mark.parametrize(("make", "text", "kind", "bits"), KEYS, ids=[one[1] for one in KEYS])
def test_keys_are_named_and_measured(make, text: str, kind: KeyKind, bits: int) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001  every key class has its own type
    spki = make().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    key = read_key(single(spki))

    assert (key.text, key.kind, key.bits) == (text, kind, bits)


def test_an_unknown_key_says_its_number() -> None:
    spki = encode(0x30, encode(0x30, encode(0x06, b"\x2a\x03")) + encode(0x03, b"\0x"))

    key = read_key(single(spki))

    assert key.text == "key type 1.2.3"
    assert key.kind is KeyKind.OTHER


@pytest.mark.parametrize(
    ("identifier", "text", "digest"),
    [
        ("06092a864886f70d0101050500", "RSA with SHA-1", "SHA-1"),
        ("06082a8648ce3d040303", "ECDSA with SHA-384", "SHA-384"),
        ("06032b6570", "Ed25519", ""),
        ("06092a864886f70d01010a", "RSA-PSS with SHA-1", "SHA-1"),
        (
            "06092a864886f70d01010a300fa00d300b0609608648016503040201",
            "RSA-PSS with SHA-256",
            "SHA-256",
        ),
        ("06022a03", "signature algorithm 1.2.3", ""),
    ],
)
def test_signature_algorithms_are_named(identifier: str, text: str, digest: str) -> None:
    signing = read_signing(single(encode(0x30, bytes.fromhex(identifier))))

    assert (signing.text, signing.digest) == (text, digest)


@pytest.mark.slow
@given(st.binary(max_size=60))
def test_any_bytes_are_a_key_or_a_der_error(body: bytes) -> None:
    for read in (read_key, read_signing):
        try:
            read(single(encode(0x30, body)))
        except DerError:
            continue
