"""MySQL: greetings."""

from __future__ import annotations

import pytest

from stress.model.plan import StartTls
from tests.dialogues.conversations import MYSQL_GREETING, dialogue, ending, hold, packet

WITHOUT = MYSQL_GREETING.replace(b"\xfe\xff", b"\xfe\xf7", 1)
FULL = b"\xff\x10\x04Too many connections"


@pytest.mark.parametrize(
    ("says", "category", "words"),
    [
        (packet(WITHOUT), "starttls-not-offered", "5.5.5-10.11.19-MariaDB"),
        (packet(FULL), "starttls-refused", "'Too many connections'"),
        (packet(b"\xff\x10\x04#08004Too many"), "starttls-refused", "'Too many'"),
        (packet(b"\x09" + MYSQL_GREETING[1:]), "protocol-error", "a MySQL greeting"),
        (packet(MYSQL_GREETING[:30]), "protocol-error", "a MySQL greeting"),
        (packet(b""), "protocol-error", "a MySQL greeting"),
    ],
)
def test_greetings(says: bytes, category: str, words: str) -> None:
    got, detail = ending(StartTls.MYSQL, says)

    assert got == category
    assert words in detail


def test_our_packet_has_the_next_number() -> None:
    assert hold(dialogue(StartTls.MYSQL), packet(MYSQL_GREETING, 255))[1][:4] == b"\x20\0\0\0"
