"""A process of the farm, from its orders to its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from stress.errors import LabError
from stress.lab.blueprint import Balancing, Identity, Pool, Process
from stress.lab.farm import Child
from stress.lab.scenario import row
from stress.lab.site import Site
from tests.lab.client import ask

pytestmark = pytest.mark.slow


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    """Ends what a test has started."""
    with ExitStack() as stack:
        yield stack


def begin(site: Site, cleanup: ExitStack) -> tuple[Child, Pool]:
    nodes = row([site.show("good", site.leaf())] * 2)
    pool = Pool((site.front(),), Balancing.ROUND_ROBIN, nodes)
    child = Child(Process((pool,)), site.write("child.log", b""))
    cleanup.callback(child.end)
    return child, pool


def test_a_child_serves_counts_and_keeps_its_count_after_its_end(
    site: Site, cleanup: ExitStack
) -> None:
    child, pool = begin(site, cleanup)
    child.wait_ready()
    before = child.count()
    ask([pool.fronts[0].address], 5)
    child.end()
    after = child.count()

    assert (before.served, before.first_ns) == ({"node-01": 0, "node-02": 0}, None)
    assert after.served == {"node-01": 3, "node-02": 2}
    assert after.first_ns is not None
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_the_interrupt_of_the_terminal_is_left_to_the_parent(
    site: Site, cleanup: ExitStack
) -> None:
    child, pool = begin(site, cleanup)
    child.wait_ready()
    os.kill(child.pid, signal.SIGINT)
    (seen,) = ask([pool.fronts[0].address], 1)

    assert seen.outcome == "ok"


def test_a_child_that_was_killed_is_a_lab_error_and_can_still_be_ended(
    site: Site, cleanup: ExitStack
) -> None:
    child, _ = begin(site, cleanup)
    child.wait_ready()
    os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(LabError, match=f"process {child.pid} ended by itself"):
        child.count()
    child.end()
    assert sum(child.count().served.values()) == 0


def test_a_child_that_cannot_obey_says_why(site: Site, cleanup: ExitStack) -> None:
    front = site.front()
    missing = row([site.show("good", site.leaf())])[0]
    broken = type(missing)("broken", Identity((str(site.ca_file.with_name("missing.pem")),)))
    orders = Process((Pool((front,), Balancing.ROUND_ROBIN, (broken,)),))
    child = Child(orders, site.write("child.log", b""))
    cleanup.callback(child.end)

    with pytest.raises(LabError, match="ended by itself") as caught:
        child.wait_ready()
    assert "OpenSSL.SSL.Error" in (caught.value.hint or "")
