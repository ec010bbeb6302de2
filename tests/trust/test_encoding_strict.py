"""What Go's parser refuses, part by part; `tests/oracles/` asks Go itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stress.trust import describe
from stress.trust.encoding import strict_problems
from tests.oracles.making import (
    AT,
    Spec,
    address,
    authority,
    basic,
    constraints,
    dns,
    integer,
    key,
    name,
    seq,
    server,
    tlv,
    uri,
)

ROOT = authority("Root", key("p256", 1))


def problems(made: Spec) -> tuple[str, ...]:
    """The strict problems of a certificate under the root."""
    return strict_problems(describe(made.issue(ROOT)))


def test_good_certificates_have_none() -> None:
    assert problems(server("good.test", key("p256", 2))) == ()
    assert problems(authority("Issuer", key("rsa2048", 1), path_length=3)) == ()


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("basic", seq(b"\x01\x01\x01"), "basicConstraints: a boolean"),
        ("basic", seq(b"\x01\x01\xff", integer(-1)), "basicConstraints: a path length"),
        ("usage", b"\x03\x02\x07\x81", "keyUsage: unused bits"),
        ("san", seq(dns(b"b\xfccher.test")), "subjectAltName: a name that is not ASCII"),
        ("san", seq(address(b"\1\2")), "subjectAltName: an iPAddress of 2 octets"),
        ("san", seq(uri("https://a b.test/")), "subjectAltName: a URI"),
        ("constraints", seq(), "nameConstraints: empty"),
        ("constraints", constraints([address(b"\1\2\3\4")], []), "nameConstraints: an iPAddress"),
        (
            "constraints",
            constraints([address(b"\1\2\3\4\xff\0\xff\0")], []),
            "nameConstraints: a m",
        ),
        ("purposes", seq(tlv(6, b"\x80\1")), "extendedKeyUsage: an object identifier"),
        (
            "policies",
            seq(seq(tlv(6, b"\x2a")), seq(tlv(6, b"\x2a"))),
            "certificatePolicies: the",
        ),
        ("aia", b"\x05\0", "authorityInfoAccess: tag"),
    ],
)
def test_an_odd_extension_is_told_by_its_name(kind: str, value: bytes, said: str) -> None:
    made = server("good.test", key("p256", 2))
    made.change(kind, value)

    assert any(one.startswith(said) for one in problems(made)), problems(made)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 3}, "version: 4"),
        ({"serial": b"\xff"}, "serial number: negative"),
        ({"serial": b"\0\1"}, "serial number form"),
        ({"subject": name("*_*", tag=0x13)}, "subject: a string"),
        ({"twice": "usage"}, "keyUsage: appears twice"),
        ({"key": key("brainpool", 1)}, "public key: ECDSA"),
        ({"ends": AT}, ""),
    ],
)
def test_an_odd_field_is_told_by_its_name(change: dict[str, object], said: str) -> None:
    found = problems(replace(server("good.test", key("p256", 2)), **change))  # type: ignore[arg-type]  # fields by name

    assert any(one.startswith(said) for one in found) if said else found == (), found


def test_what_octets_follow_an_extension_is_ignored_but_for_constraints() -> None:
    loose, tight = authority("A", key("p256", 3)), authority("B", key("p256", 3))
    loose.change("basic", basic(ca=True) + b"\0")
    tight.change("constraints", constraints([dns("test")], []) + b"\0")

    assert problems(loose) == ()
    assert problems(tight)
