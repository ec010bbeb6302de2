"""SMTP and LMTP: what servers answer that do not go on to TLS."""

from __future__ import annotations

import pytest

from stress.model.plan import StartTls
from tests.dialogues.conversations import dialogue, ending, hold

HELLO, OFFERS = b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n"


@pytest.mark.parametrize("protocol", [StartTls.SMTP, StartTls.LMTP], ids=str)
@pytest.mark.parametrize(
    ("says", "category", "words"),
    [
        ([b"554 no service\r\n"], "starttls-refused", "554 no service"),
        ([b"421 too many connections\r\n"], "starttls-refused", "421 too many"),
        ([HELLO, b"502 5.5.2 unknown\r\n"], "starttls-not-offered", "502 5.5.2 unknown"),
        ([HELLO, b"550 go away\r\n"], "starttls-refused", "550 go away"),
        ([HELLO, b"250 mx\r\n"], "starttls-not-offered", "does not offer it"),
        ([HELLO, b"250-mx STARTTLS\r\n250 XSTARTTLS\r\n"], "starttls-not-offered", "not offer"),
        ([HELLO, OFFERS, b"454 4.7.0 TLS not available\r\n"], "starttls-refused", "454 4.7.0"),
        ([b"* OK IMAP\r\n"], "protocol-error", "not a reply of three digits: '* OK IMAP'"),
        ([b"SSH-2.0-x\r\n"], "protocol-error", "SSH-2.0-x"),
    ],
)
def test_what_does_not_lead_to_tls(
    protocol: StartTls, says: list[bytes], category: str, words: str
) -> None:
    got, detail = ending(protocol, *says)

    assert got == category
    assert words in detail


def test_an_ipv6_address_is_written_as_the_rfc_demands() -> None:
    assert hold(dialogue(StartTls.SMTP, local="2001:db8::9"), HELLO)[1] == (
        b"EHLO [IPv6:2001:db8::9]\r\n"
    )
