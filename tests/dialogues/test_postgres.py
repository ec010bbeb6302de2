"""PostgreSQL: answers to SSLRequest."""

from __future__ import annotations

import pytest

from stress.model.plan import StartTls
from tests.dialogues.conversations import ending

FIELDS = b"SFATAL\0C53300\0Msorry, too many clients already\0\0"


@pytest.mark.parametrize(
    ("says", "category", "words"),
    [
        (b"N", "starttls-not-offered", "'N'"),
        (
            b"E" + (4 + len(FIELDS)).to_bytes(4) + FIELDS,
            "starttls-refused",
            "'sorry, too many clients already'",
        ),
        (b"E\0\0\0\x0aold..\0", "starttls-refused", "'old..'"),
        (b"E\xff\xff\xff\xff", "protocol-error", "an answer to SSLRequest"),
        (b"E\0\0\0\0", "protocol-error", "an answer to SSLRequest"),
        (b"HTTP/1.1 400", "protocol-error", "HTTP/1.1 400"),
    ],
)
def test_answers(says: bytes, category: str, words: str) -> None:
    got, detail = ending(StartTls.POSTGRES, says)

    assert got == category
    assert words in detail
