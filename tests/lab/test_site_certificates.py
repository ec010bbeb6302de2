"""The certificates are ones that strict verifiers accept."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store
from OpenSSL import SSL

from stress.lab.site import Authority, LeafKeyType, LeafSpec, Site, forged_key_pem, issue, key_pem


@pytest.fixture(scope="module")
def moment() -> datetime:
    return datetime.fromisoformat("2026-10-01T12:00:00+00:00")


@pytest.mark.parametrize("key", LeafKeyType)
def test_a_verifier_of_the_web_pki_accepts_a_chain(moment: datetime, key: LeafKeyType) -> None:
    authority = Authority.make(moment)
    issuer = authority.intermediate("R1", moment)
    leaf = issue(issuer, LeafSpec(("www.lab.test",), key), moment)
    store = Store([authority.certificate])
    verifier = (
        PolicyBuilder()
        .store(store)
        .time(moment)
        .build_server_verifier(x509.DNSName("www.lab.test"))
    )
    found = verifier.verify(leaf.certificate, [issuer.certificate])

    assert [certificate.subject for certificate in found] == [
        leaf.certificate.subject,
        issuer.certificate.subject,
        authority.certificate.subject,
    ]


def test_each_certificate_names_its_issuer_by_key_and_by_url(moment: datetime) -> None:
    authority = Authority.make(moment)
    issuer = authority.intermediate("R1", moment)
    leaf = issue(issuer, LeafSpec(("www.lab.test",)), moment)
    for child, parent in ((leaf.certificate, issuer), (issuer.certificate, authority)):
        key = child.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        own = parent.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        access = child.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value

        assert key.key_identifier == own.value.digest
        assert [one.access_location.value for one in access] == [parent.url]
        assert parent.url.startswith("http://aia.lab.test/")


def test_the_root_is_no_part_of_what_servers_send(moment: datetime) -> None:
    authority = Authority.make(moment)
    issuer = authority.intermediate("R1", moment)

    assert authority.path == ()
    assert issuer.path == (issuer.certificate,)
    assert x509.load_pem_x509_certificate(authority.pem) == authority.certificate


def test_a_plain_spec_makes_ninety_days_that_began_yesterday(site: Site, now: datetime) -> None:
    leaf = site.leaf.certificate

    assert leaf.not_valid_before_utc == now - timedelta(days=1)
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=90)


@pytest.mark.parametrize(
    "spec",
    [
        LeafSpec(("a.test",)),
        LeafSpec(("a.test", "b.test"), LeafKeyType.RSA),
        LeafSpec(("a.test",), begins=timedelta(days=1), ends=timedelta(days=2)),
        LeafSpec(("<b>.test",), common_name="\x1b[2J", organization="\u202e"),
    ],
    ids=["plain", "rsa", "future", "hostile"],
)
def test_a_leaf_has_the_names_times_and_key_of_the_spec(
    site: Site, now: datetime, spec: LeafSpec
) -> None:
    leaf = site.issue(spec)
    names = leaf.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    kind = rsa.RSAPublicKey if spec.key is LeafKeyType.RSA else ec.EllipticCurvePublicKey

    assert tuple(names.value.get_values_for_type(x509.DNSName)) == spec.names
    assert leaf.certificate.not_valid_before_utc == now + spec.begins
    assert leaf.certificate.not_valid_after_utc == now + spec.ends
    assert isinstance(leaf.certificate.public_key(), kind)
    assert leaf.full == (leaf.certificate, site.issuer.certificate)
    assert leaf.alone == (leaf.certificate,)


def test_a_written_key_is_the_leafs(site: Site) -> None:
    leaf = site.leaf
    again = load_pem_private_key(key_pem(leaf.key), None)

    assert again.public_key() == leaf.certificate.public_key()


def test_a_forged_key_passes_as_the_leafs_with_openssl_only(site: Site) -> None:
    """Its public half is the leaf's, its secret is another: a library that multiplies sees it."""
    leaf = site.leaf
    assert isinstance(leaf.key, ec.EllipticCurvePrivateKey)
    forged = forged_key_pem(leaf.key)
    shown = site.show("forged", leaf, key=forged)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_chain_file(shown.file)
    context.use_privatekey_file(shown.file)

    context.check_privatekey()
    with pytest.raises(ValueError, match="Invalid"):
        load_pem_private_key(forged, None)
