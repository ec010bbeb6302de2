from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.errors import UsageError
from stress.model.outcome import Category
from stress.trust import Judge, describe, parse_pin
from tests.trust.certificates import AT, HOST
from tests.trust.defects import good, private


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


def test_the_keys_that_came_are_told_in_the_form_of_pins() -> None:
    sent = good()
    judge = Judge(private(), pins=[bytes(32)])

    verdict = judge.judge(sent, host=HOST, at=AT, policy="any")

    key = b64encode(describe(sent[0]).spki_sha256).decode()
    assert verdict.headline is not None
    assert verdict.headline.category is Category.PIN_MISMATCH
    assert f"sha256//{key}" in verdict.headline.detail
