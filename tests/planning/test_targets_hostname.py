from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.errors import UsageError
from stress.planning.targets import host_name, literal


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE.com.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),
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
