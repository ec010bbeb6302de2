from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.clients.profiles import code_point
from stress.errors import UsageError


@given(st.integers(0, 0xFFFF))
def test_a_code_point_is_read_from_hexadecimal(number: int) -> None:
    assert code_point("groups", f"0x{number:04x}") == number
    assert code_point("cipher_suites", f" 0X{number:X} ") == number


@pytest.mark.parametrize("word", ["", "0x", "0x10000", "4865", "no-such-thing"])
def test_what_is_no_code_point_is_refused_with_its_field(word: str) -> None:
    with pytest.raises(UsageError, match="among the known cipher suites"):
        code_point("cipher_suites", word)


@pytest.mark.parametrize(
    ("field", "word", "number"),
    [
        ("cipher_suites", "TLS_AES_128_GCM_SHA256", 0x1301),
        ("groups", "X25519", 0x001D),
        ("key_shares", "x25519", 0x001D),
        ("versions", "TLS 1.3", 0x0304),
        ("signature_algorithms", "ed25519", 0x0807),
        ("extensions", "server_name", 0),
    ],
)
def test_a_code_point_is_read_from_its_iana_name(field: str, word: str, number: int) -> None:
    assert code_point(field, word) == number


def test_a_misspelt_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        code_point("cipher_suites", "TLS_AES_128_GCM_SHA265")

    assert 'Did you mean "TLS_AES_128_GCM_SHA256"?' in str(caught.value.hint)
