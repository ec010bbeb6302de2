"""How many times as much several processes do as one.

Wall time shows nothing on a machine where the server needs the same cores. Processor time does:
as long as there is a core for each process, they do `N x (time with one) / (time with N)`, where
each time is what one more handshake costs the whole tree, start-up and report left out. What the
processes take from each other (caches, the kernel's locks, the parent that writes) is in it.

`python -m benchmarks.scaling` measures two to four processes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from benchmarks.clients import Aim, run_command
from benchmarks.cost import run
from tests.servers.certificates import Certificates
from tests.servers.nginx import Nginx, Node

ROUNDS = 3
PROCESSES = 2


def scaling(aim: Aim, count: int, processes: int = PROCESSES) -> tuple[int, float]:
    """The number of processes, and how many times as much they do as one."""
    rounds = [(_each_s(aim, count, 1), _each_s(aim, count, processes)) for _ in range(ROUNDS)]
    one, many = (median(each) for each in zip(*rounds, strict=True))
    return processes, processes * one / many


def _each_s(aim: Aim, count: int, processes: int) -> float:
    """Processor seconds of one more handshake."""
    few = count // 10
    return (_cpu_s(aim, count, processes) - _cpu_s(aim, few, processes)) / (count - few)


def _cpu_s(aim: Aim, count: int, processes: int) -> float:
    options = ["--processes", str(processes), "--concurrency", str(50 * processes)]
    cost = run(run_command(aim, count, *options))
    if cost.code != 0:
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


if __name__ == "__main__":
    main()
