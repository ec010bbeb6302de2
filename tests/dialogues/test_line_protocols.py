"""Protocols in lines of text: what servers answer that do not go on to TLS."""

from __future__ import annotations

import pytest

from stress.model.plan import StartTls
from tests.dialogues.conversations import dialogue, ending, hold

SMTP_HELLO, SMTP_OFFERS = b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n"
FTP_HELLO = b"220 ready\r\n"
NNTP_HELLO, NNTP_OFFERS = b"200 ready\r\n", b"101 list\r\nVERSION 2\r\nSTARTTLS\r\n.\r\n"
POP3_HELLO = b"+OK ready\r\n"
IMAP_HELLO = b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"
IMAP_PLAIN = b"* OK ready\r\n"
SIEVE_HELLO = b'"IMPLEMENTATION" "x"\r\n"STARTTLS"\r\nOK\r\n'
ANSWERS: dict[StartTls, list[tuple[list[bytes], str, str]]] = {
    StartTls.SMTP: [
        ([b"554 no service\r\n"], "starttls-refused", "554 no service"),
        ([b"421 too many connections\r\n"], "starttls-refused", "421 too many"),
        ([SMTP_HELLO, b"502 5.5.2 unknown\r\n"], "starttls-not-offered", "502 5.5.2 unknown"),
        ([SMTP_HELLO, b"550 go away\r\n"], "starttls-refused", "550 go away"),
        ([SMTP_HELLO, b"250 mx\r\n"], "starttls-not-offered", "does not offer it"),
        (
            [SMTP_HELLO, b"250-mx STARTTLS\r\n250 XSTARTTLS\r\n"],
            "starttls-not-offered",
            "not offer",
        ),
        (
            [SMTP_HELLO, SMTP_OFFERS, b"454 4.7.0 TLS not available\r\n"],
            "starttls-refused",
            "454 4.7.0",
        ),
        ([b"* OK IMAP\r\n"], "protocol-error", "not a reply of three digits: '* OK IMAP'"),
        ([b"SSH-2.0-x\r\n"], "protocol-error", "SSH-2.0-x"),
    ],
    StartTls.FTP: [
        ([b"421 closing\r\n"], "starttls-refused", "421 closing"),
        ([b"120 in 2 minutes\r\n", FTP_HELLO, b"234 go\r\n"], "ok", ""),
        ([FTP_HELLO, b"500 what\r\n"], "starttls-not-offered", "500 what"),
        ([FTP_HELLO, b"504 not TLS\r\n"], "starttls-not-offered", "504 not TLS"),
        ([FTP_HELLO, b"530 Please login\r\n"], "starttls-not-offered", "530 Please login"),
        ([FTP_HELLO, b"431 no certificate\r\n"], "starttls-refused", "431 no certificate"),
    ],
    StartTls.NNTP: [
        ([b"400 full\r\n"], "starttls-refused", "400 full"),
        ([b"502 no access\r\n"], "starttls-refused", "502 no access"),
        ([NNTP_HELLO, b"500 what\r\n"], "starttls-not-offered", "500 what"),
        ([NNTP_HELLO, b"101 list\r\nVERSION 2\r\n.\r\n"], "starttls-not-offered", "not offer"),
        ([NNTP_HELLO, NNTP_OFFERS, b"580 can not\r\n"], "starttls-refused", "580 can not"),
    ],
    StartTls.POP3: [
        ([b"-ERR locked\r\n"], "starttls-refused", "-ERR locked"),
        ([b"220 SMTP\r\n"], "protocol-error", "220 SMTP"),
        ([POP3_HELLO, b"+OK\r\nTOP\r\n.\r\n"], "starttls-not-offered", "not offer"),
        (
            [POP3_HELLO, b"+OK\r\nSTLS\r\n.\r\n", b"-ERR no key\r\n"],
            "starttls-refused",
            "-ERR no key",
        ),
        ([POP3_HELLO, b"-ERR\r\n", b"-ERR what\r\n"], "starttls-not-offered", "-ERR what"),
        ([POP3_HELLO, b"-ERR no CAPA\r\n", b"+OK begin\r\n"], "ok", ""),
        ([POP3_HELLO, b"250 CAPA\r\n"], "protocol-error", "250 CAPA"),
    ],
    StartTls.IMAP: [
        ([b"* BYE overloaded\r\n"], "starttls-refused", "* BYE overloaded"),
        ([b"* PREAUTH welcome\r\n"], "starttls-not-offered", "PREAUTH"),
        ([b"+OK POP3\r\n"], "protocol-error", "+OK POP3"),
        ([IMAP_PLAIN, b"* CAPABILITY IMAP4rev1\r\na1 OK\r\n"], "starttls-not-offered", "not offer"),
        ([IMAP_PLAIN, b"* OK STARTTLS is fine\r\na1 OK\r\n"], "starttls-not-offered", "not offer"),
        ([IMAP_PLAIN, b"* BYE idle\r\n"], "starttls-refused", "BYE idle"),
        ([IMAP_PLAIN, b"garbage\r\n"], "protocol-error", "garbage"),
        ([IMAP_HELLO, b"a2 NO no certificate\r\n"], "starttls-refused", "a2 NO no certificate"),
        ([IMAP_HELLO, b"a2 BAD what\r\n"], "starttls-refused", "a2 BAD what"),
    ],
    StartTls.SIEVE: [
        ([b'BYE "full"\r\n'], "starttls-refused", 'BYE "full"'),
        ([b'"IMPLEMENTATION" "x"\r\nOK\r\n'], "starttls-not-offered", "not offer"),
        ([SIEVE_HELLO, b'NO "no key"\r\n'], "starttls-refused", 'NO "no key"'),
        ([SIEVE_HELLO, b"OK {5}\r\nbegin\r\n"], "ok", ""),
    ],
}
ANSWERS[StartTls.LMTP] = ANSWERS[StartTls.SMTP]


@pytest.mark.parametrize(
    ("protocol", "says", "category", "words"),
    [(protocol, *answer) for protocol, answers in ANSWERS.items() for answer in answers],
)
def test_what_servers_answer(
    protocol: StartTls, says: list[bytes], category: str, words: str
) -> None:
    got, detail = ending(protocol, *says)

    assert got == category
    assert words in detail


def test_an_ipv6_address_is_written_as_the_rfc_demands() -> None:
    assert hold(dialogue(StartTls.SMTP, local="2001:db8::9"), SMTP_HELLO)[1] == (
        b"EHLO [IPv6:2001:db8::9]\r\n"
    )


def test_capabilities_in_the_greeting_spare_a_question() -> None:
    assert hold(dialogue(StartTls.IMAP), IMAP_HELLO)[1] == b"a2 STARTTLS\r\n"
