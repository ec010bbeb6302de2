from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.model.client import Stack
from stress.model.target import Target
from stress.planning.connection_options import STACK_VARIABLE, asking_of, credentials_of
from stress.planning.request import Request

Write = Callable[[str, str], Path]

HOST = Target("edge.example.com")
NODE = Target("192.0.2.1")


@pytest.mark.skipif(STACK_VARIABLE in os.environ, reason="another library is the default")
def test_by_itself_the_host_is_sent_and_checked() -> None:
    asking = asking_of(Request(), HOST)

    assert [client.name for client in asking.clients] == ["generic"]
    assert (asking.stack, asking.server_name, asking.host) == (
        Stack.BORINGSSL,
        HOST.host,
        HOST.host,
    )
    assert (asking.sources, asking.proxy_protocol, asking.certificate) == ((), None, None)


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
    asking = asking_of(Request(sni=sni), target)

    assert (asking.server_name, asking.host) == (sent, checked)


def test_sources_are_dialled_in_turn_and_once_each() -> None:
    asking = asking_of(Request(sources=("127.0.0.1", "127.0.0.1"), proxy_protocol="V2"), HOST)

    assert asking.sources == ("127.0.0.1",)
    assert asking.proxy_protocol == "v2"


@pytest.mark.parametrize(
    ("asked", "share"), [(None, 0.0), ("0", 0.0), ("0%", 0.0), ("70%", 0.7), ("1", 1.0)]
)
def test_a_share_of_the_attempts_resumes(asked: str | None, share: float) -> None:
    request = Request(resumption=asked, stack="openssl")

    assert asking_of(request, HOST).resumption == share


@pytest.mark.skipif(STACK_VARIABLE in os.environ, reason="another library is the default")
def test_boringssl_resumes_for_clients_of_tls12_only() -> None:
    assert asking_of(Request(resumption="50%", clients=("tls12-only",)), HOST).resumption == 0.5
    with pytest.raises(
        UsageError, match=r"BoringSSL cannot resume TLS 1\.3, which generic"
    ) as error:
        asking_of(Request(resumption="50%", clients=("tls12-only=2", "generic")), HOST)

    assert "--stack openssl" in (error.value.hint or "")


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request(resumption="120%"), "--resumption: "),
        (Request(resumption="often"), "--resumption: "),
        (Request(sni="192.0.2.1"), "--sni: .* is an address"),
        (Request(sni="*.example.com"), "--sni: .* is no host name"),
        (Request(sni=""), "--sni: "),
        (Request(stack="openss"), "--stack: .* is not one of boringssl, openssl"),
        (Request(proxy_protocol="v3"), "--proxy-protocol: .* is not one of v1, v2"),
        (Request(sources=("eth0",)), "--source: .* is no IP address"),
        (Request(sources=("192.0.2.1",)), "--source: 192.0.2.1 is none of this machine's"),
        (Request(resolver="dns.example"), "--resolver: .* is no IP address"),
        (Request(clients=("genric",)), "--client: there is no client"),
        (Request(key="me.key"), "--key without --cert"),
        (Request(cert="none/here.pem"), "--cert: none/here.pem: cannot be read"),
    ],
)
def test_a_bad_asking_option_is_explained(request_: Request, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        asking_of(request_, HOST)


def test_a_file_without_certificate_or_key_is_refused(write: Write) -> None:
    empty = str(write("empty.pem", "nothing\n"))
    half = str(write("half.pem", "-----BEGIN CERTIFICATE-----\n"))

    with pytest.raises(UsageError, match=r"--cert: .* holds no certificate in PEM"):
        credentials_of(Request(cert=empty))
    with pytest.raises(UsageError, match=r"--cert: .* holds no private key in PEM"):
        credentials_of(Request(cert=half))
    with pytest.raises(UsageError, match=r"--key: .* holds no private key in PEM"):
        credentials_of(Request(cert=half, key=empty))


def test_one_file_may_hold_both(write: Write) -> None:
    both = str(write("both.pem", "-----BEGIN CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\n"))

    assert credentials_of(Request(cert=both)) == (both, both)


def test_a_client_that_the_stack_cannot_speak_is_refused(write: Write) -> None:
    strange = str(write("strange.toml", 'cipher-suites = ["0xfafe"]\n'))

    with pytest.raises(UsageError):
        asking_of(Request(clients=(strange,)), HOST)
