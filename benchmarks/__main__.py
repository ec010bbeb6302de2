"""Measures the claims that are about cost, and writes them down: `make bench`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks import reports, starting
from benchmarks.clients import CONCURRENCY, Aim
from benchmarks.flight import answer_times, bytes_per_row, memory_kib
from benchmarks.handshakes import measure
from benchmarks.machine import describe
from benchmarks.page import Rest, page
from benchmarks.parts import measure_parts
from benchmarks.records import ROWS, isolated, section
from benchmarks.scaling import by_concurrency, scaling, slow_signer
from benchmarks.truth import stall_reports
from benchmarks.writing import writer_us
from tests.servers.certificates import Certificates
from tests.servers.nginx import Nginx, Node

WRITTEN = 1_000_000
"""Rows; `python -m benchmarks.writing` alone stores ten times as many."""
PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def main() -> None:
    """Measure everything in turn, never two things at once."""
    options, machine = _options(), describe()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        certificates = Certificates.make(folder)
        node = Node(
            *("node", certificates.full, certificates.key, ("TLSv1.3",)),
            extra="ssl_session_tickets off;",
            logged=False,
        )
        results = folder / "results"
        with Nginx([node], folder / "nginx") as nginx:
            aim = Aim(nginx.ports["node"], certificates, results)
            figures = measure(aim, options.rounds, options.count)
            parts = measure_parts(aim)
            rest_row = bytes_per_row(results)
            answers = answer_times(aim, nginx.pid)
            memory = memory_kib(aim, options.in_flight)
            seen = stall_reports(aim, nginx.pid)
            more = scaling(aim, options.count)
            levels = by_concurrency(aim, options.count)
            started = starting.starts(aim, folder)
        slow = slow_signer(folder)
        written_us = writer_us(WRITTEN, folder)
        foreign = [isolated(rows, folder) for rows in ROWS]
    rest = Rest(memory, options.in_flight, rest_row, written_us, more, levels, slow)
    text = page(machine, (figures, options.rounds, CONCURRENCY, parts), answers, rest, seen)
    sections = (starting.section(started), reports.measured_section(), section(foreign))
    text = "\n\n".join(one.strip() for one in (text, *sections)) + "\n"
    options.out.write_text(text)
    print(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=6_000, help="handshakes a round and client")
    parser.add_argument("--in-flight", type=int, default=10_000, help="for the memory figure")
    parser.add_argument("--out", type=Path, default=PAGE)
    return parser.parse_args()


if __name__ == "__main__":
    main()
