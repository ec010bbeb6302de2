"""A leaf is what was wished for, and nothing else differs."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL

from stress.lab.certificates import LeafKeyType, LeafSpec, forged_key_pem, key_pem
from stress.lab.site import Site


def test_a_plain_wish_makes_ninety_days_that_began_yesterday(site: Site, now: datetime) -> None:
    leaf = site.leaf().certificate

    assert leaf.not_valid_before_utc == now - timedelta(days=1)
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=90)


@pytest.mark.parametrize(
    "wish",
    [
        LeafSpec(("a.test",)),
        LeafSpec(("a.test", "b.test"), LeafKeyType.RSA),
        LeafSpec(("a.test",), begins=timedelta(days=1), ends=timedelta(days=2)),
        LeafSpec(("<b>.test",), common_name="\x1b[2J", organization="\u202e"),
    ],
    ids=["plain", "rsa", "future", "hostile"],
)
def test_a_leaf_has_the_names_times_and_key_of_the_wish(
    site: Site, now: datetime, wish: LeafSpec
) -> None:
    leaf = site.leaf(wish)
    names = leaf.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    kind = rsa.RSAPublicKey if wish.key is LeafKeyType.RSA else ec.EllipticCurvePublicKey

    assert tuple(names.value.get_values_for_type(x509.DNSName)) == wish.names
    assert leaf.certificate.not_valid_before_utc == now + wish.begins
    assert leaf.certificate.not_valid_after_utc == now + wish.ends
    assert isinstance(leaf.certificate.public_key(), kind)
    assert leaf.full == (leaf.certificate, site.issuer.certificate)
    assert leaf.alone == (leaf.certificate,)


def test_a_written_key_is_the_leafs(site: Site) -> None:
    leaf = site.leaf()
    again = load_pem_private_key(key_pem(leaf.key), None)

    assert again.public_key() == leaf.certificate.public_key()


def test_a_forged_key_passes_as_the_leafs_with_openssl_only(site: Site) -> None:
    """Its public half is the leaf's, its secret is another: a library that multiplies sees it."""
    leaf = site.leaf()
    assert isinstance(leaf.key, ec.EllipticCurvePrivateKey)
    forged = forged_key_pem(leaf.key)
    shown = site.show("forged", leaf, key=forged)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_chain_file(shown.identity.files[0])
    context.use_privatekey_file(shown.identity.files[0])

    context.check_privatekey()
    with pytest.raises(ValueError, match="Invalid"):
        load_pem_private_key(forged, None)
