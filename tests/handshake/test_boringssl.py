from __future__ import annotations

from typing import Any

import pytest

from stress.handshake.hello import read_hello
from stress.handshake.machine import Failure, State
from stress.model.plan import Client
from tests.handshake.ends import HOST
from tests.handshake.scripted import alert

boringssl: Any = pytest.importorskip("stress.handshake.boringssl", reason="no utls is installed")
pytestmark = pytest.mark.boringssl


def engine(client: Client) -> Any:
    return boringssl.BoringContext(client, HOST).connect()


def test_alerts_have_their_number_and_reasons_our_spelling() -> None:
    tls = engine(Client("test"))
    tls.advance(b"")
    tls.output()

    failure = tls.advance(alert(40))

    assert isinstance(failure, Failure)
    assert failure.alert == 40
    assert failure.reasons[0] == "SSLV3_ALERT_HANDSHAKE_FAILURE"


def test_a_close_in_mid_handshake_is_its_alert() -> None:
    tls = engine(Client("test"))
    tls.advance(b"")

    assert tls.advance(alert(0, 1)) == Failure((), 0)


def test_nothing_is_accepted_before_it_is_sent() -> None:
    tls = engine(Client("test"))

    assert tls.chain() == ()
    assert tls.alpn() is None
    assert tls.close() == b""
    assert tls.advance(b"") is State.WAITING


@pytest.mark.parametrize("groups", [(29,), (29, 23, 24, 25), (25, 29)])
def test_groups_alone_need_no_fingerprint(groups: tuple[int, ...]) -> None:
    context = boringssl.BoringContext(Client("test", groups=groups), HOST)
    tls = context.connect()
    tls.advance(b"")
    hello = read_hello(tls.output())

    assert context.tls.fingerprint is None
    assert hello.groups == groups
    assert hello.key_shares == groups[:1]


def test_a_duplicate_signature_algorithm_is_sent_once() -> None:
    tls = engine(Client("test", signature_algorithms=(0x0403, 0x0805, 0x0805)))
    tls.advance(b"")

    assert read_hello(tls.output()).signature_algorithms == (0x0403, 0x0805)


def test_a_compression_that_cannot_be_read_is_not_offered() -> None:
    tls = engine(Client("test", compress_certificate=("zlib", "brotli")))
    tls.advance(b"")

    assert read_hello(tls.output()).compress_certificate == ("brotli",)
