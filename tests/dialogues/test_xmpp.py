"""XMPP: streams that do not go on to TLS, and names that have to be escaped."""

from __future__ import annotations

import pytest

from stress.model.plan import StartTls
from tests.dialogues.conversations import GOOD, dialogue, ending

OPEN = GOOD[StartTls.XMPP][0][1]
STREAM = OPEN.split(b"<stream:features>")[0]
UNKNOWN = b"<stream:error><host-unknown/></stream:error></stream:stream>"


@pytest.mark.parametrize(
    ("says", "category", "words"),
    [
        ([STREAM + b"<stream:features/>"], "starttls-not-offered", "not offer"),
        (
            [STREAM + b"<stream:features><mechanisms/></stream:features>"],
            "starttls-not-offered",
            "not offer",
        ),
        ([STREAM + UNKNOWN], "starttls-refused", "<stream:error><host-unknown/>"),
        ([OPEN, b"<failure xmlns='x'/></stream:stream>"], "starttls-refused", "<failure"),
        ([OPEN, b"<failure xmlns='x'></failure>"], "starttls-refused", "<failure"),
        ([OPEN, b"</stream:stream>"], "starttls-refused", "</stream:stream>"),
        ([OPEN, b"<proceed xmlns='x'></proceed>"], "ok", ""),
        ([b"220 smtp\r\n"], "protocol-error", "220 smtp"),
    ],
)
def test_streams(says: list[bytes], category: str, words: str) -> None:
    got, detail = ending(StartTls.XMPP, *says)

    assert got == category
    assert words in detail


def test_the_name_of_the_host_cannot_break_out() -> None:
    assert b"to='a\"&lt;b'" in dialogue(StartTls.XMPP, host='a"<b').begin()
