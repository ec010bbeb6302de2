from __future__ import annotations

import ssl
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from stress.trust.anchors import first_store
from stress.trust.reading.certificate import UNREADABLE, describe, name_of, short_name
from tests.trust.certificates import (
    AT,
    DAY,
    HOST,
    Wanted,
    authorities,
    elliptic,
    issue,
    leaf,
    resigned,
    rsa_key,
    with_extension_twice,
)

REAL = first_store([Path(certifi.where())])


def test_a_good_leaf_says_all_of_it() -> None:
    made = leaf(addresses=("192.0.2.7",), issuer_url="http://ca.test/i.cer", scts=2)

    facts = describe(made.der)

    library = x509.load_der_x509_certificate(made.der)
    assert facts.unreadable is None
    assert facts.problems == ()
    assert facts.common_name == HOST
    assert facts.subject == f"CN={HOST}"
    assert facts.issuer == "CN=Test Intermediate"
    assert facts.serial == f"{library.serial_number:x}"
    assert (facts.not_before, facts.not_after) == (AT - 30 * DAY, AT + 60 * DAY)
    assert facts.sans == (HOST, "192.0.2.7")
    assert facts.key == "ECDSA P-256"
    assert facts.signature == "ECDSA with SHA-256"
    assert not facts.is_ca
    assert facts.aia_issuers == ("http://ca.test/i.cer",)
    assert facts.authority is not None
    assert facts.authority.key_id == describe(authorities().intermediate.der).subject_key_id
    assert len(facts.sct_logs) == 2
    assert len(facts.sha256) == len(facts.spki_sha256) == 32


def test_an_rsa_key_tells_its_size() -> None:
    made = issue(Wanted(), key=rsa_key("described"))

    assert describe(made.der).key == "RSA 2048"
    assert describe(made.der).self_issued


@pytest.mark.parametrize("der", REAL, ids=[name_of(der)[:30] for der in REAL])
def test_real_roots_are_read_as_the_library_reads_them(der: bytes) -> None:
    facts = describe(der)

    pem = ssl.DER_cert_to_PEM_cert(der)
    assert facts.unreadable is None
    assert facts.problems == ()
    assert facts.is_ca
    assert facts.self_issued
    assert pem.startswith("-----BEGIN")
    assert ":" not in facts.serial


def test_a_part_that_cannot_be_decoded_is_noted_and_the_rest_is_there() -> None:
    """The library raises ValueError for all extensions together here."""
    good = leaf(addresses=("192.0.2.7",))
    old = b"\x82\x09good.test\x87\x04\xc0\x00\x02\x07"
    new = b"\x82\x09good.test\x87\x02\xc0\x00\x88\x00"
    made = resigned(good.der, elliptic("Test Intermediate"), old, new)

    facts = describe(made)

    assert facts.problems == (
        "subjectAltName form: a registeredID without octets",
        "iPAddress: 2 octets in the subjectAltName",
        "subjectAltName iPAddress: no address, with or without a mask",
    )
    assert facts.sans == (HOST,)
    assert facts.purposes is not None


def test_a_year_zero_and_a_teletex_name_are_read() -> None:
    good = leaf(common_name="zurich")
    year = resigned(good.der, elliptic("Test Intermediate"), b"\x17\x0d261024", b"\x17\x0d000101")
    teletex = resigned(
        good.der, elliptic("Test Intermediate"), b"\x0c\x06zurich", b"\x14\x06z\xfcrich"
    )

    assert describe(year).not_before == 946_684_800
    assert describe(teletex).common_name == "zürich"
    assert describe(teletex).problems == ()


def test_an_extension_that_appears_twice_is_reported() -> None:
    facts = describe(with_extension_twice(leaf().der, elliptic("Test Intermediate")))

    assert facts.duplicates == ("extendedKeyUsage",)


@pytest.mark.parametrize("der", [b"", b"hello", b"\x30\x00", b"\x30\x03\x02\x01\x01"])
def test_what_is_no_certificate_is_unreadable_and_has_a_name(der: bytes) -> None:
    facts = describe(der)

    assert facts.unreadable
    assert name_of(der) == short_name(facts) == UNREADABLE


def test_names_are_short_and_safe_to_show() -> None:
    hostile = leaf(common_name="evil\x1b[2J\u202e" + "x" * 40)
    nameless = leaf(common_name="x", dns=("first.test", "second.test"))

    assert name_of(hostile.der).startswith("evil\\x1b[2J\\u202e")
    assert name_of(nameless.der) == "x"


@pytest.mark.slow
@given(st.binary(max_size=400))
def test_any_bytes_are_described(der: bytes) -> None:
    assert name_of(der)


@pytest.mark.slow
@given(data=st.data())
def test_every_cut_and_every_flip_is_described(data: st.DataObject) -> None:
    der = bytearray(authorities().root.der)
    at = data.draw(st.integers(0, len(der) - 1))
    der[at] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(der)))

    assert name_of(bytes(der))
    assert name_of(bytes(der[:end]))
