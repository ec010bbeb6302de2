"""Measures the claims that are about cost, and writes them down: `make bench`.

    python -m benchmarks [--short] [--out FILE]

The whole takes some twenty minutes on a quiet machine; `--short` tries everything on little in a
few minutes, and its figures say nothing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks import merging, missed, records, reports, samples, starting
from benchmarks.clients import CONCURRENCY, Aim
from benchmarks.flight import LEVELS, Level, answer_times, bytes_per_row, memory_kib
from benchmarks.handshakes import measure
from benchmarks.machine import describe
from benchmarks.page import Rest, missing, page
from benchmarks.scaling import IN_FLIGHT, SIGNED, by_concurrency, scaling, slow_signer
from benchmarks.truth import stall_reports
from benchmarks.writing import writer_us
from tests.servers.certificates import Certificates
from tests.servers.nginx import Nginx, Node

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    rounds: int = 5
    """Of the comparison of clients; everything else has its own number of repetitions."""
    count: int = 6_000
    """Handshakes a round and client."""
    repeats: int = 3
    signed: int = SIGNED
    in_flight: int = 10_000
    """For the memory figure."""
    levels: Sequence[int] = IN_FLIGHT
    answers: Sequence[Level] = LEVELS
    stall_s: int = 30
    starts: int = 7
    written: int = 1_000_000
    """Rows; `python -m benchmarks.writing` alone stores ten times as many."""
    varied: Sequence[int] = reports.ROWS
    plain: Sequence[int] = reports.PLAIN_ROWS
    foreign: Sequence[int] = records.ROWS
    merged: tuple[int, int] = (merging.FILES, merging.ROWS)
    """Files, and rows of each."""
    vantages: tuple[int, int] = (merging.VANTAGES, merging.ROWS)


SHORT = Extent(
    rounds=1,
    count=300,
    repeats=1,
    signed=200,
    in_flight=300,
    levels=(1, 100),
    answers=LEVELS[:2],
    stall_s=11,
    starts=1,
    written=20_000,
    varied=(10_000,),
    plain=(10_000, 20_000),
    foreign=(20_000,),
    merged=(3, 10_000),
    vantages=(10, 60_000),
)


def main() -> None:
    """Measure everything in turn, never two things at once."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--short", action="store_true", help="little of everything, as a trial")
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args()
    extent = SHORT if options.short else Extent()
    with tempfile.TemporaryDirectory() as name:
        text = _measured(extent, Path(name), options.out.resolve().parent)
    options.out.write_text(text)
    print(text)


def _measured(extent: Extent, folder: Path, docs: Path) -> str:
    """The page."""
    machine = describe()
    certificates = Certificates.make(folder)
    node = Node(
        *("node", certificates.full, certificates.key, ("TLSv1.3",)),
        extra="ssl_session_tickets off;",
        logged=False,
    )
    results, count, repeats = folder / "results", extent.count, extent.repeats
    with Nginx([node], folder / "nginx") as nginx:
        aim = Aim(nginx.ports["node"], certificates, results)
        figures = _timed("clients", lambda: measure(aim, extent.rounds, count))
        parts = _timed("samples", lambda: samples.spent(aim, folder, count, extent.signed))
        idle = _timed("idle", lambda: samples.idle_ms(aim))
        rest_row = bytes_per_row(results)
        answers = _timed("server_ns", lambda: answer_times(aim, nginx.pid, extent.answers))
        memory = _timed("memory", lambda: memory_kib(aim, extent.in_flight))
        seen = _timed("stalls", lambda: stall_reports(aim, nginx.pid, extent.stall_s))
        more = _timed("processes", lambda: scaling(aim, count, rounds=repeats))
        levels = _timed("in flight", lambda: by_concurrency(aim, count, extent.levels, repeats))
        started = _timed("start-up", lambda: starting.starts(aim, folder, extent.starts))
        late = _timed("profiles", lambda: starting.missed(started))
    slow = _timed("RSA-4096", lambda: slow_signer(folder, extent.signed, repeats))
    written_us = _timed("writer", lambda: writer_us(extent.written, folder))
    reading = _timed("reports", lambda: reports.measure(extent.varied, extent.plain, docs))
    foreign = _timed("records", lambda: [records.isolated(one, folder) for one in extent.foreign])
    whole = _timed("merging", lambda: merging.with_rows(*extent.merged))
    thin = _timed("merging, rows there", lambda: merging.without_rows(*extent.vantages))
    rest = Rest(memory, extent.in_flight, rest_row, written_us, more, levels, slow)
    split = samples.section(parts, idle)
    text = page(machine, (figures, extent.rounds, CONCURRENCY, split), answers, rest, seen)
    sections = (
        starting.section(started),
        reading.text,
        records.section(foreign),
        merging.section([whole, thin]),
        missed.section(
            [
                *missing(figures, answers, rest),
                *late,
                *reading.missed,
                *merging.missed([whole, thin]),
            ]
        ),
    )
    return "\n\n".join(one.strip() for one in (text, *sections)) + "\n"


def _timed(what: str, measured: Callable[[], _T]) -> _T:
    """What is measured, and a line that says how long that took."""
    begin = time.monotonic()
    result = measured()
    print(f"{what}: {time.monotonic() - begin:.0f} s", flush=True)
    return result


if __name__ == "__main__":
    main()
