"""On a busy machine: whose limit was it that attempts could not be sent, the target's or our own?

Both ends are real, and as many programs that only calculate as it has cores, twice, keep the
machine busy. A target that is slow fills the concurrency limit there too (Little's law), and must
not be acquitted for it; a fast one must not be blamed for a tester that gets no time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from stress.lab.farm import Farm, start

pytestmark = [pytest.mark.slow, pytest.mark.long]
CALCULATES = "from time import monotonic as now\nend = now() + 60\nwhile now() < end: pass"


@pytest.fixture
def busy_machine() -> Iterator[None]:
    """Twice as many programs that calculate as there are cores; for a minute at most."""
    with ExitStack() as stack:
        for _ in range(2 * (os.cpu_count() or 1)):
            one = stack.enter_context(subprocess.Popen([sys.executable, "-c", CALCULATES]))
            stack.callback(one.kill)
        yield


@pytest.fixture(scope="module")
def farm() -> Iterator[Farm]:
    """Four nodes on this machine; the last one waits for 80 ms before it answers."""
    with start("slow-node") as one:
        yield one


def run(farm: Farm, node: int, rate: int, nice: int, folder: Path) -> tuple[int, dict[str, Any]]:
    """Five seconds against one node, in an open loop; the exit code and the summary."""
    address = farm.addresses[node]
    words = ["nice", "-n", str(nice), sys.executable, "-P", "-m", "stress", "run"]
    words += [f"{farm.host}:{address.port}", "--address", str(address), "--ca", str(farm.ca_file)]
    words += ["--rate", str(rate), "-c", "20", "-d", "5s", "--processes", "1", "--json"]
    done = subprocess.run(
        [*words, "--results", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_slow_target_is_not_acquitted_because_the_machine_is_busy(
    farm: Farm, busy_machine: None, tmp_path: Path
) -> None:
    code, summary = run(farm, -1, 500, 0, tmp_path)

    validity = summary["validity"]
    assert validity["valid"], validity
    assert code == 0
    told = [one for one in validity["reasons"] if "concurrency limit (20) reached" in one]
    assert len(told) == 1, validity
    assert "the target takes" in told[0]
    assert "generator-limited" not in " ".join(validity["reasons"])


def test_a_fast_target_is_not_blamed_for_a_tester_that_gets_no_time(
    farm: Farm, busy_machine: None, tmp_path: Path
) -> None:
    code, summary = run(farm, 0, 4_000, 19, tmp_path)

    validity = summary["validity"]
    assert not validity["valid"], validity
    assert code == 4
    assert validity["reasons"][0].startswith("generator-limited: ")
    assert "this machine could not keep up" in validity["reasons"][0]
