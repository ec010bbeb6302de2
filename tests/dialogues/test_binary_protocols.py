"""Protocols in binary messages: what servers answer that do not go on to TLS."""

from __future__ import annotations

import pytest

from stress.model.plan import StartTls
from tests.dialogues.conversations import MYSQL_GREETING, dialogue, ending, hold, packet
from tests.servers.crooked import der

POSTGRES_FIELDS = b"SFATAL\0C53300\0Msorry, too many clients already\0\0"
MYSQL_WITHOUT = MYSQL_GREETING.replace(b"\xfe\xff", b"\xfe\xf7", 1)
MYSQL_FULL = b"\xff\x10\x04Too many connections"


def response(code: int, words: bytes = b"", tag: int = 0x78) -> bytes:
    """An LDAP response to StartTLS."""
    result = der(0x0A, bytes([code])) + der(4) + der(4, words)
    return der(0x30, der(2, b"\1"), der(tag, result))


ANSWERS: dict[StartTls, list[tuple[bytes, str, str]]] = {
    StartTls.LDAP: [
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
    StartTls.POSTGRES: [
        (b"N", "starttls-not-offered", "'N'"),
        (
            b"E" + (4 + len(POSTGRES_FIELDS)).to_bytes(4) + POSTGRES_FIELDS,
            "starttls-refused",
            "'sorry, too many clients already'",
        ),
        (b"E\0\0\0\x0aold..\0", "starttls-refused", "'old..'"),
        (b"E\xff\xff\xff\xff", "protocol-error", "an answer to SSLRequest"),
        (b"E\0\0\0\0", "protocol-error", "an answer to SSLRequest"),
        (b"HTTP/1.1 400", "protocol-error", "HTTP/1.1 400"),
    ],
    StartTls.MYSQL: [
        (packet(MYSQL_WITHOUT), "starttls-not-offered", "5.5.5-10.11.19-MariaDB"),
        (packet(MYSQL_FULL), "starttls-refused", "'Too many connections'"),
        (packet(b"\xff\x10\x04#08004Too many"), "starttls-refused", "'Too many'"),
        (packet(b"\x09" + MYSQL_GREETING[1:]), "protocol-error", "a MySQL greeting"),
        (packet(MYSQL_GREETING[:30]), "protocol-error", "a MySQL greeting"),
        (packet(b""), "protocol-error", "a MySQL greeting"),
    ],
}


@pytest.mark.parametrize(
    ("protocol", "says", "category", "words"),
    [(protocol, *answer) for protocol, answers in ANSWERS.items() for answer in answers],
)
def test_what_servers_answer(protocol: StartTls, says: bytes, category: str, words: str) -> None:
    got, detail = ending(protocol, says)

    assert got == category
    assert words in detail


def test_our_packet_has_the_next_number() -> None:
    assert hold(dialogue(StartTls.MYSQL), packet(MYSQL_GREETING, 255))[1][:4] == b"\x20\0\0\0"
