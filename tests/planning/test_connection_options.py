from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.model.client import Stack
from stress.model.target import Target
from stress.planning.connection_options import STACK_VARIABLE, connection_of, credentials_of
from stress.planning.request import Request

Write = Callable[[str, str], Path]

HOST = Target("edge.example.com")
NODE = Target("192.0.2.1")


@pytest.mark.skipif(STACK_VARIABLE in os.environ, reason="another library is the default")
def test_by_itself_the_host_is_sent_and_checked() -> None:
    options = connection_of(Request(), HOST)

    assert [client.name for client in options.clients] == ["generic"]
    assert (options.stack, options.server_name, options.host) == (
        Stack.BORINGSSL,
        HOST.host,
        HOST.host,
    )
    assert (options.sources, options.certificate) == ((), None)


@pytest.mark.parametrize(
    ("sni", "target", "sent", "checked"),
    [
        (None, NODE, None, "192.0.2.1"),
        ("none", HOST, None, "edge.example.com"),
        ("None", NODE, None, "192.0.2.1"),
        ("WWW.example.com", HOST, "www.example.com", "www.example.com"),
        ("www.example.com", NODE, "www.example.com", "www.example.com"),
    ],
)
def test_the_name_sent_is_the_name_checked(
    sni: str | None, target: Target, sent: str | None, checked: str
) -> None:
    options = connection_of(Request(sni=sni), target)

    assert (options.server_name, options.host) == (sent, checked)


def test_sources_are_dialled_in_turn_and_once_each() -> None:
    options = connection_of(Request(sources=("127.0.0.1", "127.0.0.1")), HOST)

    assert options.sources == ("127.0.0.1",)


@pytest.mark.parametrize(
    ("asked", "share"), [(None, 0.0), ("0", 0.0), ("0%", 0.0), ("70%", 0.7), ("1", 1.0)]
)
def test_a_share_of_the_attempts_resumes(asked: str | None, share: float) -> None:
    request = Request(resumption=asked, stack="openssl")

    assert connection_of(request, HOST).resumption == share


@pytest.mark.skipif(STACK_VARIABLE in os.environ, reason="another library is the default")
def test_boringssl_resumes_for_clients_of_tls12_only() -> None:
    assert connection_of(Request(resumption="50%", clients=("tls12-only",)), HOST).resumption == 0.5
    with pytest.raises(
        UsageError, match=r"BoringSSL cannot resume TLS 1\.3, which generic"
    ) as error:
        connection_of(Request(resumption="50%", clients=("tls12-only=2", "generic")), HOST)

    assert "--stack openssl" in (error.value.hint or "")


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request(resumption="120%"), "--resumption: "),
        (Request(resumption="often"), "--resumption: "),
        (Request(sni="192.0.2.1"), "--sni: .* is an IP address"),
        (Request(sni="*.example.com"), "--sni: .* is not a host name"),
        (Request(sni=""), "--sni: "),
        (Request(stack="openss"), "--stack: .* is not one of boringssl, openssl"),
        (Request(sources=("eth0",)), "--source: .* is not an IP address"),
        (Request(sources=("192.0.2.1",)), "--source: 192.0.2.1 is not an address of this machine"),
        (Request(resolver="dns.example"), "--resolver: .* is not an IP address"),
        (Request(clients=("genric",)), "--client: there is no client"),
        (Request(key="me.key"), "--key without --cert"),
        (Request(cert="none/here.pem"), "--cert: none/here.pem: cannot be read"),
    ],
)
def test_a_bad_connection_option_is_explained(request_: Request, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        connection_of(request_, HOST)


def test_a_file_without_certificate_or_key_is_refused(write: Write) -> None:
    empty = str(write("empty.pem", "nothing\n"))
    half = str(write("half.pem", "-----BEGIN CERTIFICATE-----\n"))

    with pytest.raises(UsageError, match=r"--cert: .* contains no certificate in PEM"):
        credentials_of(Request(cert=empty))
    with pytest.raises(UsageError, match=r"--cert: .* contains no private key in PEM"):
        credentials_of(Request(cert=half))
    with pytest.raises(UsageError, match=r"--key: .* contains no private key in PEM"):
        credentials_of(Request(cert=half, key=empty))


def test_one_file_may_hold_both(write: Write) -> None:
    both = str(write("both.pem", "-----BEGIN CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\n"))

    assert credentials_of(Request(cert=both)) == (both, both)


def test_a_client_that_the_stack_cannot_speak_is_refused(write: Write) -> None:
    strange = str(write("strange.toml", 'cipher-suites = ["0xfafe"]\n'))

    with pytest.raises(UsageError):
        connection_of(Request(clients=(strange,)), HOST)
