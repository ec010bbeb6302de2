"""Wrong answers are impossible: where this machine or something in the path gives way, the target
is not blamed. Whatever the speed of the machine that runs these tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stress.lab.farm import Farm, start
from tests.cli.conftest import Listener, Spawn

pytestmark = [pytest.mark.alone, pytest.mark.slow]
PATIENCE_S = 120
BUSY = "while True: pass"
FEW_PORTS = "ip link set lo up && echo 40000 40015 > /proc/sys/net/ipv4/ip_local_port_range"
APART = ("unshare", "-r", "-n", "sh", "-c", f'{FEW_PORTS} && exec "$0" "$@"')
"""A network namespace of its own with sixteen local ports."""


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


def words_for(farm: Farm, *more: object) -> tuple[str, ...]:
    address = farm.addresses[0]
    target = (f"{farm.host}:{address.port}", "--address", str(address), "--ca", str(farm.ca_file))
    return ("run", *target, "--json", "-q", *map(str, more))


@contextmanager
def every_core_busy() -> Iterator[None]:
    loops = [
        subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(2 * (os.cpu_count() or 1))
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def could_be_apart() -> bool:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run([*APART, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit is of Linux")
def test_too_few_open_files_are_refused_with_the_number(spawn: Spawn, listener: Listener) -> None:
    prefix = ("prlimit", "--nofile=200:200")

    code, _, err = finish(spawn("run", listener.target, "-c", "1000", prefix=prefix))

    assert code == 2
    assert "200 are allowed" in err
    assert "would fit" in err
    assert listener.connections() == 0


@pytest.mark.long
@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit is of Linux")
def test_as_many_as_the_open_files_allow_are_no_failure(
    spawn: Spawn, farm_words: tuple[str, ...]
) -> None:
    prefix = ("prlimit", "--nofile=200:200")
    words = ("run", *farm_words, "--policy", "none", "--rate", "100", "-n", "300", "--json", "-q")

    code, out, _ = finish(spawn(*words, prefix=prefix))

    assert code in {0, 4}
    assert json.loads(out)["failures"]["count"] == 0


@pytest.mark.skipif(not could_be_apart(), reason="no network namespace can be made here")
def test_without_local_ports_the_run_is_invalid(spawn: Spawn, tmp_path: Path) -> None:
    words = ("demo", "healthy", "-n", "400", "--json", "-q", "--results", tmp_path)

    code, out, _ = finish(spawn(*words, prefix=APART))

    found: dict[str, Any] = json.loads(out)
    assert (code, found["verdict"], found["failures"]["count"]) == (4, "invalid", 0)
    assert "local-ports" in found["validity"]["reasons"][0]


@pytest.mark.long
def test_a_starved_client_blames_itself(spawn: Spawn) -> None:
    """Beside busy loops on all cores, two for each."""
    with start("healthy") as farm, every_core_busy():
        words = words_for(farm, "--rate", 1500, "-d", "3s", "--timeout", "60s")
        code, out, _ = finish(spawn(*words))

    found: dict[str, Any] = json.loads(out)
    assert found["failures"]["count"] == 0
    assert code in {0, 4}
    assert any("generator" in reason for reason in found["validity"]["reasons"])


@pytest.mark.long
def test_a_rate_limiter_is_not_the_targets_fault(spawn: Spawn) -> None:
    """A machine too slow to reach its rate says that instead."""
    with start("rate-limiter") as farm:
        code, out, _ = finish(spawn(*words_for(farm, "--rate", 320, "-d", "15s")))

    found: dict[str, Any] = json.loads(out)
    assert (code, found["verdict"]) == (4, "invalid")
    assert "limited" in found["validity"]["reasons"][0]
    assert found["headline"].startswith("No verdict: ")
