from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from stress.model.outcome import Category
from stress.model.verdict import Refusal
from stress.trust import Anchors, Judge
from tests.trust.certificates import AT, AUTHORITY, HOST, Wanted, authorities, chain, issue, rsa_key
from tests.trust.defects import ALL


def refusing(judge: Judge, sent: tuple[bytes, ...]) -> set[str]:
    verdicts = {name: judge.judge(sent, host=HOST, at=AT, policy=name) for name in ALL}
    return {name for name, one in verdicts.items() if one.refusal is not Refusal.NO}


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        (ec.SECP256R1(), set()),
        (ec.SECP384R1(), set()),
        (ec.SECP224R1(), {"apple", "apple-ios12", "chrome", "firefox"}),
        (ec.SECP256K1(), {"apple", "apple-ios12", "chrome", "firefox"}),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_a_leaf_needs_a_curve_that_clients_know(
    judge: Judge, curve: ec.EllipticCurve, expected: set[str]
) -> None:
    a = authorities()
    made = issue(Wanted(), issuer=a.intermediate, key=ec.generate_private_key(curve))

    assert refusing(judge, chain(made, a.intermediate)) == expected


def test_a_small_key_above_the_leaf_counts_too(judge: Judge) -> None:
    small = rsa_key("small issuer", 1024)
    middle = issue(replace(AUTHORITY, common_name="Small CA"), issuer=authorities().root, key=small)
    sent = chain(issue(Wanted(), issuer=middle), middle)

    verdict = judge.judge(sent, host=HOST, at=AT, policy="openssl")

    assert verdict.headline is not None
    assert verdict.headline.category is Category.WEAK_KEY
    assert verdict.headline.position == 1
    assert verdict.headline.detail == "Small CA: RSA 1024, at least RSA 2048 is required"


def test_the_signature_of_the_anchor_says_nothing() -> None:
    root = issue(replace(AUTHORITY, common_name="Old RSA", sha1=True), key=rsa_key("old"))
    made = issue(Wanted(), issuer=root, key=rsa_key("below old"))
    judge = Judge(Anchors((root.der,), "old.pem", private=True))

    assert refusing(judge, chain(made, root)) == set()


def test_a_weak_signature_above_the_leaf_is_pointed_at(judge: Judge) -> None:
    a = authorities()
    middle = issue(
        replace(AUTHORITY, common_name="SHA-1 CA", sha1=True),
        issuer=a.rsa_root,
        key=rsa_key("sha1 ca"),
    )
    made = issue(Wanted(), issuer=middle, key=rsa_key("leaf"))

    verdict = judge.judge(chain(made, middle), host=HOST, at=AT, policy="go")

    assert verdict.headline is not None
    assert verdict.headline.detail == "SHA-1 CA signed RSA with SHA-1"
