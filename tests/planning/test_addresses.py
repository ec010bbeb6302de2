from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.errors import UsageError
from stress.model.target import Address
from stress.planning.addresses import gathered, parse_address, read_addresses

Write = Callable[[str, str], Path]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", Address("192.0.2.1", 8443)),
        ("192.0.2.1:444", Address("192.0.2.1", 444)),
        ("192.0.2.1=node-7", Address("192.0.2.1", 8443, "node-7")),
        ("[::1]:444=node 8", Address("::1", 444, "node 8")),
        ("2001:DB8::1=v6", Address("2001:db8::1", 8443, "v6")),
        ("192.0.2.1=rack=3", Address("192.0.2.1", 8443, "rack=3")),
    ],
)
def test_an_address_is_read_with_port_and_label(text: str, address: Address) -> None:
    assert parse_address(text, 8443) == address


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("example.com", "is not an IP address"),
        ("192.0.2.1:0", "is not a valid port"),
        ("192.0.2.1=", "empty label"),
        ("[fe80::1%nosuch]:443", "this machine has no interface"),
        ("192.0.2.1=\x1b[31m", "unprintable"),
        ("", "has no host"),
    ],
)
def test_what_is_no_address_is_explained(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_address(text, 443)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    message = ""
    try:
        parse_address(text, 443)
    except UsageError as error:
        message = error.message

    assert message.isprintable()


def test_a_file_has_an_address_a_line_with_comments(write: Write) -> None:
    file = write(
        "nodes.txt",
        "# the pool\n192.0.2.1 node-1\n\n192.0.2.2:444\tnode 2  # new\n[::1]:9\n192.0.2.1 node-1\n",
    )

    assert read_addresses(str(file), 443) == (
        Address("192.0.2.1", 443, "node-1"),
        Address("192.0.2.2", 444, "node 2"),
        Address("::1", 9),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("192.0.2.1\nnode-1\n", "nodes.txt, line 2: .* is not an IP address"),
        ("192.0.2.1:99999\n", "nodes.txt, line 1: .* is not a valid port"),
        ("# nothing\n", "nodes.txt: contains no address"),
        ("192.0.2.1 a\n192.0.2.1 b\n", "two labels"),
    ],
)
def test_a_bad_line_is_named_by_file_and_number(write: Write, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_addresses(str(write("nodes.txt", text)), 443)


def test_a_file_that_cannot_be_read_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(UsageError, match="cannot be read"):
        read_addresses(str(tmp_path / "none"), 443)
    with pytest.raises(UsageError, match="cannot be read"):
        read_addresses(str(tmp_path), 443)
    with pytest.raises(UsageError, match="is not text"):
        read_addresses(str(tmp_path / "binary"), 443)


def test_more_addresses_than_a_report_can_hold_are_refused() -> None:
    many = (Address("192.0.2.1", port) for port in range(1, 10_002))

    with pytest.raises(UsageError, match="at most 10,000"):
        gathered(many, "nodes.txt")
