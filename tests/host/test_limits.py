from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from stress.host.limits import (
    Machine,
    has_route,
    is_local,
    local_port_range,
    raise_open_files,
    reported_port_range,
)

LOWER = """
import resource
from stress.host.limits import raise_open_files
resource.setrlimit(resource.RLIMIT_NOFILE, (50, 200))
raise_open_files(40)
print(resource.getrlimit(resource.RLIMIT_NOFILE))
raise_open_files(150)
print(resource.getrlimit(resource.RLIMIT_NOFILE))
try:
    raise_open_files(201)
except (ValueError, OSError):
    print("refused")
"""


def test_this_machine_has_cores_and_ports() -> None:
    machine = Machine.here()

    assert machine.cores >= 1
    assert 1 <= machine.local_ports <= 65_535


@pytest.mark.slow
def test_the_soft_limit_rises_as_far_as_needed_and_never_sinks() -> None:
    """Python asked for more than the hard limit refuses; as root that is the user's right."""
    done = subprocess.run([sys.executable, "-c", LOWER], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == ["(50, 200)", "(150, 200)", "refused"]


@pytest.mark.slow
def test_a_search_that_holds_connections_gets_all_the_files_there_are() -> None:
    """Which rate it will reach, and so how many it will hold open, is what it is to find out."""
    words = LOWER.partition("raise_open_files(40)")[0]
    plan = (
        "from stress.planning.plan import plan_run\n"
        "from stress.planning.request import Request\n"
        "plan_run(Request(('127.0.0.1:443',), find_limit='failing<1%', hold='1s', rate='5',"
        " concurrency=8), now=0)\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )

    done = subprocess.run(
        [sys.executable, "-c", words + plan], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines() == ["(200, 200)"]


def test_what_is_allowed_already_is_left_alone() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    raise_open_files(1)

    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


def test_loopback_has_a_route_and_nonsense_has_none() -> None:
    assert has_route("127.0.0.1")
    assert not has_route("fe80::1%no-such-interface")


@pytest.mark.parametrize(("ip", "ours"), [("127.0.0.1", True), ("192.0.2.1", False)])
def test_an_address_is_ours_when_it_can_be_bound(ip: str, ours: bool) -> None:
    assert is_local(ip) is ours


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("32768\t60999\n", range(32_768, 61_000)),
        ("", None),
        ("garbage", None),
        ("1", None),
        ("one two", None),
        (None, None),
    ],
)
def test_the_port_range_is_read_where_the_kernel_reports_it(
    text: str | None, ports: range | None, tmp_path: Path
) -> None:
    file = tmp_path / "proc/sys/net/ipv4/ip_local_port_range"
    file.parent.mkdir(parents=True)
    if text is not None:
        file.write_text(text)

    assert reported_port_range(tmp_path) == ports


def test_this_machine_has_local_ports() -> None:
    ports = local_port_range()

    assert 1 <= ports[0] <= ports[-1] <= 65_535
