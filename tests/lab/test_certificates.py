"""The certificates are ones that strict verifiers accept."""

from __future__ import annotations

from datetime import datetime

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from stress.lab.certificates import Authority, LeafKeyType, LeafSpec, issue


@pytest.fixture(scope="module")
def moment() -> datetime:
    return datetime.fromisoformat("2026-10-01T12:00:00+00:00")


@pytest.mark.parametrize("key", LeafKeyType)
def test_a_verifier_of_the_web_pki_accepts_a_chain(moment: datetime, key: LeafKeyType) -> None:
    authority = Authority.make(moment)
    issuer = authority.intermediate("R1", moment)
    leaf = issue(issuer, LeafSpec(("www.lab.test",), key), moment)
    store = Store([authority.root.certificate])
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
        authority.root.certificate.subject,
    ]


def test_each_certificate_names_its_issuer_by_key_and_by_url(moment: datetime) -> None:
    authority = Authority.make(moment)
    issuer = authority.intermediate("R1", moment)
    leaf = issue(issuer, LeafSpec(("www.lab.test",)), moment)
    for child, parent in ((leaf.certificate, issuer), (issuer.certificate, authority.root)):
        key = child.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        own = parent.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        access = child.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value

        assert key.key_identifier == own.value.digest
        assert [one.access_location.value for one in access] == [parent.url]
        assert parent.url.startswith("http://aia.lab.test/")


def test_the_root_is_no_part_of_what_servers_send(moment: datetime) -> None:
    authority = Authority.make(moment)
    issuer = authority.intermediate("R1", moment)

    assert authority.root.path == ()
    assert issuer.path == (issuer.certificate,)
    assert x509.load_pem_x509_certificate(authority.pem) == authority.root.certificate
