from __future__ import annotations

from socket import if_nameindex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.errors import UsageError
from stress.model.plan import Target
from stress.planning.targets import host_name, literal, parse_target

NUMBER, ZONE = if_nameindex()[0]


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("example.com", "example.com", 443),
        (" Example.COM ", "example.com", 443),
        ("example.com:8443", "example.com", 8443),
        ("192.0.2.1:443", "192.0.2.1", 443),
        ("192.0.2.1", "192.0.2.1", 443),
        ("[2001:db8::1]:8443", "2001:db8::1", 8443),
        ("[2001:db8::1]", "2001:db8::1", 443),
        ("2001:db8::1", "2001:db8::1", 443),
        ("::1", "::1", 443),
        ("[::1:443]", "::1:443", 443),
        ("2001:db8::a:7f", "2001:db8::a:7f", 443),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", 443),
        ("https://example.com", "example.com", 443),
        ("HTTPS://example.com:8443/", "example.com", 8443),
        ("https://[::1]:9443/", "::1", 9443),
        (f"[fe80::1%{ZONE}]:8443", f"fe80::1%{ZONE}", 8443),
        (f"fe80::1%{NUMBER}", f"fe80::1%{NUMBER}", 443),
        ("bücher.example:65535", "xn--bcher-kva.example", 65535),
    ],
)
def test_a_target_is_read_in_each_of_its_forms(text: str, host: str, port: int) -> None:
    assert parse_target(text) == Target(host, port)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("https:///", "empty"),
        ("example.com:0", '"0" is not a valid port'),
        ("example.com:70000", '"70000" is not a valid port'),
        ("example.com:", '"" is not a valid port'),
        ("example.com:https", '"https" is not a valid port'),
        ("example.com:٤٤٣", "is not a valid port"),
        (":443", "has no host"),
        ("[::1", "brackets"),
        ("[::1]x", "brackets"),
        ("[example.com]:443", "is not an IPv6 address"),
        ("[1.2.3.4]:443", "is not an IPv6 address"),
        ("2001:db8::zz", "several colons"),
        ("::1:443", "port 443 of ::1"),
        ("2001:db8::7:8443", "port 8443 of 2001:db8::7"),
        ("http://example.com/", 'the scheme "http" is not supported'),
        ("https://example.com/login", "a TLS handshake never sends"),
        ("https://example.com?a=b", "a TLS handshake never sends"),
        ("example.com/index.html", "a TLS handshake never sends"),
        ("example.com/", "ends in a slash"),
        ("300.1.1.1", "nor an IPv4 address"),
        ("[fe80::1%nosuch]", 'no interface "nosuch"'),
        ("fe80::1%99999999999", "this machine has no interface"),
        ("exa mple.com", "has invalid characters"),
    ],
)
def test_what_is_no_target_is_explained(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(text)

    assert says in caught.value.message
    assert caught.value.hint
    assert len(caught.value.message) <= 100


@pytest.mark.parametrize("text", ["https://me:secret@example.com/", "me:secret@example.com"])
def test_a_password_in_a_target_is_never_repeated(text: str) -> None:
    with pytest.raises(UsageError, match="user name or password") as caught:
        parse_target(text)

    assert "secret" not in f"{caught.value.message}{caught.value.hint}"


@given(st.text() | st.text(alphabet="[]:./0123456789abc@%"))
def test_any_text_is_a_target_or_refused(text: str) -> None:
    try:
        target = parse_target(text)
    except UsageError:
        return
    assert parse_target(str(target)) == target


@pytest.mark.parametrize("text", ["/etc/passwd", "//example.com", "https:/example.com"])
def test_where_no_host_would_be_left_the_forms_are_shown(text: str) -> None:
    with pytest.raises(UsageError, match="has a path") as caught:
        parse_target(text)

    assert "Write host, host:port" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["a..b", "\u2603", "a b", "a." * 140 + "b", "x" * 64, "1.2.3"])
def test_whatever_is_no_host_name_gets_a_hint(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(text)

    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE.com.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("bücher。example\uff0e", "xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),
        (".".join(["a" * 60] * 4) + ".lab.test.", ".".join(["a" * 60] * 4) + ".lab.test"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("node_7.internal", "node_7.internal"),
        ("localhost", "localhost"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_a_host_name_becomes_what_dns_and_sni_carry(text: str, name: str) -> None:
    assert host_name(text) == name


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a" * 64 + ".example", "has 64 bytes; a host name allows 63"),
        ("ü" * 64 + ".example", "is not a host name"),
        (".".join(["a" * 60] * 5), "longer than 253"),
        ("two..dots", "is empty"),
        (".", "is empty"),
        ("with space.example", "has invalid characters"),
        ("*.example.com", "has invalid characters"),
        ("-dash.example", "has invalid characters"),
        ("1.2.3.999", "neither a host name nor an IPv4 address"),
        ("127.1", "neither a host name nor an IPv4 address"),
        ("0x7f000001", "neither a host name nor an IPv4 address"),
        ("127.0.0.0x1", "neither a host name nor an IPv4 address"),
        ("\uff11\uff12\uff17.0.0.1", "neither a host name nor an IPv4 address"),
        (".".join(["a" * 60] * 4) + ".lab.test.x", "longer than 253"),
        ("a\x1b[31m.example", "has invalid characters"),
    ],
)
def test_what_no_name_may_be_is_explained(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        host_name(text)

    assert says in caught.value.message
    assert caught.value.message.isprintable()


@given(st.text())
def test_any_text_is_a_host_name_or_refused(text: str) -> None:
    try:
        name = host_name(text)
    except UsageError:
        return
    assert name.isascii()
    assert host_name(name) == name


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("192.0.2.1", "192.0.2.1"), ("2001:DB8:0::1", "2001:db8::1"), ("example.com", None)],
)
def test_an_address_is_written_canonically(text: str, canonical: str | None) -> None:
    assert literal(text) == canonical
