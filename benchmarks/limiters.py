"""Is what a real limiter lets through found, and does it count as we do? A part of `make limits`.

Each limiter runs in a network namespace of its own with the server behind it, and is searched for
with the options that a user would type. The answer is compared with what it is set to, and our good
handshakes with its own count of what it let through. One that lets connections wait is no sharp
limit: HAProxy's `rate-limit sessions 150` lets 162 a second through for half a minute when they
come evenly spaced. There the answer is compared with its own count while the answer is confirmed.
nginx limits how many are open at once: what that is a second follows from how long its sessions
lasted by its own log.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from time import monotonic

from stress.cli.options import parse
from stress.cli.output import Output
from stress.planning.request import Request
from stress.runner.run import RunLocation, prepare, record
from tests.servers.certificates import HOST, Certificates
from tests.servers.limiters import HaproxyLimiter, Limiter, NginxLimiter, PacketFilter

NEAR = 0.05
"""Of what a limiter lets through: how far off a right answer may be."""
LAST_S, EVERY_S = 20.0, 0.25
"""The last seconds of a search confirm its answer; and how often the limiter's count is read."""
FAILING, SLOW = "failing<1%", "p99.total<250ms, failing<1%"
NAMESPACE = ("unshare", "-n" if os.geteuid() == 0 else "-rn")
"""Begins a command that gets a network of its own."""
_WITH_LOOPBACK = ("sh", "-c", 'ip link set lo up && exec "$@"', "sh")


@dataclass(frozen=True, slots=True)
class Kind:
    """A limiter, and how its limit is searched for."""

    title: str
    start: Callable[[Certificates, Path, float], Limiter]
    most: float
    """What it lets through: a second, or at once."""
    search: tuple[str, ...]
    short: tuple[str, ...]
    """A run of a few seconds in which it refuses some; its limit is then `few`."""
    few: float = 20.0
    unit: str = "/s"
    """Of what it is set to."""
    waits: bool = False
    """Whether it lets connections wait, so that no number says what it lets through."""


KINDS: Mapping[str, Kind] = {
    "haproxy": Kind(
        "HAProxy, `conn_rate(1s)` in a stick table",
        HaproxyLimiter,
        150.0,
        ("--find-limit", FAILING, "--rate", "50"),
        ("--rate", "30", "-n", "90"),
    ),
    "haproxy-waits": Kind(
        "HAProxy, `rate-limit sessions`",
        lambda certificates, folder, most: HaproxyLimiter(certificates, folder, most, waits=True),
        150.0,
        ("--find-limit", SLOW, "--rate", "50"),
        ("--rate", "30", "-n", "60"),
        waits=True,
    ),
    "nginx": Kind(
        "nginx, `limit_conn` of a stream, each held for 1 s",
        NginxLimiter,
        60.0,
        ("--find-limit", FAILING, "--rate", "10", "--hold", "1s"),
        ("-c", "12", "--hold", "300ms", "-n", "60"),
        6.0,
        " at once",
    ),
    "nft": Kind(
        "nftables, `limit rate over`",
        PacketFilter,
        150.0,
        ("--find-limit", FAILING, "--rate", "50"),
        ("--rate", "40", "-n", "120"),
    ),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """What one limiter let through, by our answer and by its own count."""

    name: str
    set_to: float
    lets: float
    """What it lets through a second: what it is set to, or what its own count or log says."""
    sustained: float | None
    first_failing: float | None
    good: int
    """Handshakes of ours that succeeded."""
    through: int
    """Connections that it let through."""
    seconds: float
    verdict: str

    @property
    def found(self) -> bool:
        """Whether answer and counts are near what they should be."""
        near = self.sustained is not None and abs(self.sustained / self.lets - 1.0) <= NEAR
        return near and abs(self.good - self.through) <= 0.01 * self.through

    def row(self) -> str:
        """As a line of the table."""
        kind, ends = KINDS[self.name], (self.sustained, self.first_failing)
        told = ["-" if one is None else f"{one:.0f} ({one / self.lets - 1:+.1%})" for one in ends]
        cells = (
            kind.title,
            f"{self.set_to:.0f}{kind.unit}",
            f"{self.lets:.0f}/s",
            *told,
            f"{self.good:,}",
            f"{self.through:,}",
            f"{self.seconds:.0f} s",
            "yes" if self.found else f"no: {self.verdict}",
        )
        return "| " + " | ".join(cells) + " |\n"


HEAD = """\
| limiter | set to | lets through | sustained | first failing | good | through | took | found |
|---|---|---|---|---|---|---|---|---|
"""


def measure(name: str, *, short: bool = False) -> Measured:
    """Starts a limiter in a namespace of its own, searches for its limit, or only runs a little.

    Raises:
        RuntimeError: it does not start, or no namespace can be made.
    """
    command = [sys.executable, "-m", "benchmarks.limiters", name, *(["--short"] if short else [])]
    done = subprocess.run(
        [*NAMESPACE, *_WITH_LOOPBACK, *command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr}")
    return Measured(**json.loads(done.stdout))


def _measured(name: str, folder: Path, *, short: bool) -> Measured:
    kind, certificates = KINDS[name], Certificates.make(folder)
    set_to = kind.few if short else kind.most
    limiter = kind.start(certificates, folder, set_to)
    try:
        words = [f"127.0.0.1:{limiter.port}", "--sni", HOST, "--ca", str(certificates.root)]
        words += kind.short if short else kind.search
        output, before = Output.of(Request(quiet=True)), limiter.through()
        begun = monotonic()
        with _watched(limiter) as seen:
            path = record(prepare(parse(words)), RunLocation(folder, "search"), output.display())
        took, through = monotonic() - begun, limiter.through() - before
        lets = _last_rate(seen) if kind.waits else limiter.most_a_second()
    finally:
        limiter.close()
    summary = output.show(path)
    limit = summary.limits[0] if summary.limits else None
    return Measured(
        name,
        set_to,
        lets,
        limit.sustained if limit else None,
        limit.first_failing if limit else None,
        summary.attempts - summary.failures.count,
        through,
        took,
        summary.verdict.value,
    )


@contextmanager
def _watched(limiter: Limiter) -> Iterator[list[tuple[float, int]]]:
    """Reads a limiter's own count meanwhile, with the time in seconds."""
    done, seen = Event(), list[tuple[float, int]]()

    def watch() -> None:
        while not done.wait(EVERY_S):
            seen.append((monotonic(), limiter.through()))

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def _last_rate(seen: Sequence[tuple[float, int]]) -> float:
    """What was let through a second in the last seconds before the count stood still."""
    end = max((now for (_, before), (now, last) in pairwise(seen) if last > before), default=0.0)
    last = [(now, count) for now, count in seen if end - LAST_S <= now <= end]
    if len(last) < 2:
        return 0.0
    return (last[-1][1] - last[0][1]) / (last[-1][0] - last[0][0])


def main(words: Sequence[str]) -> None:
    """Measures one limiter where it is started and prints the result as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        found = _measured(words[0], Path(folder), short="--short" in words)
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main(sys.argv[1:])
