"""How many times as much several processes do as one, and one with more in flight.

Wall time shows nothing on a machine where the server needs the same cores. Processor time does:
as long as there is a core for each process, they do `N x (time with one) / (time with N)`, where
each time is what one more handshake costs the whole tree, start-up and report left out. What the
processes take from each other (caches, the kernel's locks, the parent that writes) is in it.

`python -m benchmarks.scaling` measures two to four processes, and the levels in flight.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.clients import Aim, run_command
from benchmarks.cost import run
from benchmarks.handshakes import ENDED_WELL
from stress.lab.site import LeafKeyType
from tests.servers.certificates import Certificates
from tests.servers.nginx import Nginx, Node

ROUNDS = 3
SIGNED = 2_000
"""Handshakes with a slow signer."""
PROCESSES = 2
IN_FLIGHT = (1, 100, 1_000, 5_000)


def scaling(
    aim: Aim, count: int, processes: int = PROCESSES, rounds: int = ROUNDS
) -> tuple[int, float]:
    """The number of processes, and how many times as much they do as one."""
    taken = [
        (_each_s(aim, count, 1, 50), _each_s(aim, count, processes, 50 * processes))
        for _ in range(rounds)
    ]
    one, many = (median(each) for each in zip(*taken, strict=True))
    return processes, processes * one / many


def by_concurrency(
    aim: Aim, count: int, levels: Sequence[int] = IN_FLIGHT, rounds: int = ROUNDS
) -> list[tuple[int, float]]:
    """Microseconds of one more handshake of one process, by how many are in flight at once."""
    taken = [
        [_each_s(aim, max(count, 3 * level), 1, level) for level in levels] for _ in range(rounds)
    ]
    medians = [median(each) for each in zip(*taken, strict=True)]
    return [(level, each * 1e6) for level, each in zip(levels, medians, strict=True)]


def slow_signer(folder: Path, count: int = SIGNED, rounds: int = ROUNDS) -> float:
    """Microseconds of one more handshake with a server that signs with RSA-4096."""
    with slow_signing(folder) as aim:
        return 1e6 * median(_each_s(aim, count, 1, 50) for _ in range(rounds))


@contextmanager
def slow_signing(folder: Path) -> Iterator[Aim]:
    """A server that signs with RSA-4096.

    It signs some hundred times a second, so the worker mostly waits; checking the signature takes
    little more than checking one of ECDSA.
    """
    own = folder / "rsa-4096"
    own.mkdir(exist_ok=True)
    certificates = Certificates.make(own, LeafKeyType.RSA_4096)
    node = Node("node", certificates.full, certificates.key, ("TLSv1.3",), logged=False)
    with Nginx([node], own / "nginx") as nginx:
        yield Aim(nginx.ports["node"], certificates, own / "results")


def _each_s(aim: Aim, count: int, processes: int, concurrency: int) -> float:
    """Processor seconds of one more handshake, beyond a run that filled all slots once."""
    few = max(count // 10, concurrency)
    more = _cpu_s(aim, count, processes, concurrency) - _cpu_s(aim, few, processes, concurrency)
    return more / (count - few)


def _cpu_s(aim: Aim, count: int, processes: int, concurrency: int) -> float:
    options = ["--processes", str(processes), "--concurrency", str(concurrency)]
    cost = run(run_command(aim, count, *options))
    if cost.code not in ENDED_WELL:
        raise RuntimeError(f"{processes} processes ended with code {cost.code}:\n{cost.output}")
    return cost.cpu_s


def main(count: int = 10_000) -> None:
    """Measure it, and print it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        certificates = Certificates.make(folder)
        node = Node("node", certificates.full, certificates.key, ("TLSv1.3",), logged=False)
        with Nginx([node], folder / "nginx") as nginx:
            aim = Aim(nginx.ports["node"], certificates, folder / "results")
            for processes in (2, 3, 4):
                print("{} processes do the work of {:.2f}".format(*scaling(aim, count, processes)))
            for level, each_us in by_concurrency(aim, count):
                print(f"{level:,} in flight: {each_us:.0f} µs")


if __name__ == "__main__":
    main()
