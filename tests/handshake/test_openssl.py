from __future__ import annotations

import pytest

from stress.handshake.hello import SESSION_TICKET, ClientHello, read_hello
from stress.handshake.machine import Failure, State
from stress.handshake.openssl import OpenContext, OpenEngine
from stress.model.plan import Client
from tests.handshake.ends import HOST
from tests.handshake.scripted import alert


def engine(client: Client) -> OpenEngine:
    return OpenContext(client, HOST).connect()


def hello(client: Client) -> ClientHello:
    tls = engine(client)
    tls.advance(b"")
    return read_hello(tls.output())


# Not among them: those that OpenSSL has no word for (52, 90, 100, 117) or reads otherwise (0).
WORDED = [10, 20, 21, 22, 30, 40, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 60, 70, 71, 80, 86]
WORDED += [109, 110, 111, 112, 113, 114, 115, 116, 120]


@pytest.mark.parametrize("number", WORDED)
def test_every_name_of_an_alert_leads_to_its_number(number: int) -> None:
    tls = engine(Client("test"))
    tls.advance(b"")

    failure = tls.advance(alert(number))

    assert isinstance(failure, Failure)
    assert failure.alert == number


def test_a_close_in_mid_handshake_is_its_alert() -> None:
    tls = engine(Client("test"))
    tls.advance(b"")

    assert tls.advance(alert(0, 1)) == Failure((), 0)


def test_nothing_is_accepted_before_it_is_sent() -> None:
    tls = engine(Client("test"))

    assert tls.chain() == ()
    assert tls.alpn() is None
    assert not tls.resumed()
    assert tls.close() == b""
    assert tls.advance(b"") is State.WAITING


def test_a_profile_is_sent_as_it_says() -> None:
    said = hello(
        Client(
            "test",
            cipher_suites=(0x1303, 0x1301, 0xC02F, 0x002F),
            groups=(24, 4588, 29),
            key_shares=(4588, 29),
            signature_algorithms=(0x0804, 0x0201, 0x0403),
            session_tickets=False,
        )
    )

    assert said.cipher_suites == (0x1303, 0x1301, 0xC02F, 0x002F)
    assert said.groups == (24, 4588, 29)
    assert said.key_shares == (4588, 29)
    assert said.signature_algorithms == (0x0804, 0x0201, 0x0403)
    assert said.body(SESSION_TICKET) is None


def test_the_old_versions_are_offered_on_request() -> None:
    assert hello(Client("test", versions=(0x0302, 0x0301))).legacy_version == 0x0302
    assert hello(Client("test", versions=(0x0304, 0x0303, 0x0302, 0x0301))).versions == (
        0x0304,
        0x0303,
        0x0302,
        0x0301,
    )
