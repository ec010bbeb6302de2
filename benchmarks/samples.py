"""Where the processor time of one more handshake goes, by samples of the whole process tree.

Linux's `perf` looks 999 times a second of processor time which library is running, and in which
process. What a short run takes (start-up, the report) is taken away from a long one, so what is
left is what one more handshake costs, wherever it is spent. To look costs some per cent itself: so
compare the parts with each other, and with other columns.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.clients import Aim, run_command
from benchmarks.cost import run
from benchmarks.handshakes import ENDED_WELL
from benchmarks.scaling import slow_signing

PER_S = 999
"""Samples a second of processor time; not in step with what happens a thousand times a second."""
PARTS = (
    ("the TLS library", ("_utls", "libssl", "libcrypto", "_rust.abi3")),
    ("the kernel", ("[kernel", "[guest", "[vdso")),
    ("the C library: above all memory", ("/libc.so", "/libc-", "/ld-")),
    ("Python", ("/libpython", "/python")),
)
"""What a library is called in the table, by a piece of its file's name; the first that fits."""
REST, PARENT = "other libraries", "the parent: judges, stores, reports"
IDLE_RATE, IDLE_S = 5, 20
HEADING = "### Where it goes"


class Spent(NamedTuple):
    """One more handshake."""

    what: str
    """How it was made."""
    us: dict[str, float]
    """Microseconds by part."""
    woken: float
    """How often a process of ours slept and was woken up."""


class Samples(NamedTuple):
    """One run."""

    parts: Counter[str]
    woken: int


def spent(aim: Aim, folder: Path, count: int, signed: int) -> list[Spent]:
    """Of one more handshake in each of the cases that have a target; empty without `perf`.

    Args:
        aim: the usual target.
        folder: for another one, that signs slowly.
        count: handshakes of each run.
        signed: the same with that one.
    """
    if shutil.which("perf") is None:
        return []
    found = [
        _spent("50 in flight", aim, count, "--concurrency", "50"),
        _spent("1 in flight", aim, count, "--concurrency", "1"),
        _spent("1,000 in flight", aim, max(count, 3_000), "--concurrency", "1000"),
        _spent("2 processes", aim, count, "--concurrency", "100", "--processes", "2"),
    ]
    with slow_signing(folder) as other:
        found.append(_spent("RSA-4096", other, signed, "--concurrency", "50"))
    return found


def _spent(what: str, aim: Aim, count: int, *options: str) -> Spent:
    few = max(count // 10, int(options[1]))
    more, less = (_sampled(aim, number, *options) for number in (count, few))
    us = {
        part: (more.parts[part] - less.parts[part]) * 1e6 / PER_S / (count - few)
        for part in (*dict(PARTS), REST, PARENT)
    }
    return Spent(what, us, (more.woken - less.woken) / (count - few))


def _sampled(aim: Aim, count: int, *options: str) -> Samples:
    """The samples of one run, by part."""
    with tempfile.TemporaryDirectory() as name:
        file = f"{name}/samples"
        watched = ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(PER_S), "-o", file, "--"]
        cost = run([*watched, *run_command(aim, count, *options)])
        if cost.code not in ENDED_WELL:
            raise RuntimeError(f"a run under perf ended with code {cost.code}:\n{cost.output}")
        script = ["perf", "script", "-i", file, "-F", "pid,ip,dso"]
        lines = subprocess.run(
            script, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ).stdout.splitlines()
    parent = lines[0].split()[0]
    return Samples(Counter(part_of(line, parent) for line in lines), cost.woken)


def part_of(line: str, parent: str) -> str:
    """The part of a sample: `PID ADDRESS (FILE)`."""
    process, _, file = line.split(maxsplit=2)
    if process == parent:
        return PARENT
    return next((part for part, names in PARTS if any(one in file for one in names)), REST)


def idle_ms(aim: Aim) -> float:
    """Milliseconds of processor time a second that a run takes which does next to nothing."""
    long, short = (
        run(run_command(aim, IDLE_RATE * seconds, "--rate", str(IDLE_RATE))).cpu_s
        for seconds in (IDLE_S, 1)
    )
    return (long - short) * 1e3 / (IDLE_S - 1)


def section(found: Sequence[Spent], idle: float) -> str:
    """The table, behind that of the clients."""
    if not found:
        return f"{HEADING}\n\nNot measured: `perf` is not installed.\n"
    head = ["µs of one more handshake", *(one.what for one in found)]
    rows = [[part, *(f"{one.us[part]:.0f}" for one in found)] for part in found[0].us]
    rows.append(["all", *(f"{sum(one.us.values()):.0f}" for one in found)])
    rows.append(["woken up, times", *(f"{one.woken:.1f}" for one in found)])
    table = "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
    return f"""{HEADING}

Samples of processor time (`perf`, {PER_S} a second) of one more handshake of `tls-stress`, start-up
and report left out. To look costs a little itself, so the sums are above the figures elsewhere on
this page. "Woken up" is how often a process slept, because it had nothing to do, and went on.

{table}

A run that does next to nothing takes {idle:.0f} ms of processor time in each second: deadlines are
looked at 50 times, rows are sent home five times. At 300 handshakes a second that is
{idle * 1e3 / 300:.0f} µs of each.
"""
