"""What the search in anybody's records costs: `tls-stress isolate` on rows that hardly repeat.

    python -m benchmarks.records [ROWS …]

rewrites the last section of docs/benchmarks.md.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.cost import run

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
HEADING = "## Anybody's records"
ROWS = (1_000_000, 10_000_000)
PROMISED = {1_000_000: 15, 10_000_000: 120}
"""Rows -> seconds of processor time."""
SIZES = {"os": 6, "carrier": 12, "region": 20, "server": 24, "app": 3, "network": 2, "device": 16}
_AT_ONCE = 100_000
_SAMPLE_S = 0.1


@dataclass(frozen=True, slots=True)
class Isolated:
    """One file, isolated."""

    rows: int
    megabytes: float
    cpu_s: float
    peak_mib: float
    found: int
    """Of two planted causes."""


def lines(rows: int) -> Iterator[str]:
    """Ten columns: a time, seven of few values, a latency, and an error with two causes."""
    yield ",".join(["time", *SIZES, "latency_ms", "error"]) + "\n"
    random = np.random.default_rng(7)
    for begin in range(0, rows, _AT_ONCE):
        count = min(_AT_ONCE, rows - begin)
        ms = 1_796_000_000_000 + (begin + np.arange(count)) * 259_200_000 // rows
        times = np.datetime_as_string(ms.astype("datetime64[ms]"), timezone="UTC").tolist()
        codes = {name: random.integers(0, size, count) for name, size in SIZES.items()}
        chance = np.full(count, 0.0005)
        chance[codes["server"] == 7] = 0.02
        chance[(codes["os"] == 2) & (codes["carrier"] == 4)] = 0.05
        failed = (random.random(count) < chance).tolist()
        latency = random.lognormal(4, 0.6, count).round(1).tolist()
        columns = [codes[name].tolist() for name in SIZES]
        for at, values, took, bad in zip(
            times, zip(*columns, strict=True), latency, failed, strict=True
        ):
            named = ",".join(f"{name}-{v}" for name, v in zip(SIZES, values, strict=True))
            yield f"{at},{named},{took},{'-9807' if bad else ''}\n"


def isolated(rows: int, folder: Path) -> Isolated:
    """What it takes to isolate so many rows, the run file and the report included."""
    path = folder / f"{rows}.csv"
    with path.open("w") as file:
        file.writelines(lines(rows))
    program = str(Path(sys.executable).with_name("tls-stress"))
    words = ["isolate", str(path), "--failed", "error != empty", "--results", str(folder)]
    cost = run([program, *words], sample_s=_SAMPLE_S)
    output = " ".join(cost.output.split())
    causes = ("where server = server-7: ", "where os = os-2 and carrier = carrier-4: ")
    found = sum(cause in output for cause in causes)
    size = path.stat().st_size / 1e6
    path.unlink()
    return Isolated(rows, size, cost.cpu_s, cost.peak_rss_kib / 1024, found)


def section(measured: Sequence[Isolated]) -> str:
    """The section of the page."""
    table = "\n".join(
        f"| {one.rows:,} | {one.megabytes:,.0f} MB | {one.cpu_s:.1f} s "
        f"| {PROMISED.get(one.rows, '-')} s | {one.peak_mib:,.0f} MiB | {one.found} of 2 |"
        for one in measured
    )
    return f"""{HEADING}

`isolate` on a CSV file of ten columns (a time, seven columns of 2 to 24 random values, a
latency, an error) in which hardly any two rows are alike, with two planted causes. Processor time
and memory of everything from start-up to the printed report (`python -m benchmarks.records`).

| rows | file | processor time | target | memory | causes found |
| --- | --- | --- | --- | --- | --- |
{table}
"""


def main() -> None:
    """Measure, and rewrite the section."""
    sizes = [int(word) for word in sys.argv[1:]] or ROWS
    with tempfile.TemporaryDirectory() as folder:
        measured = [isolated(rows, Path(folder)) for rows in sizes]
    before = PAGE.read_text().partition(HEADING)[0].rstrip()
    PAGE.write_text(f"{before}\n\n{section(measured)}")


if __name__ == "__main__":
    main()
