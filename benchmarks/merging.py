"""What it costs to make one run file of those of many machines (`tls-stress merge`).

Ten files of a million varied rows each (`benchmarks.reports`), with all rows. And a thousand files
of a million plain rows each (`benchmarks.writing`), of which the rows of good handshakes stayed
where they were made. The files are copies of one that start a little later, as on other machines.

    python -m benchmarks.merging                 both
    python -m benchmarks.merging FILES ROWS      files of so many varied rows
    python -m benchmarks.merging --there FILES ROWS

rewrites its section of docs/benchmarks.md when both are measured.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from sqlite3 import connect

from benchmarks.cost import run
from benchmarks.missed import Missed
from benchmarks.reports import write_varied
from benchmarks.writing import writer_us

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
HEADING = "## One run of many files"
FILES, ROWS = 10, 1_000_000
VANTAGES = 1_000
MOST_S, MOST_MB = 60.0, 500.0
MOST_THERE_S, MOST_THERE_MIB = 180.0, 1024.0
MOST_HOME_MB = 5.0
_APART_NS = 37_000_000
_SAMPLE_S = 0.2
_MERGE = """
import sys
from pathlib import Path
from stress.runner.merge import merge
from stress.runner.run import RunLocation
folder, name, thin, *files = sys.argv[1:]
merge(files, RunLocation(Path(folder), name), print, thin=thin == "there")
"""


@dataclass(frozen=True, slots=True)
class Merged:
    """What one merge has cost."""

    files: int
    rows: int
    """Of each file, where it was made."""
    there: bool
    part_mb: float
    """Of a file that is merged."""
    whole_mb: float
    cpu_s: float
    peak_mib: float


def merge(
    files: Sequence[Path], folder: Path, name: str, *, there: bool = False
) -> tuple[float, float]:
    """Processor time in seconds and memory in MiB of merging files, without a report.

    Raises:
        RuntimeError: it failed.
    """
    words = [str(folder), name, "there" if there else "here", *map(str, files)]
    cost = run([sys.executable, "-c", _MERGE, *words], _SAMPLE_S)
    if cost.code:
        raise RuntimeError(cost.output)
    return cost.cpu_s, cost.peak_rss_kib / 1024


def copies(one: Path, count: int) -> list[Path]:
    """The run of a file as so many machines would have made it.

    Each starts a little later. Of a file that is merged already only the machine's mark moves, and
    its rows stay in their time blocks.
    """
    made = []
    for number in range(count):
        path = one.with_name(f"v{number}.db")
        copyfile(one, path)
        name, later_ns = f"vm-{number}", number * _APART_NS
        with closing(connect(path)) as file:
            moved = file.execute(
                "UPDATE vantage SET name = ?, host = ?, started_ns = started_ns + ?",
                [name, name, later_ns],
            )
            if not moved.rowcount:
                sql = "UPDATE meta SET value = ? WHERE key = 'host'"
                file.execute(sql, [name])
                sql = "UPDATE meta SET value = value + ? WHERE key = 'started_ns'"
                file.execute(sql, [later_ns])
            file.commit()
        made.append(path)
    return made


def with_rows(files: int = FILES, rows: int = ROWS) -> Merged:
    """Merge varied files, all rows of them."""
    return _measured(lambda folder: write_varied(rows, folder / "run.db", 1), files, rows)


def without_rows(files: int = VANTAGES, rows: int = ROWS) -> Merged:
    """Merge plain files whose good rows stayed where they were made."""

    def write(folder: Path) -> None:
        writer_us(rows, folder)
        merge([folder / "writing.db"], folder, "run", there=True)

    return _measured(write, files, rows, there=True)


def _measured(
    write: Callable[[Path], None], files: int, rows: int, *, there: bool = False
) -> Merged:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        one = folder / "run.db"
        cpu_s, peak_mib = merge(copies(one, files), folder, "all")
        part_mb, whole_mb = (path.stat().st_size / 1e6 for path in (one, folder / "all.db"))
    return Merged(files, rows, there, part_mb, whole_mb, cpu_s, peak_mib)


def missed(measured: Sequence[Merged]) -> list[Missed]:
    """What took more than its target."""
    found = []
    for one in measured:
        most_s, most_mib = (MOST_THERE_S, MOST_THERE_MIB) if one.there else (MOST_S, MOST_MB)
        files = f"of {one.files:,} files{', rows there' if one.there else ''}"
        if one.cpu_s > most_s:
            found.append(Missed(f"processor time {files}", f"{one.cpu_s:.0f} s", f"{most_s:g} s"))
        if one.peak_mib > most_mib:
            peak = f"{one.peak_mib:,.0f} MiB"
            found.append(Missed(f"memory {files}", peak, f"{most_mib:,.0f} MiB"))
    return found


def section(measured: Sequence[Merged]) -> str:
    """The section of the page."""
    heads = ("files", "rows of each", "rows kept", "a file", "merged", "processor time", "memory")
    table = [heads, ["---"] * len(heads)]
    for one in measured:
        most_s, most = (MOST_THERE_S, MOST_THERE_MIB) if one.there else (MOST_S, MOST_MB)
        kept = "failing, and a sample" if one.there else "all"
        size = f"{one.part_mb:,.1f} MB" + (f" (*{MOST_HOME_MB:g}*)" if one.there else "")
        table.append(
            [
                *(f"{one.files:,}", f"{one.rows:,}", kept, size, f"{one.whole_mb:,.0f} MB"),
                f"{one.cpu_s:,.0f} s (*{most_s:g}*)",
                f"{one.peak_mib:,.0f} MiB (*{most:,.0f}*)",
            ]
        )
    lines = "\n".join(f"| {' | '.join(row)} |" for row in table)
    return f"""{HEADING}

What `merge` takes, without the report that follows it (`python -m benchmarks.merging`): varied runs
with all their rows, and plain runs (one address, two clients, one chain, one failure in 1,000) of
which the rows of good handshakes stayed where they were made (`--rows there`). *Targets* in
brackets. The files are copies of one that start a little later.

{lines}
"""


def main() -> None:
    """Measure, and rewrite the section if everything was measured."""
    words = sys.argv[1:]
    numbers = [int(word) for word in words if word != "--there"]
    if words:
        print(section([(without_rows if "--there" in words else with_rows)(*numbers)]))
        return
    text = section([with_rows(), without_rows()])
    before, _, after = PAGE.read_text().partition(HEADING)
    _, mark, rest = after.partition("\n## ")
    PAGE.write_text(f"{before.rstrip()}\n\n{text}" + (f"\n## {rest}" if mark else ""))
    print(text)


if __name__ == "__main__":
    main()
