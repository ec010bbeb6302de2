"""FTP: what servers answer that do not go on to TLS."""

from __future__ import annotations

import pytest

from stress.model.plan import StartTls
from tests.dialogues.conversations import ending

HELLO = b"220 ready\r\n"


@pytest.mark.parametrize(
    ("says", "category", "words"),
    [
        ([b"421 closing\r\n"], "starttls-refused", "421 closing"),
        ([b"120 in 2 minutes\r\n", HELLO, b"234 go\r\n"], "ok", ""),
        ([HELLO, b"500 what\r\n"], "starttls-not-offered", "500 what"),
        ([HELLO, b"504 not TLS\r\n"], "starttls-not-offered", "504 not TLS"),
        ([HELLO, b"530 Please login\r\n"], "starttls-not-offered", "530 Please login"),
        ([HELLO, b"431 no certificate\r\n"], "starttls-refused", "431 no certificate"),
    ],
)
def test_what_servers_answer(says: list[bytes], category: str, words: str) -> None:
    got, detail = ending(StartTls.FTP, *says)

    assert got == category
    assert words in detail
