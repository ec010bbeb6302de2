"""How long the report of ten million handshakes takes, from its run file to the causes in it.

A hundred thousand distinct cells in eleven dimensions, which is what ten million handshakes of a
mixed run leave behind. The file is written by the run's own writer with one attempt for each cell,
then the cube's counts are multiplied: a report reads the cube and never the rows.

    python -m benchmarks.causes
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.cost import run
from stress.analysis.verdict import NANOSECONDS
from stress.model.outcome import Stage
from stress.model.plan import Address, Client, Plan, Target
from stress.model.record import Record
from stress.model.run import End, RunEnd
from stress.store import RunWriter

CELLS, EACH = 100_000, 100
BLOCKS = 900
BEGUN_NS = 1_790_000_000 * NANOSECONDS


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ten-million.db"
        write(path)
        cells = multiply(path)
        cost = run([str(Path(sys.executable).with_name("tls-stress")), "report", str(path)])
        if "10.0.0.5:443 with TLS 1.2" not in " ".join(cost.output.split()):
            raise RuntimeError(f"the planted cause was not found: {cost.output}")
        print(
            f"{cells:,} cells of {CELLS * EACH:,} attempts in 11 dimensions: "
            f"`tls-stress report` in {cost.wall_s:.2f} s, {cost.cpu_s:.2f} s CPU"
        )


def write(path: Path) -> None:
    """A finished run of one attempt for each cell; one address resets TLS 1.2 now and then."""
    addresses = tuple(Address(f"10.0.0.{number}", 443, f"n{number}") for number in range(16))
    clients = tuple(Client(f"client-{number}") for number in range(4))
    plan = Plan(Target("lab.test"), addresses, clients, sources=("10.1.0.1", "10.1.0.2"))
    writer = RunWriter(path, plan, started_ns=BEGUN_NS, versions={}, host="")
    for number, address in enumerate(addresses):
        writer.add_address(number, address)
    records = _records(np.random.default_rng(6))
    while batch := [record for _, record in zip(range(1000), records, strict=False)]:
        writer.add_records(batch)
    ended = RunEnd(End.COMPLETED, BEGUN_NS + BLOCKS * NANOSECONDS, CELLS)
    writer.finish(ended)


def multiply(path: Path) -> int:
    """Each cell as many times; how many cells there are."""
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE cell SET count = count * ?", [EACH])
        ((cells,),) = connection.execute("SELECT count(*) FROM cell")
    connection.close()
    return int(cells)


def _records(random: np.random.Generator) -> Iterator[Record]:
    """Attempts that are spread evenly over time and all that may differ."""
    drawn = [random.integers(0, n, CELLS).tolist() for n in (16, 2, 4, 2, 5)]
    late = [
        random.choice(values, CELLS).tolist()
        for values in ((0x0303, 0x0304), (0x1301, 0x1302, 0xC02B, 0xC02F), (29, 23, 4588))
    ]
    due = np.sort(random.integers(0, BLOCKS * NANOSECONDS, CELLS)).tolist()
    chance = random.random(CELLS).tolist()
    for number, row in enumerate(zip(due, *drawn, *late, chance, strict=True)):
        due_ns, address, source, client, resumed, segment, version, cipher, group, luck = row
        failed = luck < (0.2 if address == 5 and version == 0x0303 else 1e-4)
        yield Record(
            id=number,
            due_ns=BEGUN_NS + due_ns,
            started_ns=BEGUN_NS + due_ns,
            address=address,
            source=source,
            local_port=20_000 + number % 40_000,
            client=client,
            outcome="reset" if failed else "ok",
            stage=Stage.FINISHED,
            chain=None,
            tls_version=version,
            cipher=cipher,
            key_group=group,
            alpn=("h2", "http/1.1")[number % 2],
            resumed=bool(resumed),
            connect_ns=100_000,
            server_ns=1_000_000,
            handshake_ns=1_500_000,
            total_ns=1_600_000,
            lag_ns=10_000,
            bytes_received=3_000,
            segment=segment,
            flags=0,
            detail=None,
        )


if __name__ == "__main__":
    main()
