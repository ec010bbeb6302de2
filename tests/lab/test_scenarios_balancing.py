"""Round robin, port hashes and two causes at once, seen from the client."""

from __future__ import annotations

from collections import Counter
from zlib import crc32

import pytest
from OpenSSL import SSL

from stress.lab.farm import start
from tests.lab.client import PLAIN, Kind, handshakes

pytestmark = pytest.mark.slow

OLD = Kind(best=SSL.TLS1_2_VERSION)


def test_in_strict_turn_each_eighth_connection_is_bad() -> None:
    with start("round-robin-1-of-8") as farm:
        seen = handshakes(farm.addresses, 64, at_once=1)
    bad = [
        turn for turn, one in enumerate(seen, 1) if ("chain", one.chain) in farm.planted.dimensions
    ]

    assert bad == list(range(8, 65, 8))


def test_the_clients_port_alone_decides_over_its_fate() -> None:
    with start("source-port-hash") as farm:
        seen = handshakes(farm.addresses, 400)
        served = farm.served()
    common = Counter(one.chain for one in seen).most_common(1)[0][0]
    bad = {one.port for one in seen if one.chain != common}

    assert bad == {one.port for one in seen if crc32(one.port.to_bytes(2, "big")) % 8 == 7}
    assert 20 < served["node-08"] < 90


def test_two_causes_are_where_they_were_planted() -> None:
    with start("two-causes", seed=4) as farm:
        seen = handshakes(farm.addresses, 400, PLAIN, OLD)
        served, faulted = farm.served(), farm.faulted()
    common = Counter(one.chain for one in seen if one.chain).most_common(1)[0][0]
    odd = [one for one in seen if one.chain not in {common, None}]
    reset = [one for one in seen if one.outcome == "reset"]
    (other,) = farm.planted.also

    assert {("address", str(one.address)) for one in odd} == set(farm.planted.dimensions)
    assert len(reset) == sum(faulted.values())
    assert len(odd) == served["second-04"] - faulted["second-04"]
    assert len(odd) / 400 == pytest.approx(farm.planted.share, abs=0.08)
    assert len(reset) / 400 == pytest.approx(other.share, abs=0.08)
