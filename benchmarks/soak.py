"""A long run through a farm that reloads, flaps and rotates its certificates: `make soak`.

It shows that the memory of all our processes stays flat, that every attempt has its row, and that
the report counts exactly those failures that the farm counted as planted. The figures go to a small
file, from which `docs/reliability.md` is made.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from stress.lab.blueprint import (
    Balancing,
    Fault,
    FaultAction,
    Identity,
    NodeSpec,
    Pool,
    Process,
    Window,
)
from stress.lab.farm import Child, Farm
from stress.lab.scenarios import Planted, Scenario
from stress.lab.site import HOST, NAMES, LeafSpec, Site
from stress.model.plan import Address, Client, Plan, Target
from stress.model.record import Record
from stress.store import RunWriter

FIGURES = Path(__file__).with_name("soak.json")
TITLE = "Four nodes; one reloads, one flaps, one rotates."
PLANTED = Planted(None, 0.0, (), "three nodes that change")
STORY = Scenario("soak", TITLE, PLANTED.sentence, 0.0, ())
SAMPLE_S = 1.0
WARM_SHARE = 0.4
"""Of the samples; the first are left out of the slope: caches fill, and the counts of all 28,232
local ports."""
ENDED = frozenset({0, 1})
FLAT_KIB = 10 * 1024
"""Growth in a million handshakes that still counts as flat."""
LONG = 500_000
"""From this many attempts the growth is meaningful: before, caches fill."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The results of one soak."""

    attempts: int
    rows: int
    seconds: float
    failures: dict[str, int]
    """By category, as reported."""
    planted: dict[str, int]
    """By category, as the farm counted."""
    mechanisms: dict[str, str]
    """The reported cause of each category: dimension and value."""
    bad_chain: str
    """The chain that the reloading node sends, by its hash: the cause of its failures."""
    peak_mib: float
    """Of all our processes together while handshakes were opened."""
    kib_per_million: float
    """Slope of that memory over the later part of the run; noise makes it negative, too."""
    bytes_per_row: float
    keeping_mib: dict[int, float]
    """Memory of the writing process alone, by the number of rows written."""
    machine: str

    @property
    def holds(self) -> bool:
        """Every row is there, each failure was planted, its cause is reported, memory is flat."""
        kind, _, named = self.mechanisms.get("incomplete-chain", "").partition(" ")
        by_chain = kind == "chain" and self.bad_chain.startswith(named)
        counted = self.attempts == self.rows and self.failures == self.planted
        return counted and by_chain and self.is_flat

    @property
    def is_flat(self) -> bool:
        """Whether a long run stopped growing; a short one cannot show it."""
        return self.attempts < LONG or self.kib_per_million <= FLAT_KIB


def soak(count: int, pace: float, results: Path, *options: str) -> Figures:
    """Run so many handshakes; `pace` is a factor on all the farm's times."""
    with _farm(pace) as (farm, alone):
        begun = monotonic()
        summary, memory = _run(farm, count, results, options)
        seconds = monotonic() - begun
        faulted = farm.faulted()
    file = results / "soak.db"
    planted = {"incomplete-chain": faulted["node-02"], "reset": faulted["node-03"]}
    named = {
        cause["category"]: "{dimension} {value}".format(**cause["mechanism"])
        for cause in summary["causes"]
        if cause["kind"] == "failure" and cause["mechanism"]
    }
    return Figures(
        attempts=count,
        rows=_rows(file),
        seconds=round(seconds, 1),
        failures=dict(sorted(summary["failures"]["categories"].items())),
        planted={name: number for name, number in planted.items() if number},
        mechanisms=named,
        bad_chain=alone,
        peak_mib=round(max(memory) / 1024, 1),
        kib_per_million=round(_slope(memory) / max(1, count / len(memory)) * 1e6),
        bytes_per_row=round(file.stat().st_size / count, 1),
        keeping_mib={},
        machine=_machine(),
    )


def keeping(most: int, folder: Path) -> dict[int, float]:
    """Memory of a writer that is given made-up rows whose times are 500 a second.

    Handshakes cannot be opened fast enough to wait for the second million; rows can.
    """
    start_ns = 1_800_000_000_000_000_000
    plan = Plan(Target("soak.test"), (Address("127.0.0.1", 443),), (Client("generic"),))
    writer = RunWriter(folder / "keeping.db", plan, started_ns=start_ns, versions={}, host="here")
    writer.add_address(0, Address("127.0.0.1", 443))
    chance, found = random.Random(1), dict[int, float]()
    for first in range(0, most, 100):
        writer.add_records(
            [_made_up(number, start_ns, chance) for number in range(first, first + 100)]
        )
        writer.commit(first + 100)
        if (first + 100) % (most // 8) == 0:
            found[first + 100] = round(_resident_kib(os.getpid()) / 1024, 1)
    writer.close()
    return found


def _made_up(number: int, start_ns: int, chance: random.Random) -> Record:
    """A row with every latency drawn over three powers of ten; 3% of them failures."""
    due = start_ns + number * 2_000_000
    good = chance.random() > 0.03
    blank = dict.fromkeys(Record._fields)
    values = blank | {
        "id": number,
        "due_ns": due,
        "started_ns": due,
        "address": 0,
        "local_port": 32_768 + number * 7919 % 28_232,
        "client": 0,
        "outcome": "ok" if good else "reset",
        "stage": 5 if good else 2,
        "total_ns": int(10 ** chance.uniform(5, 8)),
        "connect_ns": int(10 ** chance.uniform(4, 7)),
        "server_ns": int(10 ** chance.uniform(5, 8)) if good else None,
        "handshake_ns": int(10 ** chance.uniform(5, 8)) if good else None,
        "lag_ns": int(10 ** chance.uniform(4, 7)),
        "bytes_received": 3000,
        "segment": 0,
        "flags": 0,
    }
    return Record(**values)  # type: ignore[arg-type]  # a row of mixed types


@contextmanager
def _farm(pace: float) -> Iterator[tuple[Farm, str]]:
    """Four nodes in strict turn; times in seconds: reload 2 of 30, flap 1 of 20, rotate 40."""
    with ExitStack() as undo:
        place = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="tls-stress-soak-")))
        site = Site(place, datetime.now(UTC), 1, pace)
        site.shown("good.pem")
        alone = site.shown("alone.pem")
        site.show("renewed.pem", site.issue(LeafSpec(NAMES)))
        reloading = Fault(identity=Identity(("alone.pem",)), window=Window(8, 2, 30))
        flapping = Fault(FaultAction.RESET, window=Window(5, 1, 20))
        rotating = Fault(identity=Identity(("renewed.pem",)), window=Window(20, 20, 40))
        faults = ((), (reloading,), (flapping,), (rotating,))
        nodes = tuple(NodeSpec(faults=planted) for planted in faults)
        front = site.front()
        pool = Pool(nodes, front, Balancing.ROUND_ROBIN, pace=pace)
        orders = Process((pool,), str(site.folder))
        child = Child(orders, site.write("process.log", b""))
        undo.callback(child.end)
        site.close_sockets()
        child.wait_ready()
        addresses = (front.address,)
        farm = Farm(STORY, addresses, PLANTED, site.ca_file, (child,), ExitStack())
        yield farm, alone.sha256


def _run(
    farm: Farm, count: int, results: Path, options: tuple[str, ...]
) -> tuple[dict[str, Any], list[int]]:
    """The summary of the run, and the memory of its processes in KiB, sampled."""
    (only,) = farm.addresses
    command = [sys.executable, "-m", "stress", "run", f"{HOST}:{only.port}"]
    command += ["--address", str(only), "--ca", str(farm.ca_file), "-n", str(count), "--json"]
    command += ["--results", str(results), "--name", "soak", *options]
    memory: list[int] = []
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            try:
                process.wait(SAMPLE_S)
            except subprocess.TimeoutExpired:
                workers = _children(process.pid)
                if workers:  # before and after them, it is planning and analysis
                    memory.append(sum(map(_resident_kib, (process.pid, *workers))))
        out.seek(0)
        output = out.read()
    if process.returncode not in ENDED:
        raise RuntimeError(f"the run ended with code {process.returncode}: {output[:500]}")
    summary: dict[str, Any] = json.loads(output)
    return summary, memory or [0]


def _resident_kib(pid: int) -> int:
    """Proportional memory of a process, where Linux reports it."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in text.splitlines() if line[:4] == "Pss:")


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(word) for word in text.split()]


def _slope(memory: list[int]) -> float:
    """KiB a sample, by least squares over the later part."""
    later = memory[int(len(memory) * WARM_SHARE) : -1]
    if len(later) < 3:
        return 0.0
    middle, mean = (len(later) - 1) / 2, sum(later) / len(later)
    spread = sum((place - middle) ** 2 for place in range(len(later)))
    return sum((place - middle) * (kib - mean) for place, kib in enumerate(later)) / spread


def _rows(file: Path) -> int:
    with closing(sqlite3.connect(file)) as database:
        (rows,) = database.execute("SELECT count(*) FROM handshake").fetchone()
    return int(rows)


def _machine() -> str:
    from benchmarks.machine import describe  # noqa: PLC0415 - only for the page

    *rest, python = (value for _, value in describe()[:4])
    return ", ".join((*rest, f"Python {python}"))


def main() -> None:
    """Soak, then print the figures and save them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument(
        "--rows", type=int, default=4_000_000, help="rows for the memory of the writer"
    )
    parser.add_argument("--pace", type=float, default=1.0)
    parser.add_argument("--out", type=Path, default=FIGURES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kept = keeping(options.rows, Path(folder))
        figures = replace(
            soak(options.count, options.pace, Path(folder) / "results"), keeping_mib=kept
        )
    text = json.dumps(asdict(figures), indent=1)
    options.out.write_text(text + "\n")
    print(text)
    if not figures.holds:
        sys.exit("rows are missing, failures differ from those planted, or memory grew")


if __name__ == "__main__":
    main()
