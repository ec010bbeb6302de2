"""What many handshakes at once do to the measurement, and to memory.

Concurrency comes from a silent server beside nginx: half of the attempts go there and wait for
their timeout, so thousands are in flight while nginx itself has little to do. The `server_ns` of
nginx must then not depend on how many others are waiting. nginx gets the same rate at every level,
because a server that has slept longer wakes up later, and that is its own time. Where there are two
cores it has one of its own: on a core that it shares with a busy client it waits for CPU, and that
is its own time, too.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.clients import Aim, run_command
from benchmarks.cost import run
from benchmarks.silence import silent_port

CLEAN, FAILING, INVALID = 0, 1, 4


@dataclass(frozen=True, slots=True)
class Level:
    """A number of handshakes in flight: half of the rate, times the timeout."""

    in_flight: int
    rate: int
    timeout_s: float
    seconds: float


TO_NGINX = 500
"""Handshakes a second that nginx gets; as many go to the silent server, but for one in flight."""
LEVELS = (
    Level(1, TO_NGINX, 10, 8),
    Level(100, 2 * TO_NGINX, 0.2, 8),
    Level(1_000, 2 * TO_NGINX, 2, 10),
    Level(5_000, 2 * TO_NGINX, 10, 22),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was measured at one level."""

    in_flight: int
    server_us: float
    """Median of the target's own time."""
    lag_us: float
    """Median of what the client's own process added."""
    samples: int
    limited: bool = False
    """The run is invalid: this machine, not nginx, was the limit."""


def answer_times(aim: Aim, server: int, levels: Sequence[Level] = LEVELS) -> list[Answer]:
    """Median `server_ns` at each level of the nginx whose process id is `server`."""
    with _apart(server), silent_port() as silent:
        return [_at(level, aim, silent) for level in levels]


@contextmanager
def _apart(server: int) -> Iterator[None]:
    """Give the server the last core, and us and whatever we start the others."""
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        yield
        return
    cores = sorted(os.sched_getaffinity(0))
    try:
        os.sched_setaffinity(server, cores[-1:])
        os.sched_setaffinity(0, cores[:-1])
        yield
    finally:
        for process in (server, 0):
            os.sched_setaffinity(process, cores)


def _at(level: Level, aim: Aim, silent: int) -> Answer:
    options = ["--name", f"flight-{level.in_flight}", "--timeout", f"{level.timeout_s}s"]
    options += ["--rate", str(level.rate), "--concurrency", str(max(64, level.in_flight * 2))]
    options += ["--address", f"127.0.0.1:{aim.port}"]
    if level.in_flight > 1:
        options += ["--address", f"127.0.0.1:{silent}"]
    cost = run(run_command(aim, round(level.rate * level.seconds), *options))
    if cost.code not in {CLEAN, FAILING, INVALID}:
        raise RuntimeError(f"code {cost.code}:\n{cost.output}")
    limited = cost.code == INVALID
    return replace(_read(level, aim.results / f"flight-{level.in_flight}.db"), limited=limited)


def _read(level: Level, file: Path) -> Answer:
    """The good handshakes that began when the level had been reached."""
    query = """
        SELECT server_ns, lag_ns FROM handshake
        WHERE outcome = 'ok' AND due_ns >= (SELECT min(due_ns) FROM handshake) + ?
    """
    with closing(sqlite3.connect(file)) as database:
        filled_ns = int(level.timeout_s * 1e9) if level.in_flight > 1 else 0
        rows = database.execute(query, (filled_ns,)).fetchall()
    server, lag = zip(*rows, strict=True)
    return Answer(level.in_flight, median(server) / 1e3, median(lag) / 1e3, len(rows))


def memory_kib(aim: Aim, in_flight: int) -> float:
    """Memory per handshake in flight: the peak with this many, less the peak with one."""
    with silent_port() as silent:
        one, many = (_peak_kib(aim, silent, number) for number in (1, in_flight))
    return (many - one) / in_flight


def _peak_kib(aim: Aim, silent: int, in_flight: int) -> int:
    options = ["--concurrency", str(in_flight), "--address", f"127.0.0.1:{silent}"]
    options += ["--timeout", "25s" if in_flight > 1 else "2s"]
    cost = run(run_command(aim, in_flight, *options), sample_s=0.25)
    if cost.code not in {FAILING, INVALID}:
        raise RuntimeError(f"code {cost.code}:\n{cost.output}")
    return cost.peak_rss_kib


def bytes_per_row(results: Path) -> float:
    """What one more row costs: the largest run file less the smallest, over their rows."""
    by_size = sorted(results.glob("*.db"), key=lambda path: path.stat().st_size)
    small, large = by_size[0], by_size[-1]
    return (large.stat().st_size - small.stat().st_size) / (_rows(large) - _rows(small))


def _rows(file: Path) -> int:
    with closing(sqlite3.connect(file)) as database:
        return int(database.execute("SELECT count(*) FROM handshake").fetchone()[0])
