from __future__ import annotations

import pytest

from stress.host.addresses import is_public, source_address


@pytest.mark.parametrize(
    ("ip", "public"),
    [
        ("8.8.8.8", True),
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::808:808", True),
        ("2002:808:808::1", True),
        ("::8.8.8.8", True),
        ("2001:0:7f00:1::", True),  # Teredo
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", True),
        ("::ffff:0:808:808", True),  # translated
        ("64:ff9b:1::808:808", True),  # NAT64 of one's own
        ("127.0.0.1", False),
        ("127.9.9.9", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.1.1", False),
        ("100.64.0.1", False),
        ("192.0.2.1", False),
        ("198.18.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("2001:db8::1", False),
        ("::ffff:10.1.2.3", False),
        ("64:ff9b::a01:203", False),
        ("2002:a01:203::1", False),
        ("::10.1.2.3", False),
        ("224.0.0.1", False),
        ("ff0e::1", False),
        ("fec0::1", False),  # site-local, of old
        ("3fff::1", False),
        ("4000::1", False),
        ("::ffff:0:7f00:1", False),
        ("64:ff9b:1::a01:203", False),
        ("0.0.0.0", False),
        ("::", False),
    ],
)
def test_only_addresses_of_the_public_internet_are_public(ip: str, public: bool) -> None:
    assert is_public(ip) is public


def test_loopback_is_reached_from_loopback_and_nonsense_from_nowhere() -> None:
    assert source_address("127.0.0.1") == "127.0.0.1"
    assert source_address("fe80::1%no-such-interface") is None
