"""A chain is named by its certificates in the order sent."""

from __future__ import annotations

from hashlib import sha256

import pytest

from stress.model.chain import Chain, chain_hash

LEAF, ISSUER = b"leaf", b"issuer"


@pytest.mark.parametrize(
    ("certificates", "hashed"),
    [
        ((LEAF, ISSUER), b"leafissuer"),
        ((ISSUER, LEAF), b"issuerleaf"),
        ((LEAF,), b"leaf"),
        ((), b""),
    ],
)
def test_the_name_is_the_hash_over_all_certificates_in_order(
    certificates: tuple[bytes, ...], hashed: bytes
) -> None:
    assert Chain(certificates).sha256 == sha256(hashed).digest()
    assert chain_hash(certificates) == Chain(certificates).sha256


def test_a_leaf_alone_is_another_chain_than_with_its_intermediate() -> None:
    assert Chain((LEAF,)) != Chain((LEAF, ISSUER))
    assert Chain((LEAF,)).sha256 != Chain((LEAF, ISSUER)).sha256
