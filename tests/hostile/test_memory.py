"""What floods cost us: the peak memory of a worker, as the kernel counted it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stress.model.plan import Address, Stack
from tests.hostile.conftest import LIMIT_BYTES
from tests.servers.corpus import CORPUS
from tests.servers.crooked import House

FLOODS = [n for n, each in enumerate(CORPUS) if "endless" in each.name or "for ever" in each.name]
AT_ONCE = 32
SCRIPT = """
import resource, sys
from pathlib import Path
from stress.engine import coordinator
from stress.model.plan import Client, Stack
from stress.model.plan import Close, Limits, Load, Plan, Trust
from stress.model.plan import Address, Target
from tests.engine.conftest import Book

def peak_kib(ports, count):
    plan = Plan(
        Target("hostile.test"), tuple(Address("127.0.0.1", port) for port in ports),
        (Client("generic"),), Load(count, concurrency=int(sys.argv[2])),
        limits=Limits(attempt_s=4, connection_bytes=int(sys.argv[3])),
        trust=Trust(policy="none"), server_name="hostile.test",
        stack=Stack(sys.argv[1]), close=Close.RST,
    )
    ending = coordinator.run(plan, Book())
    assert ending.started == count
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss

good, *floods = map(int, sys.argv[4:])
quiet = peak_kib([good], 64)
print(peak_kib(floods, 4 * len(floods)) - quiet)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in bytes elsewhere")
def test_a_flood_costs_no_more_than_its_limit(
    addresses: tuple[Address, ...], house: House, stack: Stack, repository: Path
) -> None:
    """With the copies that the TLS library, the reader of the wire and the evidence make of it."""
    ports = [str(addresses[n].port) for n in (0, *FLOODS)]
    words = [sys.executable, "-c", SCRIPT, stack.value, str(AT_ONCE), str(LIMIT_BYTES), *ports]

    done = subprocess.run(
        words, check=False, capture_output=True, text=True, timeout=120, cwd=repository
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * 1024 <= AT_ONCE * LIMIT_BYTES
