"""Which odd parts refuse a chain, and which are only noted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography import x509

from stress.model.chain import Refusal
from stress.trust import describe
from stress.trust.encoding import encoding_findings
from stress.trust.policy import Policy, find_policy
from tests.trust.certificates import elliptic, leaf, resigned

USAGE = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.15"), b"\x05\x00")
"""A keyUsage that is none."""


def refusal(der: bytes, policy: Policy) -> Refusal:
    """The strongest of a leaf's odd parts."""
    found = [one.refusal for one in encoding_findings((describe(der),), policy)]
    return Refusal.YES if Refusal.YES in found else Refusal.NO


@pytest.mark.parametrize(
    ("critical", "policy", "expected"),
    [
        (True, "java", Refusal.YES),
        (False, "java", Refusal.NO),
        (True, "go", Refusal.YES),
        (False, "go", Refusal.YES),
        (True, "apple", Refusal.NO),
    ],
)
def test_a_key_usage_that_cannot_be_decoded(critical: bool, policy: str, expected: Refusal) -> None:
    parts = {"critical_extra" if critical else "extra": (USAGE,)}
    made = leaf(ca=None, **parts)

    assert refusal(made.der, find_policy(policy)) is expected


def test_a_part_can_be_left_out_of_what_a_strict_client_refuses() -> None:
    strict = find_policy("go")
    made = leaf(ca=None, extra=(USAGE,))
    lenient = replace(strict, keys={**strict.keys, "strict_except": ["keyUsage"]}, _read={})

    assert refusal(made.der, strict) is Refusal.YES
    assert refusal(made.der, lenient) is Refusal.NO


def test_a_part_that_only_a_leaf_must_have_right() -> None:
    made = leaf(dns=("good.test",), addresses=("192.0.2.1",))
    old = b"\x87\x04\xc0\0\2\1"
    odd = resigned(made.der, elliptic("Test Intermediate"), old, b"\x87\x02\xc0\0\x83\0")
    strict = find_policy("chrome")
    own = {name: value for name, value in strict.keys.items() if name != "reader"}
    lenient = replace(strict, keys=own, _read={})

    first, second = (
        [one.refusal for one in encoding_findings(sent, lenient) if ": 2 octets" in one.detail]
        for sent in ((describe(odd),), (describe(made.der), describe(odd)))
    )
    assert first == [Refusal.YES]
    assert second == [Refusal.NO]
