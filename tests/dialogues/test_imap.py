"""IMAP: what servers answer that do not go on to TLS."""

from __future__ import annotations

import pytest

from stress.model.plan import StartTls
from tests.dialogues.conversations import dialogue, ending, hold

HELLO = b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"
PLAIN = b"* OK ready\r\n"


@pytest.mark.parametrize(
    ("says", "category", "words"),
    [
        ([b"* BYE overloaded\r\n"], "starttls-refused", "* BYE overloaded"),
        ([b"* PREAUTH welcome\r\n"], "starttls-not-offered", "PREAUTH"),
        ([b"+OK POP3\r\n"], "protocol-error", "+OK POP3"),
        ([PLAIN, b"* CAPABILITY IMAP4rev1\r\na1 OK\r\n"], "starttls-not-offered", "not offer"),
        ([PLAIN, b"* OK STARTTLS is fine\r\na1 OK\r\n"], "starttls-not-offered", "not offer"),
        ([PLAIN, b"* BYE idle\r\n"], "starttls-refused", "BYE idle"),
        ([PLAIN, b"garbage\r\n"], "protocol-error", "garbage"),
        ([HELLO, b"a2 NO no certificate\r\n"], "starttls-refused", "a2 NO no certificate"),
        ([HELLO, b"a2 BAD what\r\n"], "starttls-refused", "a2 BAD what"),
    ],
)
def test_what_does_not_lead_to_tls(says: list[bytes], category: str, words: str) -> None:
    got, detail = ending(StartTls.IMAP, *says)

    assert got == category
    assert words in detail


def test_capabilities_in_the_greeting_spare_a_question() -> None:
    assert hold(dialogue(StartTls.IMAP), HELLO)[1] == b"a2 STARTTLS\r\n"
