"""What a command costs: processor time and memory of the program and all its children."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NOT_FOUND = 127


@dataclass(frozen=True, slots=True)
class Cost:
    """One finished command."""

    cpu_s: float
    """User and system time of the process and of every descendant it waited for."""
    wall_s: float
    peak_rss_kib: int
    """Most resident memory of the process tree, summed, as sampled; 0 when not sampled."""
    code: int
    output: str
    woken: int = 0
    """How often a process of the tree slept, waiting for something, and was woken up."""


def run(command: Sequence[str], sample_s: float | None = None) -> Cost:
    """Run a command to its end. With `sample_s`, look at the tree's memory that often (Linux).

    Python may keep its byte code, as users let it: else each start compiles the program anew.
    """
    environment = {
        name: os.environ[name] for name in os.environ.keys() - {"PYTHONDONTWRITEBYTECODE"}
    }
    with tempfile.TemporaryFile("w+") as output:
        begin = time.perf_counter()
        child = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        peak = _watch(child.pid, sample_s) if sample_s else 0
        _, status, usage = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - begin
        child.returncode = os.waitstatus_to_exitcode(status)  # Popen must not wait once more
        output.seek(0)
        cpu_s, woken = usage.ru_utime + usage.ru_stime, usage.ru_nvcsw
        return Cost(cpu_s, wall_s, peak, child.returncode, output.read(), woken)


def _watch(pid: int, every_s: float) -> int:
    """Most memory of the tree, sampled until the root process has ended."""
    peak = 0
    handle = os.pidfd_open(pid)
    try:
        while not _ended(handle, every_s):
            peak = max(peak, sum(_rss_kib(member) for member in _tree(pid)))
    finally:
        os.close(handle)
    return peak


def _ended(handle: int, within_s: float) -> bool:
    import select  # noqa: PLC0415 - used with pidfd only, which is Linux

    return bool(select.select([handle], [], [], within_s)[0])


def _tree(pid: int) -> list[int]:
    """The process and all its descendants."""
    members = [pid]
    for member in members:
        try:
            tasks = list(Path(f"/proc/{member}/task").iterdir())
            for task in tasks:
                members += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return members


def _rss_kib(pid: int) -> int:
    """Private memory plus its part of the shared, so that pages are counted once."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
