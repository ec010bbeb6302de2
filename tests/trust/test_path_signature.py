from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from stress.trust.path import Signature, check
from stress.trust.reading.certificate import CertificateFacts, describe
from stress.trust.reading.key import Signing
from tests.trust.certificates import authorities, leaf, rsa_key
from tests.trust.defects import under_rsa

TEXT = b"what is signed"


def signed(scheme: str, digest: str, signature: bytes) -> CertificateFacts:
    return replace(
        describe(leaf().der),
        signing=Signing(scheme, scheme, digest),
        signed_part=TEXT,
        signature_value=signature,
    )


def keyed(spki: bytes) -> CertificateFacts:
    return replace(describe(leaf().der), spki=spki, sha256=sha256(spki).digest())


def test_a_genuine_signature_is_good_and_another_key_is_bad() -> None:
    a = authorities()
    child = describe(leaf().der)

    assert check(child, describe(a.intermediate.der)) is Signature.GOOD
    assert check(child, describe(a.other_intermediate.der)) is Signature.BAD
    assert check(child, describe(a.rsa_root.der)) is Signature.BAD


def test_a_weak_but_genuine_signature_is_good() -> None:
    """The library's X.509 layer refuses SHA-1; a policy must be able to say why."""
    child, issuer = map(describe, under_rsa(sha1=True))

    assert child.signature == "RSA with SHA-1"
    assert check(child, issuer) is Signature.GOOD


def test_rsa_pss_and_edwards_are_checked() -> None:
    key = rsa_key("pss")
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    rsa_spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    edwards = ed25519.Ed25519PrivateKey.generate()
    raw = edwards.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    by_pss = signed("RSA-PSS", "SHA-256", key.sign(TEXT, pss, hashes.SHA256()))
    by_edwards = signed("Ed25519", "", edwards.sign(TEXT))

    assert check(by_pss, keyed(rsa_spki)) is Signature.GOOD
    assert check(by_edwards, keyed(raw)) is Signature.GOOD
    assert check(by_pss, keyed(raw)) is Signature.BAD


@pytest.mark.parametrize(
    ("scheme", "digest", "spki"),
    [("", "", None), ("RSA", "MD2", "rsa"), ("ECDSA", "SHA-256", b"no key")],
)
def test_what_the_library_cannot_know_is_unchecked(
    scheme: str, digest: str, spki: bytes | str | None
) -> None:
    a = authorities()
    issuer = describe(a.rsa_root.der if spki == "rsa" else a.root.der)
    if isinstance(spki, bytes):
        issuer = keyed(spki)

    assert check(signed(scheme, digest, b"x" * 64), issuer) is Signature.UNCHECKED
