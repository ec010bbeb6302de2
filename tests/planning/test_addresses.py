from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.errors import UsageError
from stress.model.plan import Address, Target
from stress.planning.addresses import (
    Resolution,
    connectable,
    gathered,
    parse_address,
    places_of,
    read_addresses,
)
from stress.planning.request import Request

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


HOST = Target("edge.example", 8443)
NO_ROUTE = "fe80::1"


def find(request: Request, *ips: str, target: Target = HOST, source: str = "") -> Resolution:
    """What is dialled when the name stands for these addresses."""

    async def resolve(asked: Target, resolver: str | None, /) -> Resolution:
        ttl_s = None if asked.literal else 30.0
        return Resolution(tuple(Address(ip, asked.port) for ip in ips), ttl_s)

    def reaches(ip: str) -> bool:
        return not ip.startswith("fe80")

    return places_of(request, target, (source,) if source else (), resolve=resolve, reaches=reaches)


def test_a_name_stands_for_all_its_addresses_until_its_ttl() -> None:
    places = find(Request(), "127.0.0.1", "127.0.0.2")

    assert places == Resolution((Address("127.0.0.1", 8443), Address("127.0.0.2", 8443)), 30.0)


def test_addresses_given_by_hand_replace_the_name_and_stay(write: Write) -> None:
    file = str(write("nodes.txt", "192.0.2.2:9 node-2\n192.0.2.1 node-1\n"))

    places = find(Request(addresses_inline=("192.0.2.1=node-1",), addresses_file=file), "127.0.0.1")

    assert places.ttl_s is None
    assert places.addresses == (
        Address("192.0.2.1", 8443, "node-1"),
        Address("192.0.2.2", 9, "node-2"),
    )


def test_a_bad_address_by_hand_is_named_by_its_option() -> None:
    with pytest.raises(UsageError, match=r"--address: .* is not an IP address"):
        find(Request(addresses_inline=("node-1",)))


def test_what_this_machine_cannot_reach_is_left_out_and_told() -> None:
    places = find(Request(), "127.0.0.1", NO_ROUTE)

    assert [address.ip for address in places.addresses] == ["127.0.0.1"]
    assert "no route" in places.notes[0]
    assert NO_ROUTE in places.notes[0]


def test_where_nothing_can_be_reached_the_run_shall_show_it() -> None:
    assert [address.ip for address in find(Request(), NO_ROUTE).addresses] == [NO_ROUTE]


def test_an_address_as_target_is_dialled_whatever_the_routes() -> None:
    target = Target(NO_ROUTE)

    assert [a.ip for a in find(Request(), NO_ROUTE, target=target).addresses] == [NO_ROUTE]


def test_a_source_dials_its_own_family_only() -> None:
    places = find(Request(), "127.0.0.1", "::1", source="127.0.0.1")

    assert [address.ip for address in places.addresses] == ["127.0.0.1"]
    with pytest.raises(UsageError, match="IPv4 and IPv6 do not mix"):
        find(Request(addresses_inline=("::1",)), source="127.0.0.1")


def test_without_sources_everything_can_be_dialled() -> None:
    both = (Address("127.0.0.1", 443), Address("::1", 443))

    assert connectable(both, ()) == both
    assert connectable(both, ("::1",)) == both[1:]


def test_many_that_are_left_out_are_counted() -> None:
    places = find(Request(), *(f"fe80::{n}" for n in range(1, 6)), "127.0.0.1")

    assert "and 2 more" in places.notes[0]
