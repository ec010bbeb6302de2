"""What the one writer costs for each row, in processor time of its thread.

All workers send their rows to one process that judges, counts and stores them. So this cost, and
not the number of workers, bounds how many handshakes a second can be recorded: at 5 µs, 200,000.

`python -m benchmarks.writing` stores ten million rows.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import thread_time_ns, time_ns

from stress.model.chain import Chain
from stress.model.outcome import OK, Stage
from stress.model.plan import Address, Client, Plan, Target
from stress.model.record import Record
from stress.model.run import End, RunEnd
from stress.store import RunWriter

ROWS = 10_000_000
BATCH = 500
"""Rows that a busy worker sends at once."""
A_SECOND = 20_000
"""Rows between two commits, as at that many a second."""
FAILING_OF = 1_000


def writer_us(rows: int, folder: Path) -> float:
    """Microseconds of processor time for each row, commits and the end included."""
    address = Address("192.0.2.1", 443)
    plan = Plan(Target("bench.test", 443), (address,), (Client("generic"), Client("chrome")))
    begun = time_ns()
    writer = RunWriter(folder / "writing.db", plan, started_ns=begun, versions={}, host="bench")
    chain = Chain((b"leaf", b"intermediate"))
    writer.add_address(0, address)
    writer.add_chain(chain, ())
    spent = 0
    for number, batch in enumerate(_batches(rows, begun, chain.sha256)):
        before = thread_time_ns()
        writer.add_records(batch)
        if (number + 1) * BATCH % A_SECOND == 0:
            writer.commit((number + 1) * BATCH)
        spent += thread_time_ns() - before
    before = thread_time_ns()
    writer.finish(RunEnd(End.COMPLETED, time_ns(), rows))
    writer.close()
    return (spent + thread_time_ns() - before) / rows / 1000


def _batches(rows: int, begun_ns: int, chain: bytes) -> Iterator[list[Record]]:
    """Rows as two workers send them: two clients, a failure now and then."""
    for first in range(0, rows, BATCH):
        yield [plain_row(id_, begun_ns, chain) for id_ in range(first, min(rows, first + BATCH))]


def plain_row(number: int, begun_ns: int, chain: bytes) -> Record:
    """The attempt of that number; one in `FAILING_OF` failed."""
    due = begun_ns + number * 1_000_000_000 // A_SECOND
    took = 300_000 + number * 7919 % 400_000
    failed = number % FAILING_OF == 0
    port = 32_768 + number % 28_232
    seen = (chain, 0x0304, 0x1301, 29, None, False) if not failed else (None,) * 6
    times = (50_000, took, took + 90_000) if not failed else (50_000, None, None)
    return Record(
        *(
            *(number, due, due + 40_000, 0, None, port, number % 2),
            *("reset" if failed else OK.name, Stage.CLIENT_HELLO if failed else Stage.FINISHED),
            *seen,
            *times,
            *(took + 200_000, 20_000, 0 if failed else 3_200, 0, 0, None),
        )
    )


def main() -> None:
    """Store as many rows as the first argument says, and print what each has cost."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        cost = writer_us(rows, Path(folder))
        size = (Path(folder) / "writing.db").stat().st_size
        print(f"{rows:,} rows: {cost:.2f} µs and {size / rows:.0f} bytes each")


if __name__ == "__main__":
    main()
