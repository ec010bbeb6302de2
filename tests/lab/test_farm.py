"""A farm from start to end: it never outlives us and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from stress.errors import LabError, UsageError
from stress.lab.blueprint import Balancing, NodeSpec, Pool, Process
from stress.lab.farm import Child, start
from stress.lab.scenarios import scenarios
from stress.lab.site import Site
from stress.model.plan import Address
from tests.lab.client import handshakes

PARENT = """
import sys
from stress.lab.farm import start
farm = start("healthy")
address = farm.addresses[0]
print(address.ip, address.port, farm.ca_file.parent, flush=True)
sys.stdin.read()
"""


def test_an_unknown_scenario_is_a_usage_error_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="no scenario named 'missing-intermediates'") as caught:
        start("missing-intermediates")

    assert (caught.value.hint or "").startswith('Did you mean "missing-intermediate"?')


def test_a_folder_without_a_parent_is_a_lab_error(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot use the folder"):
        start("healthy", folder=tmp_path / "no" / "where")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_farm_is_what_its_scenario_says_and_gone_after_closing(tmp_path: Path) -> None:
    folder = tmp_path / "farm"
    with start("healthy", folder=folder) as farm:
        handshakes(farm.addresses, 12)
        pids = [child.pid for child in farm.children]
        assert farm.ca_file.parent == folder
        assert [file for file in folder.iterdir() if b"PRIVATE KEY" in file.read_bytes()] == []
        assert farm.first_ns() is not None
        assert farm.windows_ns() == ()
    farm.close()

    assert farm.scenario == scenarios()["healthy"]
    assert farm.host == "www.lab.test"
    assert sum(farm.served().values()) == 12
    assert sum(farm.faulted().values()) == 0
    assert list(tmp_path.iterdir()) == []
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.slow
def test_what_was_in_the_folder_before_stays(tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("mine")
    with start("healthy", folder=tmp_path) as farm:
        assert farm.ca_file.exists()

    assert list(tmp_path.iterdir()) == [note]


@pytest.mark.slow
def test_the_same_seed_repeats_the_balancer_and_another_does_not() -> None:
    served = []
    for seed in (1, 1, 2):
        with start("stale-certificate", seed=seed) as farm:
            handshakes(farm.addresses, 60, at_once=1)
            served.append(farm.served())

    assert served[0] == served[1]
    assert served[0] != served[2]


@pytest.mark.slow
def test_a_farm_dies_with_its_parent_however_that_ends() -> None:
    """An open connection shows without polling when the farm's process is at its end."""
    command = [sys.executable, "-c", PARENT]
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
    ) as parent:
        assert parent.stdout is not None
        ip, port, folder = parent.stdout.readline().split()
        address = Address(ip, int(port))
        with socket.create_connection((address.ip, address.port), timeout=20) as open_one:
            (seen,) = handshakes([address], 1)
            parent.kill()
            last = open_one.recv(1)

    assert seen.outcome == "ok"
    assert last == b""
    assert not Path(folder).exists()
    assert is_refused_in_the_end(address)


def is_refused_in_the_end(address: Address) -> bool:
    """The last connections may still meet a listening socket whose process is on its way out."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection((address.ip, address.port)).close()
        except ConnectionRefusedError:
            return True
        except OSError:
            continue
    return False


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    """Ends what a test has started."""
    with ExitStack() as stack:
        yield stack


def begin(site: Site, cleanup: ExitStack) -> tuple[Child, Pool]:
    site.shown("good.pem")
    pool = Pool((NodeSpec(number=2),), site.front(), Balancing.ROUND_ROBIN)
    child = Child(Process((pool,), str(site.folder)), site.write("child.log", b""))
    cleanup.callback(child.end)
    return child, pool


@pytest.mark.slow
def test_a_child_serves_counts_and_keeps_its_count_after_its_end(
    site: Site, cleanup: ExitStack
) -> None:
    child, pool = begin(site, cleanup)
    child.wait_ready()
    before = child.count()
    handshakes([pool.front.address], 5)
    child.end()
    after = child.count()

    assert (before.served, before.first_ns) == ({"node-01": 0, "node-02": 0}, None)
    assert after.served == {"node-01": 3, "node-02": 2}
    assert after.first_ns is not None
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


@pytest.mark.slow
def test_a_child_leaves_ctrl_c_to_the_parent(site: Site, cleanup: ExitStack) -> None:
    child, pool = begin(site, cleanup)
    child.wait_ready()
    os.kill(child.pid, signal.SIGINT)
    (seen,) = handshakes([pool.front.address], 1)

    assert seen.outcome == "ok"


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_child_that_cannot_serve_says_why(site: Site, cleanup: ExitStack) -> None:
    front = site.front()
    orders = Process((Pool((NodeSpec("broken"),), front),), str(site.folder))
    child = Child(orders, site.write("child.log", b""))
    cleanup.callback(child.end)

    with pytest.raises(LabError, match="ended by itself") as caught:
        child.wait_ready()
    assert "OpenSSL.SSL.Error" in (caught.value.hint or "")
