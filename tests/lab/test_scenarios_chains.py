"""Each scenario with real handshakes, counted on both ends."""

from __future__ import annotations

from collections import Counter

import pytest

from stress.lab.farm import start
from tests.lab.client import handshakes

pytestmark = pytest.mark.slow

ODD_NODE = {
    "missing-intermediate": "node-12",
    "stale-certificate": "node-08",
    "default-certificate": "node-08",
    "two-processes-one-port": "old-01",
    "hostile-names": "node-08",
    "one-ticket-key": "node-12",
    "no-session-tickets": "node-12",
    "second-intermediate": "node-08",
    "root-not-in-older-stores": "node-08",
    "distrusted-root": "node-08",
}


def test_a_healthy_farm_shows_one_chain_from_twelve_nodes() -> None:
    with start("healthy") as farm:
        seen = handshakes(farm.addresses, 120)
        served = farm.served()

    assert {one.outcome for one in seen} == {"ok"}
    assert len({one.chain for one in seen}) == 1
    assert set(served.values()) == {10}


@pytest.mark.parametrize("name", ODD_NODE)
def test_the_odd_chain_is_seen_as_often_as_its_node_was_served(name: str) -> None:
    """Both ends count the same; the share is as planted within five standard deviations."""
    count = 600 if name == "missing-intermediate" else 200
    with start(name, seed=7) as farm:
        seen = handshakes(farm.addresses, count)
        served = farm.served()
    odd = [one for one in seen if ("chain", one.chain) in farm.planted.dimensions]
    expected = count * farm.planted.share

    assert {one.outcome for one in seen} == {"ok"}
    assert len({one.chain for one in seen}) == 2
    assert len(odd) == served[ODD_NODE[name]] > 0
    assert sum(served.values()) == count
    assert abs(len(odd) - expected) < 5 * expected**0.5


def test_ipv6_alone_lacks_the_intermediate() -> None:
    with start("ipv6-only") as farm:
        seen = handshakes(farm.addresses, 40)
        served = farm.served()
    by_address = Counter((str(one.address), one.chain) for one in seen)

    assert [address.ip for address in farm.addresses] == ["127.0.0.1", "::1"]
    assert sorted(by_address.values()) == [20, 20]
    assert len({chain for _, chain in by_address}) == 2
    assert farm.planted.dimensions == (("address", str(farm.addresses[1])),)
    assert set(served.values()) == {10}
