from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.model.target import Address, Target
from stress.planning.addresses import Places, connectable, places_of
from stress.planning.request import Request
from stress.planning.resolution import Resolution

Write = Callable[[str, str], Path]

HOST = Target("edge.example", 8443)
NO_ROUTE = "fe80::1"


def find(request: Request, *ips: str, target: Target = HOST, source: str = "") -> Places:
    """What is dialled when the name stands for these addresses."""

    async def resolve(asked: Target, resolver: str | None, /) -> Resolution:
        ttl_s = None if asked.literal else 30.0
        return Resolution(tuple(Address(ip, asked.port) for ip in ips), ttl_s)

    def reaches(ip: str) -> bool:
        return not ip.startswith("fe80")

    return places_of(request, target, (source,) if source else (), resolve=resolve, reaches=reaches)


def test_a_name_stands_for_all_its_addresses_until_its_ttl() -> None:
    places = find(Request(), "127.0.0.1", "127.0.0.2")

    assert places == Places((Address("127.0.0.1", 8443), Address("127.0.0.2", 8443)), 30.0)


def test_addresses_given_by_hand_replace_the_name_and_stay(write: Write) -> None:
    file = str(write("nodes.txt", "192.0.2.2:9 node-2\n192.0.2.1 node-1\n"))

    places = find(Request(addresses_inline=("192.0.2.1=node-1",), addresses_file=file), "127.0.0.1")

    assert places.again_s is None
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
