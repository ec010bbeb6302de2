"""POP3: what servers answer that do not go on to TLS."""

from __future__ import annotations

import pytest

from stress.model.plan import StartTls
from tests.dialogues.conversations import ending

HELLO = b"+OK ready\r\n"


@pytest.mark.parametrize(
    ("says", "category", "words"),
    [
        ([b"-ERR locked\r\n"], "starttls-refused", "-ERR locked"),
        ([b"220 SMTP\r\n"], "protocol-error", "220 SMTP"),
        ([HELLO, b"+OK\r\nTOP\r\n.\r\n"], "starttls-not-offered", "not offer"),
        ([HELLO, b"+OK\r\nSTLS\r\n.\r\n", b"-ERR no key\r\n"], "starttls-refused", "-ERR no key"),
        ([HELLO, b"-ERR\r\n", b"-ERR what\r\n"], "starttls-not-offered", "-ERR what"),
        ([HELLO, b"-ERR no CAPA\r\n", b"+OK begin\r\n"], "ok", ""),
        ([HELLO, b"250 CAPA\r\n"], "protocol-error", "250 CAPA"),
    ],
)
def test_what_servers_answer(says: list[bytes], category: str, words: str) -> None:
    got, detail = ending(StartTls.POP3, *says)

    assert got == category
    assert words in detail
