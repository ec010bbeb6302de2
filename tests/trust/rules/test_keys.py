from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from stress.errors import UsageError
from stress.model.chain import Refusal
from stress.model.outcome import Category
from stress.trust import Anchors, Judge, describe, parse_pin
from tests.trust.certificates import AT, AUTHORITY, HOST, Wanted, authorities, chain, issue, rsa_key
from tests.trust.defects import ALL, good, private


def refusing(judge: Judge, sent: tuple[bytes, ...]) -> set[str]:
    verdicts = {name: judge.judge(sent, host=HOST, at=AT, policy=name) for name in ALL}
    return {name for name, one in verdicts.items() if one.refusal is not Refusal.NO}


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        (ec.SECP256R1(), set()),
        (ec.SECP384R1(), set()),
        (ec.SECP224R1(), {"apple", "apple-ios12", "chrome", "firefox", "java"}),
        (ec.SECP256K1(), {"apple", "apple-ios12", "chrome", "firefox", "go", "java"}),
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


@pytest.mark.slow
@given(st.binary(min_size=32, max_size=32))
def test_pins_are_read_in_the_forms_of_curl_and_okhttp(digest: bytes) -> None:
    text = b64encode(digest).decode()

    assert parse_pin(f"sha256//{text}") == digest
    assert parse_pin(f"sha256/{text}") == digest


def test_base64_that_begins_with_a_slash_is_read_in_both_forms() -> None:
    digest = b"\xfc" + bytes(31)
    text = b64encode(digest).decode()

    assert text.startswith("/")
    assert parse_pin(f"sha256//{text}") == parse_pin(f"sha256/{text}") == digest


@pytest.mark.parametrize(
    "text", ["", "sha256//", "sha256//%%%", "sha1//" + "A" * 28, "sha256//QUJD", "A" * 44]
)
def test_what_is_no_pin_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="not a valid pin of a public key"):
        parse_pin(text)


def test_the_keys_sent_are_reported_in_the_form_of_pins() -> None:
    sent = good()
    judge = Judge(private(), pins=[bytes(32)])

    verdict = judge.judge(sent, host=HOST, at=AT, policy="any")

    key = b64encode(describe(sent[0]).spki_sha256).decode()
    assert verdict.headline is not None
    assert verdict.headline.category is Category.PIN_MISMATCH
    assert f"sha256//{key}" in verdict.headline.detail
