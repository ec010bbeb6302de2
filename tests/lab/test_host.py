"""A process under many clients and with several pools; each policy balances as its name says."""

from __future__ import annotations

import resource
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.lab.blueprint import Balancing, Identity, NodeSpec, Pool, Process
from stress.lab.farm import Child
from stress.lab.host import balancer
from stress.lab.site import Site
from tests.lab.client import handshakes

Begin = Callable[..., Child]


def good(site: Site, number: int = 1) -> NodeSpec:
    """So many nodes without faults."""
    return NodeSpec(identity=Identity((site.shown("good.pem").file,)), number=number)


@pytest.fixture
def begin(site: Site) -> Iterator[Begin]:
    with ExitStack() as stack:

        def start(*pools: Pool) -> Child:
            child = Child(Process(pools), site.write("child.log", b""))
            stack.callback(child.end)
            child.wait_ready()
            return child

        yield start


@pytest.fixture
def many() -> Iterator[int]:
    """A number of clients, with the file descriptors they need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1_000
    if 0 <= hard < wanted + 200:
        pytest.skip(f"only {hard} file descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted + 200), hard))
    yield wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
def test_a_thousand_clients_at_once_are_all_served(site: Site, begin: Begin, many: int) -> None:
    pool = Pool((good(site, number=4),), site.front(), Balancing.ROUND_ROBIN)
    child = begin(pool)
    seen = handshakes([pool.front.address], many, at_once=many)

    assert {one.outcome for one in seen} == {"ok"}
    assert set(child.count().served.values()) == {many // 4}


@pytest.mark.slow
def test_pools_are_apart(site: Site, begin: Begin) -> None:
    left, right = site.shown("good.pem"), site.shown("rsa.pem")
    pools = [
        Pool((NodeSpec(name, Identity((shown.file,))),), site.front())
        for shown, name in ((left, "left"), (right, "right"))
    ]
    child = begin(*pools)
    addresses = [pool.front.address for pool in pools]
    seen = handshakes(addresses, 4)

    assert {(one.address, one.chain) for one in seen} == {
        (addresses[0], left.sha256),
        (addresses[1], right.sha256),
    }
    assert child.count().served == {"left-01": 2, "right-01": 2}


@pytest.mark.slow
def test_the_process_ends_when_its_orders_end_and_its_port_is_free(
    site: Site, begin: Begin
) -> None:
    pool = Pool((good(site),), site.front())
    child = begin(pool)
    site.close_sockets()
    child.end()
    front = pool.front

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((front.ip, front.port))


def test_round_robin_rotates() -> None:
    choose = balancer(Balancing.ROUND_ROBIN, [1, 1, 1], 0)

    assert [choose(port) for port in (5, 5, 9, 9, 5)] == [0, 1, 2, 0, 1]


def test_random_shares_are_the_weights_within_chance() -> None:
    choose = balancer(Balancing.RANDOM, [0.995, 0.005], 1)
    rare = sum(choose(1) for _ in range(20_000))

    assert 60 < rare < 140


def test_the_seed_repeats_a_random_balancer_and_another_does_not() -> None:
    first, again, other = (
        [choose(1) for _ in range(50)]
        for choose in (balancer(Balancing.RANDOM, [1, 1, 1], seed) for seed in (3, 3, 4))
    )

    assert first == again
    assert first != other


@given(st.integers(0, 65_535), st.integers(1, 20))
def test_a_port_always_reaches_the_same_node(port: int, nodes: int) -> None:
    choose = balancer(Balancing.SOURCE_PORT, [1.0] * nodes, 0)

    assert choose(port) == choose(port) < nodes


@pytest.mark.parametrize("parity", [0, 1])
def test_a_port_hash_spreads_ports_of_one_parity_too(parity: int) -> None:
    """Linux gives even ports to connect() first; no node may starve."""
    choose = balancer(Balancing.SOURCE_PORT, [1.0] * 8, 0)
    chosen = Counter(choose(port) for port in range(32_768 + parity, 60_999, 2))

    assert min(chosen.values()) / max(chosen.values()) > 0.9
    assert len(chosen) == 8


@pytest.mark.parametrize("policy", Balancing)
@pytest.mark.parametrize("weights", [[], [1.0, 0.0], [-1.0]], ids=str)
def test_no_policy_accepts_zero_nodes_or_weights(
    policy: Balancing, weights: Sequence[float]
) -> None:
    with pytest.raises(ValueError, match="positive weights"):
        balancer(policy, weights, 0)


def test_a_range_of_ports_is_one_nodes_and_all_ports_are_somebodys() -> None:
    choose = balancer(Balancing.PORT_RANGE, [1.0] * 16, 0)
    ports = range(1 << 16)

    assert [choose(port) for port in ports] == [port // 4096 for port in ports]
