"""Farms whose fault depends on the client: the right clients fail, and no others."""

from __future__ import annotations

from collections import Counter

import pytest
from OpenSSL import SSL

from stress.lab.farm import start
from tests.lab.client import PLAIN, Kind, Seen, handshakes

pytestmark = pytest.mark.slow

OLD = Kind(best=SSL.TLS1_2_VERSION)
RSA = Kind(best=SSL.TLS1_2_VERSION, ciphers=b"aRSA")
NAMELESS = Kind(name=None)
LARGE = Kind(padding=2_000)


def by_kind(seen: list[Seen], kinds: int) -> list[Counter[tuple[str, str | None]]]:
    """Outcomes and chains of each kind; `handshakes` uses the kinds in the order of the list."""
    return [Counter((one.outcome, one.chain) for one in seen[at::kinds]) for at in range(kinds)]


@pytest.mark.parametrize(
    ("name", "one", "odd"),
    [
        ("ecdsa-only", PLAIN, RSA),
        ("no-sni-default", PLAIN, NAMELESS),
        ("mlkem-chain", OLD, LARGE),
    ],
    ids=str,
)
def test_one_kind_of_client_gets_one_chain_and_the_other_another(
    name: str, one: Kind, odd: Kind
) -> None:
    with start(name) as farm:
        seen = handshakes(farm.addresses, 40, one, odd, at_once=1)
    plain, other = by_kind(seen, 2)

    assert list(plain.values()) == [20]
    assert list(other.values()) == [20]
    assert set(plain) != set(other)


def test_only_large_hellos_are_reset() -> None:
    with start("mlkem-splits") as farm:
        seen = handshakes(farm.addresses, 40, OLD, LARGE, at_once=1)
        faulted = farm.faulted()
    small, large = by_kind(seen, 2)

    assert {outcome for outcome, _ in small} == {"ok"}
    assert set(large) == {("reset", None)}
    assert sum(faulted.values()) == 20


def test_tls12_clients_get_the_leaf_alone_at_one_address_of_four() -> None:
    with start("bad-only-tls12") as farm:
        seen = handshakes(farm.addresses, 80, PLAIN, OLD, at_once=1)
        faulted = farm.faulted()
    common = Counter(one.chain for one in seen).most_common(1)[0][0]
    bad = [one for one in seen if one.chain != common]

    assert len(bad) == sum(faulted.values()) == 80 * farm.planted.share
    assert {one.version for one in bad} == {"TLSv1.2"}
    assert {("address", str(one.address)) for one in bad} == {farm.planted.dimensions[0]}
