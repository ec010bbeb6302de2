"""What it costs to start: processor time of whole commands, with byte code.

`python -m benchmarks.starting` prints the table.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.clients import Aim, run_command
from benchmarks.cost import run
from benchmarks.missed import Missed, profile
from benchmarks.reports import verdict_of, write_varied
from tests.servers.certificates import HOST, Certificates
from tests.servers.nginx import Nginx, Node

ROUNDS = 7
REPORTED = 1_000
"""Rows of the report."""
HEADING = "## Start-up"


class Start(NamedTuple):
    """One command, and what it may cost."""

    what: str
    cpu_s: float
    most_s: float
    words: Sequence[str]
    """Of the command line, without the program."""


def starts(aim: Aim, folder: Path, rounds: int = ROUNDS) -> list[Start]:
    """The median of each command, all of them in turn in each round."""
    program, reported = str(Path(sys.executable).with_name("tls-stress")), folder / "start.db"
    write_varied(REPORTED, reported, 1)
    judged = [str(aim.certificates.full), "--host", HOST, "--ca", str(aim.certificates.root)]
    commands: dict[str, tuple[list[str], float]] = {
        "--help": ([program, "--help"], 0.15),
        "run --help": ([program, "run", "--help"], 0.20),
        "explain -9807": ([program, "explain", "-9807"], 0.25),
        "judge FILE": ([program, "judge", *judged], 0.30),
        "run, one handshake": (run_command(aim, 1), 0.80),
        f"report, {REPORTED:,} rows": ([program, "report", str(reported)], 0.60),
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, (command, _most) in commands.items():
            times[name].append(run(command).cpu_s)
    # The first round wrote the byte code.
    found = []
    for name, taken in times.items():
        command, most_s = commands[name]
        words = command[1:] if command[0] == program else command[3:]  # python -m stress
        found.append(Start(name, median(taken[1:]), most_s, words))
    return found


def missed(measured: Sequence[Start]) -> list[Missed]:
    """What took longer than its target, with its profile; of a run, that of its parent process."""
    return [
        Missed(
            f"processor time of `{one.what}`",
            f"{one.cpu_s:.2f} s",
            f"{one.most_s:.2f} s",
            {"report,": "report of few rows", "run,": "run of one"}.get(one.what.split()[0], ""),
            profile(one.words),
        )
        for one in measured
        if one.cpu_s > one.most_s
    ]


def section(measured: Sequence[Start]) -> str:
    """The section of the page."""
    rows = [
        f"| `{one.what}` | {one.cpu_s:.2f} s | {one.most_s:.2f} s |"
        f" {verdict_of(one.cpu_s, one.most_s)} |"
        for one in measured
    ]
    table = "\n".join(
        ["| command | processor time | target | |", "| --- | --- | --- | --- |", *rows]
    )
    return f"""{HEADING}

Processor time of whole commands with their children, byte code included; medians.

{table}
"""


def main() -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        certificates = Certificates.make(folder)
        node = Node("node", certificates.full, certificates.key, ("TLSv1.3",), logged=False)
        with Nginx([node], folder / "nginx") as nginx:
            aim = Aim(nginx.ports["node"], certificates, folder / "results")
            print(section(starts(aim, folder)))


if __name__ == "__main__":
    main()
