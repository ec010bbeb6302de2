"""LDAP: responses to StartTLS, in short and in long form."""

from __future__ import annotations

import pytest

from stress.model.plan import StartTls
from tests.dialogues.conversations import ending
from tests.servers.crooked import der


def response(code: int, words: bytes = b"", tag: int = 0x78) -> bytes:
    result = der(0x0A, bytes([code])) + der(4) + der(4, words)
    return der(0x30, der(2, b"\1"), der(tag, result))


@pytest.mark.parametrize(
    ("says", "category", "words"),
    [
        (response(2, b"unsupported"), "starttls-not-offered", "result code 2: unsupported"),
        (response(52, b"no certificate"), "starttls-refused", "result code 52: no certificate"),
        (response(53), "starttls-refused", "'result code 53'"),
        (response(0, b"x" * 300), "ok", ""),
        (response(0, tag=0x61), "protocol-error", "a response to StartTLS"),
        (b"\x30\x84\x00\x00\x00\x0c" + response(0)[2:], "ok", ""),  # as Active Directory writes it
        (b"\x30\x84\x7f\xff\xff\xff", "protocol-error", "not an LDAP message"),
        (b"\x30\x03\x02\x01\x01", "protocol-error", "a response to StartTLS"),
        (b"\x30\x00", "protocol-error", "a response to StartTLS"),
        (b"220 smtp\r\n", "protocol-error", "220 smtp"),
    ],
)
def test_responses(says: bytes, category: str, words: str) -> None:
    got, detail = ending(StartTls.LDAP, says)

    assert got == category
    assert words in detail
