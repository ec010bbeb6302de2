"""The clients that are compared: how each opens full handshakes, and how many it opened.

`ab`, `hey`, `wrk` and `h2load` also send one small request on each connection, which they cannot
leave out; `s_time` and tls-stress do not. None of them resumes: the server gives no tickets that
could be redeemed elsewhere (`ssl_session_tickets off`) and keeps no sessions. Only tls-stress
writes a file and records everything.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.servers.certificates import HOST, Certificates

CONCURRENCY = 50
PER_SECOND = 500


@dataclass(frozen=True, slots=True)
class Aim:
    """The target of all clients."""

    port: int
    certificates: Certificates
    results: Path
    """Where tls-stress puts its run files."""


@dataclass(frozen=True, slots=True)
class Client:
    """One way to make many handshakes."""

    name: str
    program: str
    command: Callable[[Aim, int], list[str]]
    """The command line for about this many handshakes."""
    made: re.Pattern[str]
    """Finds the number of handshakes in what it prints; the first group."""
    takes_time: bool = False
    """It runs for a time, not for a count: a run of one handshake is not possible."""

    @property
    def present(self) -> bool:
        """Whether it is installed."""
        return shutil.which(self.program) is not None

    def count(self, output: str) -> int:
        """Handshakes made, as it reports.

        Raises:
            RuntimeError: the output does not say.
        """
        found = self.made.search(output)
        if found is None:
            raise RuntimeError(f"{self.name} does not say how many it made:\n{output}")
        return int(found.group(1))


def _ab(aim: Aim, count: int) -> list[str]:
    load = ["-n", str(count), "-c", str(min(CONCURRENCY, count))]
    return ["ab", "-q", *load, f"https://127.0.0.1:{aim.port}/"]


def _hey(aim: Aim, count: int) -> list[str]:
    load = ["-n", str(count), "-c", str(min(CONCURRENCY, count)), "-disable-keepalive"]
    return ["hey", *load, "-cpus", "1", f"https://127.0.0.1:{aim.port}/"]


def _wrk(aim: Aim, count: int) -> list[str]:
    load = ["-t", "1", "-c", str(min(CONCURRENCY, count)), "-d", f"{_seconds(count)}s"]
    return ["wrk", *load, "-H", "Connection: close", f"https://127.0.0.1:{aim.port}/"]


def _h2load(aim: Aim, count: int) -> list[str]:
    """One request on each of so many connections; new ones at a rate that the server keeps up."""
    load = ["-n", str(count), "-c", str(count), "-r", str(min(PER_SECOND, count)), "--h1"]
    return ["h2load", *load, f"https://127.0.0.1:{aim.port}/"]


def _seconds(count: int) -> int:
    """How long clients run that take a time instead of a count."""
    return max(1, count // 1500)


def _s_time(aim: Aim, count: int) -> list[str]:
    where = ["-connect", f"127.0.0.1:{aim.port}", "-CAfile", str(aim.certificates.root)]
    return ["openssl", "s_time", "-new", "-time", str(_seconds(count)), *where]


def run_command(aim: Aim, count: int, *options: str) -> list[str]:
    """`tls-stress run` of this many handshakes with one worker, everything recorded."""
    return [
        *(sys.executable, "-m", "stress", "run", f"127.0.0.1:{aim.port}", "--sni", HOST),
        *("--ca", str(aim.certificates.root), "--results", str(aim.results), "--processes", "1"),
        *("--count", str(count), "--json", "--quiet", *options),
    ]


def _tls_stress(aim: Aim, count: int) -> list[str]:
    return run_command(aim, count, "--concurrency", str(min(CONCURRENCY, count)))


def _as(*options: str) -> Callable[[Aim, int], list[str]]:
    """tls-stress with further options."""
    return lambda aim, count: [*_tls_stress(aim, count), *options]


_COMPLETED = re.compile(r'"completed":\s*(\d+)')

CLIENTS = (
    Client("tls-stress", sys.executable, _tls_stress, _COMPLETED),
    Client(
        "tls-stress --client no-mlkem",
        sys.executable,
        _as("--client", "no-mlkem"),
        _COMPLETED,
    ),
    Client(
        "tls-stress --client ios-urlsession",
        sys.executable,
        _as("--client", "ios-urlsession"),
        _COMPLETED,
    ),
    Client("tls-stress --stack openssl", sys.executable, _as("--stack", "openssl"), _COMPLETED),
    Client("hey", "hey", _hey, re.compile(r"\[200\]\s+(\d+) responses")),
    Client("ab", "ab", _ab, re.compile(r"Complete requests:\s+(\d+)")),
    Client("wrk", "wrk", _wrk, re.compile(r"(\d+) requests in"), takes_time=True),
    Client("h2load", "h2load", _h2load, re.compile(r"(\d+) succeeded")),
    Client(
        "openssl s_time",
        "openssl",
        _s_time,
        re.compile(r"(\d+) connections in [\d.]+s"),
        takes_time=True,
    ),
)
