"""A process under many clients at once, with several pools, and with a pace."""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from stress.lab.blueprint import Balancing, Pool, Process
from stress.lab.farm import Child
from stress.lab.scenario import row
from stress.lab.site import Site
from tests.lab.client import ask

pytestmark = pytest.mark.slow

Begin = Callable[..., Child]


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


def test_a_thousand_clients_at_once_are_all_served(site: Site, begin: Begin, many: int) -> None:
    pool = Pool((site.front(),), Balancing.ROUND_ROBIN, row([site.show("good", site.leaf())] * 4))
    child = begin(pool)
    seen = ask([pool.fronts[0].address], many, at_once=many)

    assert {one.outcome for one in seen} == {"ok"}
    assert set(child.count().served.values()) == {many // 4}


def test_pools_are_apart(site: Site, begin: Begin) -> None:
    left, right = site.show("left", site.leaf()), site.show("right", site.leaf())
    pools = [
        Pool((site.front(),), Balancing.ROUND_ROBIN, row([shown], prefix=name))
        for shown, name in ((left, "left"), (right, "right"))
    ]
    child = begin(*pools)
    addresses = [pool.fronts[0].address for pool in pools]
    seen = ask(addresses, 4)

    assert {(one.address, one.chain) for one in seen} == {
        (addresses[0], left.sha256),
        (addresses[1], right.sha256),
    }
    assert child.count().served == {"left-01": 2, "right-01": 2}


def test_one_pool_may_have_several_fronts(site: Site, begin: Begin) -> None:
    nodes = row([site.show("good", site.leaf())])
    pool = Pool(site.fronts(2), Balancing.ROUND_ROBIN, nodes)
    child = begin(pool)
    ask([front.address for front in pool.fronts], 4)

    assert child.count().served == {"node-01": 4}


def test_the_process_ends_when_its_orders_end_and_its_port_is_free(
    site: Site, begin: Begin
) -> None:
    pool = Pool((site.front(),), Balancing.ROUND_ROBIN, row([site.show("good", site.leaf())]))
    child = begin(pool)
    site.close_sockets()
    child.end()
    front = pool.fronts[0]

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((front.ip, front.port))
