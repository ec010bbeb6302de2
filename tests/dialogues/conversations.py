"""What a healthy server of each protocol says, and what we have to answer, byte for byte.

A turn is what we send, and what the server says then. Most are the examples of the RFCs; others are
what real servers said (Dovecot 2.3, PostgreSQL 15, MariaDB 10.11, Prosody 0.12).
"""

from __future__ import annotations

from stress.dialogues import SCRIPTS
from stress.dialogues.dialogue import Dialogue
from stress.model.plan import StartTls

HOST, LOCAL = "mail.example.com", "192.0.2.9"
Turns = list[tuple[bytes, bytes]]

_EXTENSIONS = b"250-mail.example.com offers\r\n250-SIZE 1000\r\n250-starttls\r\n250 DSN\r\n"
_XMPP_OPEN = (
    b"<?xml version='1.0'?><stream:stream to=\"mail.example.com\" version='1.0'"
    b" xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
)
_TLS = b"xmlns='urn:ietf:params:xml:ns:xmpp-tls'"
MYSQL_GREETING = (
    bytes.fromhex("0a")
    + b"5.5.5-10.11.19-MariaDB\0"
    + bytes.fromhex("2a000000313233343536373800feff2d0200ffc115" + "00" * 10)
    + b"abcdefghijkl\0mysql_native_password\0"
)


def packet(payload: bytes, number: int = 0) -> bytes:
    """A packet of MySQL."""
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


GOOD: dict[StartTls, Turns] = {
    StartTls.SMTP: [
        (b"", b"220-mail.example.com ESMTP\r\n220 no spam\r\n"),
        (b"EHLO [192.0.2.9]\r\n", _EXTENSIONS),
        (b"STARTTLS\r\n", b"220 Go ahead\r\n"),
    ],
    StartTls.LMTP: [
        (b"", b"220 mail.example.com LMTP server ready\r\n"),
        (b"LHLO [192.0.2.9]\r\n", _EXTENSIONS),
        (b"STARTTLS\r\n", b"220 2.0.0 Begin TLS negotiation now.\r\n"),
    ],
    StartTls.IMAP: [
        (b"", b"* OK Server ready.\r\n"),
        (b"a1 CAPABILITY\r\n", b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na1 OK done\r\n"),
        (b"a2 STARTTLS\r\n", b"a2 OK Begin TLS negotiation now.\r\n"),
    ],
    StartTls.POP3: [
        (b"", b"+OK Dovecot ready.\r\n"),
        (b"CAPA\r\n", b"+OK\r\nCAPA\r\nTOP\r\nSTLS\r\nSASL\r\n.\r\n"),
        (b"STLS\r\n", b"+OK Begin TLS negotiation now.\r\n"),
    ],
    StartTls.FTP: [
        (b"", b"220-Welcome\r\n 230 is not the code\r\n220 (vsFTPd 3.0.3)\r\n"),
        (b"AUTH TLS\r\n", b"234 Proceed with negotiation.\r\n"),
    ],
    StartTls.LDAP: [
        (
            bytes.fromhex("301d020101771880") + b"\x16" + b"1.3.6.1.4.1.1466.20037",
            bytes.fromhex("300c02010178070a010004000400"),
        ),
    ],
    StartTls.POSTGRES: [(bytes.fromhex("0000000804d2162f"), b"S")],
    StartTls.MYSQL: [(b"", packet(MYSQL_GREETING))],
    StartTls.XMPP: [
        (
            _XMPP_OPEN,
            b"<?xml version='1.0'?><stream:stream from='mail.example.com' id='1' version='1.0'"
            b" xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client'>"
            b"<stream:features><starttls " + _TLS + b"><required/></starttls></stream:features>",
        ),
        (b"<starttls " + _TLS + b"/>", b"<proceed " + _TLS + b"/>"),
    ],
    StartTls.SIEVE: [
        (
            b"",
            b'"IMPLEMENTATION" "Dovecot"\r\n"SIEVE" {5+}\r\na\r\nbc\r\n"STARTTLS"\r\nOK "ok"\r\n',
        ),
        (b"STARTTLS\r\n", b'OK "Begin TLS negotiation now."\r\n'),
    ],
    StartTls.NNTP: [
        (b"", b"201 server ready, no posting\r\n"),
        (b"CAPABILITIES\r\n", b"101 Capability list:\r\nVERSION 2\r\nREADER\r\nSTARTTLS\r\n.\r\n"),
        (b"STARTTLS\r\n", b"382 Continue with TLS negotiation\r\n"),
    ],
}

MYSQL_REQUEST = bytes.fromhex("2000000185aa0800000000012d" + "00" * 23)
LAST = {StartTls.MYSQL: MYSQL_REQUEST}
"""What goes right before the ClientHello."""


def dialogue(protocol: StartTls, host: str = HOST, local: str = LOCAL) -> Dialogue:
    return Dialogue.of(SCRIPTS[protocol], host, local)


def hold(one: Dialogue, *says: bytes) -> list[bytes]:
    """Begin, let the server say this, and return what we sent, in order."""
    sent = [one.begin()]
    for data in says:
        assert not one.is_over
        sent.append(one.receive(data))
    return sent


def ending(protocol: StartTls, *says: bytes) -> tuple[str, str]:
    """The outcome of a dialogue, and its detail; "ok" where TLS begins, "-" where it waits."""
    one = dialogue(protocol)
    hold(one, *says)
    if one.breach is None:
        return ("ok" if one.is_over else "-"), ""
    return one.breach.category.value, one.breach.detail
