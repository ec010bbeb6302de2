"""What Java's reader cannot decode; the values were tried with OpenJDK 17.0.15."""

from __future__ import annotations

import pytest

from stress.trust.reading.certificate import describe
from stress.trust.reading.java import as_java_reads, undecodable
from tests.oracles.making import (
    AT,
    Extension,
    address,
    authority,
    basic,
    bit_string,
    constraints,
    directory,
    dns,
    integer,
    key,
    mail,
    name,
    oid,
    seq,
    server,
    tlv,
    uri,
    usage,
)

ROOT = authority("Root", key("p256", 1))
POINT = seq(tlv(0xA0, tlv(0xA0, uri("http://ca.test/c.crl"))))

DECODES = [
    ("san", seq(dns("a.test"), address(b"\1\2\3\4"), mail("a@b.test"), uri("https://u.test/x"))),
    ("san", seq(directory(name("x")), tlv(0x88, oid("1.2.3")[2:]))),
    ("san", seq(dns(b"b\xfccher.test"))),
    ("usage", bit_string(b"\x80\0", 7)),
    ("basic", seq(oid("1.2.3"))),
    ("basic", basic(ca=True, path_length=3) + b""),
    ("purposes", seq()),
    ("constraints", constraints([uri(".u.test"), dns("")], [address(b"\1" * 8)])),
    ("crl", seq(POINT)),
    ("policies", seq(seq(oid("1.2.3"), seq(seq(oid("1.2.4")))))),
    ("aki", seq(tlv(0x80, b"x"), tlv(0x82, b"\1"))),
    ("aia", seq(seq(oid("1.2.3"), uri("http://ca.test/")))),
    ("ski", tlv(4)),
    ("unknown", b"\xff"),
]
FAILS = [
    ("san", seq()),
    ("san", seq(dns("a.test")) + b"\0"),
    ("san", seq(address(b"\1\2"))),
    ("san", seq(mail("a@"))),
    ("san", seq(uri("no scheme"))),
    ("san", seq(uri("https://[::1"))),
    ("san", seq(tlv(0xA2, b"a.test"))),
    ("issuer-san", b"\x05\0"),
    ("usage", b""),
    ("usage", bit_string(b"\x80", 8)),
    ("basic", seq(b"\x01\x02\xff\xff")),
    ("basic", seq(b"\x01\x01\xff", integer(1 << 40))),
    ("purposes", seq(tlv(6, b"\x2b\x80\x01"))),
    ("purposes", oid("1.2.3")),
    ("constraints", constraints([uri("https://u.test")], [])),
    ("constraints", seq(tlv(0xA0, seq()))),
    ("crl", seq(seq())),
    ("freshest", b"\x30\x03\1"),
    ("policies", seq(seq())),
    ("policies", seq(seq(oid("1.2.3"), seq()))),
    ("mappings", seq(seq(oid("1.2.3")))),
    ("policy-constraints", seq(tlv(0x82, b"\1"))),
    ("any-policy", tlv(2)),
    ("aki", seq(tlv(0x81, b"x"))),
    ("aia", seq(seq(oid("1.2.3")))),
    ("ski", b"\xff\xff"),
]


def lost(kind: str, value: bytes) -> set[str]:
    """Which extensions of a leaf with this value Java cannot decode."""
    leaf = server("a.test", key("p256", 2))
    leaf.key_id = leaf.issuer_id = False
    leaf.extensions = [Extension(kind, value, critical=True)]
    return set(undecodable(describe(leaf.issue(ROOT))))


@pytest.mark.parametrize(("kind", "value"), DECODES, ids=lambda one: str(one)[:40])
def test_what_java_decodes(kind: str, value: bytes) -> None:
    assert lost(kind, value) == set()


@pytest.mark.parametrize(("kind", "value"), FAILS, ids=lambda one: str(one)[:40])
def test_what_java_cannot_decode(kind: str, value: bytes) -> None:
    assert len(lost(kind, value)) == 1


def test_an_extension_that_is_not_decoded_is_as_if_it_were_not_there() -> None:
    leaf = server("a.test", key("p256", 2))
    leaf.change("san", seq(dns("a.test"), address(b"")))
    leaf.change("usage", bit_string(b"\x80", 9))
    read = as_java_reads(describe(leaf.issue(ROOT)))

    assert read.alternative_names is None
    assert read.sans == ()
    assert read.usages is None
    assert read.purposes == ("serverAuth",)


def test_inhibit_any_policy_counts_only_when_critical() -> None:
    one = authority("CA", key("p256", 3))
    one.change("any-policy", integer(0))
    assert as_java_reads(describe(one.issue(ROOT))).inhibit_any_policy is None

    one.change("any-policy", integer(0), critical=True)
    assert as_java_reads(describe(one.issue(ROOT))).inhibit_any_policy == 0


@pytest.mark.parametrize(("length", "is_ca"), [(0, True), (-1, False), (-2, True)])
def test_a_path_length_of_minus_one_is_no_ca(length: int, *, is_ca: bool) -> None:
    one = authority("CA", key("p256", 3))
    one.change("basic", seq(b"\x01\x01\xff", integer(length)))
    read = as_java_reads(describe(one.issue(ROOT)))

    assert (read.is_ca, read.path_length) == (is_ca, 0)


def test_an_address_in_constraints_is_a_network_of_one() -> None:
    one = authority("CA", key("p256", 3))
    one.change("constraints", constraints([address(b"\1\2\3\4")], []))
    one.change("usage", usage("keyCertSign"))
    limits = as_java_reads(describe(one.issue(ROOT))).constraints

    assert limits is not None
    assert limits.permitted.networks == (b"\1\2\3\4\xff\xff\xff\xff",)
    assert describe(one.issue(ROOT)).not_before < AT
