"""Our names of identifiers against those that `cryptography` gives them."""

from __future__ import annotations

import pytest
from cryptography.x509 import oid as theirs

from stress.trust.reading.der import named, tables

OTHER_NAMES = {
    "commonName": "CN",
    "countryName": "C",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "domainComponent": "DC",
    "TLSFeature": "TLS feature",
    "OCSPNoCheck": "OCSP noCheck",
    "signedCertificateTimestampList": "SCT list",
    "ctPoison": "CT poison: this is a precertificate",
}
"""Where we abbreviate, or say more."""


def known(*classes: type) -> dict[str, str]:
    """Identifier and name of every constant of these classes."""
    constants = [each for kind in classes for each in vars(kind).values()]
    found = [each for each in constants if isinstance(each, theirs.ObjectIdentifier)]
    named = {each.dotted_string: each._name for each in found}
    return {one: name for one, name in named.items() if name != "Unknown OID"}


def test_names_are_those_of_the_standards() -> None:
    library = known(theirs.NameOID, theirs.ExtensionOID, theirs.ExtendedKeyUsageOID)
    compared = {one: name for one, name in tables().names.items() if one in library}

    assert len(compared) >= 25
    for one, name in compared.items():
        assert name == OTHER_NAMES.get(library[one], library[one])


def test_signatures_are_those_of_the_standards() -> None:
    library = known(theirs.SignatureAlgorithmOID)
    for one, (scheme, digest) in tables().signatures.items():
        if one in library:
            words = library[one].lower().replace("-", "")
            assert scheme.lower().replace("-", "") in words
            assert digest.lower().replace("-", "") in words


@pytest.mark.parametrize("one", sorted(tables().critical))
def test_extensions_that_clients_understand_have_an_identifier(one: str) -> None:
    assert one in tables().names.values()


def test_what_has_no_name_keeps_its_identifier() -> None:
    assert named("1.2.3.4") == "1.2.3.4"
