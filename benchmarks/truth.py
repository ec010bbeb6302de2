"""A server that stalls for one second in every ten, as each tool reports it.

The same nginx, stopped and continued by signals. Users who arrive at 100 a second meet the stall:
one in ten waits, half a second on average. So the true 99th percentile is about 0.9 s. A tool that
waits with the server sends little during the stall, and reports a fast server.

`python -m benchmarks.truth` prints the table alone.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import kill
from pathlib import Path

from benchmarks.clients import Aim, run_command
from benchmarks.cost import run
from tests.servers.certificates import Certificates
from tests.servers.nginx import Nginx, Node

RATE = 100
WAITERS = 10
EVERY_S, STALL_S = 10.0, 1.0
ENDED_WELL = {0, 1, 4}
"""Exit codes of a run that has figures; on a busy machine it may be invalid."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one tool reports about the server, in seconds."""

    tool: str
    way: str
    p50_s: float
    p99_s: float


@contextmanager
def stalling(pid: int) -> Iterator[None]:
    """Stop the process for a second in every ten while the block runs, first after five."""
    over = threading.Event()

    def stall() -> None:
        wait_s = EVERY_S / 2
        while not over.wait(wait_s):
            kill(pid, signal.SIGSTOP)
            over.wait(STALL_S)
            kill(pid, signal.SIGCONT)
            wait_s = EVERY_S - STALL_S

    thread = threading.Thread(target=stall)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def stall_reports(aim: Aim, pid: int, seconds: int = 30) -> list[Seen]:
    """What each installed tool reports of the stalling server."""
    tools: list[tuple[str, Callable[[Aim, int], list[Seen]]]] = [("tls-stress", _ours)]
    tools += [("hey", _hey), ("ab", _ab), ("wrk", _wrk)]
    seen: list[Seen] = []
    for program, measure in tools:
        if program == "tls-stress" or shutil.which(program):
            with stalling(pid):
                seen += measure(aim, seconds)
    return seen


def _ours(aim: Aim, seconds: int) -> list[Seen]:
    load = ["--rate", str(RATE), "-d", f"{seconds}s", "--name", "stall"]
    text = _output(run_command(aim, 1, *load, "--count", "0"))
    found = json.JSONDecoder().raw_decode(text, text.index('{\n  "schema"'))[0]["latency"]
    return [
        Seen("tls-stress", f"{RATE}/s, from the intended start", *_pair(found["total"], 1e6)),
        Seen("tls-stress", "the same, handshake alone", *_pair(found["handshake"], 1e6)),
    ]


def _hey(aim: Aim, seconds: int) -> list[Seen]:
    load = ["-z", f"{seconds}s", "-c", str(WAITERS), "-q", str(RATE // WAITERS)]
    text = _output(["hey", *load, "-disable-keepalive", f"https://127.0.0.1:{aim.port}/"])
    return [Seen("hey", f"{WAITERS} connections, -q {RATE // WAITERS}", *read_hey(text))]


def _ab(aim: Aim, seconds: int) -> list[Seen]:
    load = ["-q", "-t", str(seconds), "-n", "1000000", "-c", str(WAITERS)]
    text = _output(["ab", *load, f"https://127.0.0.1:{aim.port}/"])
    return [Seen("ab", f"{WAITERS} connections", *read_ab(text))]


def _wrk(aim: Aim, seconds: int) -> list[Seen]:
    """Counts from when its request is sent: the handshake before it is in no figure of wrk's."""
    load = ["-t", "1", "-c", str(WAITERS), "-d", f"{seconds}s", "--latency"]
    each = ["-H", "Connection: close"]
    text = _output(["wrk", *load, *each, f"https://127.0.0.1:{aim.port}/"])
    return [Seen("wrk", f"{WAITERS} connections, after the handshake", *read_wrk(text))]


def read_hey(text: str) -> tuple[float, float]:
    """Median and 99th percentile in seconds, of hey's latency distribution."""
    return _find(text, r"50%% in ([\d.]+) secs"), _find(text, r"99%% in ([\d.]+) secs")


def read_ab(text: str) -> tuple[float, float]:
    """Median and 99th percentile in seconds, of ab's table in milliseconds."""
    return _find(text, r"50%\s+(\d+)") / 1000, _find(text, r"99%\s+(\d+)") / 1000


def read_wrk(text: str) -> tuple[float, float]:
    """Median and 99th percentile in seconds, of wrk's distribution in µs, ms or s."""
    return _with_unit(text, "50%"), _with_unit(text, "99%")


def _with_unit(text: str, percentile: str) -> float:
    found = re.search(rf"{percentile}\s+([\d.]+)(us|ms|s|m)\s", text)
    if found is None:
        raise RuntimeError(f"no {percentile} in:\n{text}")
    return float(found[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}[found[2]]


def _find(text: str, pattern: str) -> float:
    found = re.search(pattern.replace("%%", "%+"), text)
    if found is None:
        raise RuntimeError(f"no {pattern} in:\n{text}")
    return float(found[1])


def _pair(quantiles: dict[str, float], unit: float) -> tuple[float, float]:
    return quantiles["p50"] / unit, quantiles["p99"] / unit


def _output(command: Sequence[str]) -> str:
    cost = run(command)
    if cost.code not in ENDED_WELL:
        raise RuntimeError(f"{command[0]} ended with code {cost.code}:\n{cost.output}")
    return cost.output


def rows(seen: Sequence[Seen]) -> list[tuple[str, ...]]:
    """Rows of a table."""
    return [
        (f"`{one.tool}`", one.way, f"{one.p50_s * 1e3:.1f} ms", f"{one.p99_s * 1e3:.0f} ms")
        for one in seen
    ]


def main() -> None:
    """Measure it, and print it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        certificates = Certificates.make(folder)
        node = Node("node", certificates.full, certificates.key, ("TLSv1.3",), logged=False)
        with Nginx([node], folder / "nginx") as nginx:
            aim = Aim(nginx.ports["node"], certificates, folder / "results")
            for row in rows(stall_reports(aim, nginx.pid)):
                print(" | ".join(row))


if __name__ == "__main__":
    main()
