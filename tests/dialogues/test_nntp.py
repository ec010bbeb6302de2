"""NNTP: what servers answer that do not go on to TLS."""

from __future__ import annotations

import pytest

from stress.model.plan import StartTls
from tests.dialogues.conversations import ending

HELLO, OFFERS = b"200 ready\r\n", b"101 list\r\nVERSION 2\r\nSTARTTLS\r\n.\r\n"


@pytest.mark.parametrize(
    ("says", "category", "words"),
    [
        ([b"400 full\r\n"], "starttls-refused", "400 full"),
        ([b"502 no access\r\n"], "starttls-refused", "502 no access"),
        ([HELLO, b"500 what\r\n"], "starttls-not-offered", "500 what"),
        ([HELLO, b"101 list\r\nVERSION 2\r\n.\r\n"], "starttls-not-offered", "not offer"),
        ([HELLO, OFFERS, b"580 can not\r\n"], "starttls-refused", "580 can not"),
    ],
)
def test_what_does_not_lead_to_tls(says: list[bytes], category: str, words: str) -> None:
    got, detail = ending(StartTls.NNTP, *says)

    assert got == category
    assert words in detail
