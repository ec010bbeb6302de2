"""The clients that are compared: how each opens full handshakes, and how many it opened.

`ab` and `hey` also send one small request on each connection, which they cannot leave out;
`s_time` and tls-stress do not. None of them resumes: ab and hey keep no sessions between
connections, `s_time -new` drops them. Only tls-stress writes a file and records everything.
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


def _s_time(aim: Aim, count: int) -> list[str]:
    seconds = max(1, count // 1500)
    where = ["-connect", f"127.0.0.1:{aim.port}", "-CAfile", str(aim.certificates.root)]
    return ["openssl", "s_time", "-new", "-time", str(seconds), *where]


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
    Client("openssl s_time", "openssl", _s_time, re.compile(r"(\d+) connections in [\d.]+s")),
)
