from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.model.plan import Close, Load, Stack, StartTls, Target
from stress.planning.connection_options import (
    STACK_VARIABLE,
    closing_of,
    connection_of,
    credentials_of,
    default_port,
)
from stress.planning.load import ports_spent
from stress.planning.request import Request
from stress.planning.targets import parse_target

Write = Callable[[str, str], Path]

HOST = Target("edge.example.com")
NODE = Target("192.0.2.1")


@pytest.mark.skipif(STACK_VARIABLE in os.environ, reason="another library is the default")
def test_by_itself_the_host_is_sent_and_checked() -> None:
    options = connection_of(Request(), HOST)

    assert [client.name for client in options.clients] == ["generic"]
    assert (options.stack, options.server_name) == (None, HOST.host)
    assert options.stack_of(options.clients[0]) is Stack.BORINGSSL
    assert (options.sources, options.client_certificate) == ((), None)


@pytest.mark.parametrize(
    ("sni", "target", "sent"),
    [
        (None, NODE, None),
        ("none", HOST, None),
        ("None", NODE, None),
        ("WWW.example.com", HOST, "www.example.com"),
        ("www.example.com", NODE, "www.example.com"),
        ("WWW.example.com.", HOST, "www.example.com."),
        ("bücher.example", HOST, "xn--bcher-kva.example"),
        (None, parse_target("www.example.com."), "www.example.com"),
    ],
)
def test_an_address_is_never_sent_as_the_name(
    sni: str | None, target: Target, sent: str | None
) -> None:
    assert connection_of(Request(sni=sni), target).server_name == sent


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


@pytest.mark.boringssl
@pytest.mark.skipif(STACK_VARIABLE in os.environ, reason="another library is the default")
@pytest.mark.parametrize(
    ("name", "stack", "used"),
    [
        ("chrome", None, Stack.BORINGSSL),
        ("chrome", "openssl", Stack.OPENSSL),
        ("java-17", None, Stack.OPENSSL),
        ("firefox", None, Stack.OPENSSL),  # its profile says so
        ("firefox", "boringssl", Stack.BORINGSSL),
    ],
)
def test_a_client_has_the_library_that_can_send_it_unless_one_is_chosen(
    name: str, stack: str | None, used: Stack
) -> None:
    plan = connection_of(Request(clients=(name,), stack=stack), HOST)

    assert (plan.stack, plan.stack_of(plan.clients[0])) == (stack, used)


def test_a_library_that_was_chosen_is_not_replaced_by_another() -> None:
    with pytest.raises(UsageError, match=r"java-17.* cannot be expressed by BoringSSL"):
        connection_of(Request(clients=("chrome", "java-17"), stack="boringssl"), HOST)


@pytest.mark.boringssl
def test_a_client_that_no_library_can_send_is_refused_with_each_reason(write: Write) -> None:
    strange = str(write("strange.toml", 'cipher-suites = ["0xfafe"]\n'))

    with pytest.raises(UsageError, match="cannot be sent by any TLS library here") as caught:
        connection_of(Request(clients=(strange,)), HOST)

    assert "boringssl" in (caught.value.hint or "")
    assert "OpenSSL" in (caught.value.hint or "")


PORTS = 28_232


@pytest.mark.parametrize(
    ("load", "spent"),
    [
        (Load(1000, rate=50.0), 1000),
        (Load(20_000), 20_000),
        (Load(None, 30.0), None),
        (Load(None, 10.0, rate=100.0), 1000),
        (Load(None, 3600.0, concurrency=64, rate=100.0), 6064),
        (Load(1_000_000, concurrency=64, rate=100.0), 6064),
    ],
    ids=str,
)
def test_the_busiest_minute_is_what_counts(load: Load, spent: int | None) -> None:
    assert ports_spent(load) == spent


@pytest.mark.parametrize(
    ("load", "ports", "close"),
    [
        (Load(1000), PORTS, Close.FIN),
        (Load(PORTS // 2), PORTS, Close.FIN),
        (Load(PORTS // 2 + 1), PORTS, Close.RST),
        (Load(PORTS), 3 * PORTS, Close.FIN),
        (Load(None, 30.0), PORTS, Close.RST),
        (Load(None, 3600.0, rate=200.0), PORTS, Close.FIN),
        (Load(None, 3600.0, rate=500.0), PORTS, Close.RST),
    ],
    ids=str,
)
def test_auto_closes_politely_while_ports_allow(load: Load, ports: int, close: Close) -> None:
    chosen, note = closing_of(Close.AUTO, load, ports)

    assert chosen is close
    assert close.value.upper() in note


@pytest.mark.parametrize("asked", [Close.FIN, Close.RST])
def test_what_is_asked_for_is_done(asked: Close) -> None:
    assert closing_of(asked, Load(10**6), PORTS)[0] is asked


def test_fin_against_reason_is_done_with_a_warning() -> None:
    assert "local ports may run out" in closing_of(Close.FIN, Load(10**6), PORTS)[1]


@pytest.mark.parametrize(("in_flight", "is_warned"), [(16, False), (17, True)])
def test_more_in_flight_than_ports_is_warned_of(in_flight: int, is_warned: bool) -> None:
    _, note = closing_of(Close.AUTO, Load(1000, concurrency=in_flight), 16)

    assert ("only 16 of 17 can be open at the same time" in note) is is_warned


def test_what_is_held_open_keeps_its_ports_too() -> None:
    load = Load(None, 600.0, concurrency=100, rate=1_000.0, hold_s=60.0)

    assert (
        "only 28,232 of 60,100 can be open at the same time"
        in closing_of(Close.AUTO, load, PORTS)[1]
    )


@pytest.mark.parametrize(
    ("option", "port", "protocol", "says"),
    [
        (None, 443, None, False),
        (None, 25, StartTls.SMTP, True),
        (None, 587, StartTls.SMTP, True),
        (None, 143, StartTls.IMAP, True),
        (None, 110, StartTls.POP3, True),
        (None, 21, StartTls.FTP, True),
        (None, 389, StartTls.LDAP, True),
        (None, 5432, StartTls.POSTGRES, True),
        (None, 3306, StartTls.MYSQL, True),
        (None, 5222, StartTls.XMPP, True),
        (None, 4190, StartTls.SIEVE, True),
        (None, 119, StartTls.NNTP, True),
        (None, 465, None, False),
        ("none", 25, None, False),
        (" LMTP ", 25, StartTls.LMTP, False),
        ("smtp", 12525, StartTls.SMTP, False),
    ],
)
def test_a_well_known_port_implies_the_protocol_and_says_so(
    option: str | None, port: int, protocol: StartTls | None, says: bool
) -> None:
    plan = connection_of(Request(starttls=option), Target("mail.example.com", port))

    assert plan.starttls is protocol
    assert bool(plan.notes) is says
    if says:
        assert plan.notes[0] == (
            f"port {port} implies --starttls {protocol}; --starttls none begins with TLS"
        )


def test_an_unknown_protocol_gets_the_nearest_name() -> None:
    with pytest.raises(UsageError) as error:
        connection_of(Request(starttls="imaps"), HOST)

    assert "--starttls" in error.value.message
    assert "imap" in (error.value.hint or "") + error.value.message


@pytest.mark.parametrize(
    ("option", "port"), [(None, 443), ("none", 443), ("smtp", 25), ("lmtp", 24), ("xmpp", 5222)]
)
def test_the_protocol_says_which_port_is_meant(option: str | None, port: int) -> None:
    assert default_port(Request(starttls=option)) == port


@pytest.mark.parametrize("words", [{"starttls": "imap"}, {}])
def test_a_header_is_asked_of_no_protocol_but_http(words: dict[str, str]) -> None:
    port = 443 if words else 25  # the port implies it, too
    request = Request(identify="header:Via", **words)  # type: ignore[arg-type]  # of options

    with pytest.raises(UsageError, match="--identify asks by HTTP") as raised:
        connection_of(request, Target("127.0.0.1", port))

    assert "tls-stress join" in (raised.value.hint or "")
    plain = Request(identify="header:Via", starttls="none")
    assert connection_of(plain, Target("127.0.0.1", 25)).starttls is None
