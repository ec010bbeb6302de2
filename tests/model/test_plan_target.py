"""Targets and addresses are valid from the start, and read as people write them."""

from __future__ import annotations

import pytest

from stress.model.plan import Address, Target


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (Target("a.test"), "a.test:443"),
        (Target("192.0.2.1", 8443), "192.0.2.1:8443"),
        (Target("2001:db8::1", 65535), "[2001:db8::1]:65535"),
    ],
)
def test_a_target_is_shown_as_it_is_typed(target: Target, text: str) -> None:
    assert str(target) == text


@pytest.mark.parametrize(("host", "port"), [("", 443), ("a.test", 0), ("a.test", 65536)])
def test_a_target_that_cannot_be_is_not_made(host: str, port: int) -> None:
    with pytest.raises(ValueError, match=r"host|port"):
        Target(host, port)


@pytest.mark.parametrize(
    ("host", "literal"), [("192.0.2.1", True), ("2001:db8::1", True), ("a.test", False)]
)
def test_a_target_knows_whether_there_is_a_name_to_resolve(host: str, literal: bool) -> None:
    assert (Target(host).literal is not None) is literal


@pytest.mark.parametrize(
    ("address", "family", "text"),
    [
        (Address("192.0.2.1", 443), "ipv4", "192.0.2.1:443"),
        (Address("2001:db8::1", 443, "new"), "ipv6", "[2001:db8::1]:443"),
    ],
)
def test_an_address_shows_its_family_and_its_port(address: Address, family: str, text: str) -> None:
    assert (address.family, str(address)) == (family, text)
