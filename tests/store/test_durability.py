"""What is in the file when the process is killed, or the disk is full."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stress.model.run import End
from stress.store import open_run

WRITE_UNTIL_KILLED = """
import sys
from pathlib import Path
from stress.model.plan import Client
from stress.model.plan import Plan
from stress.model.record import Record
from stress.model.plan import Target
from stress.store import RunWriter

start = 1_700_000_000_000_000_000
plan = Plan(Target("x.example"), (), (Client("generic"),))
writer = RunWriter(Path(sys.argv[1]), plan, started_ns=start, versions={}, host="")
number = 0
while True:
    writer.add_records([
        Record(n, start + n * 1000, start + n * 1000, 0, None, 40000, 0,
               "ok" if n % 7 else "reset", 5, b"c" * 32, 772, 4865, 29, None, False,
               1, 2, 3, 4, 5, 6, 0, 0, None)
        for n in range(number, number + 100)
    ])
    number += 100
    writer.commit(number)
    print(number, flush=True)
"""


@pytest.mark.slow
def test_after_kill_9_everything_committed_is_there(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_UNTIL_KILLED, str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        committed = 0
        while committed < 3000:
            committed = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        child.wait()
        committed = int((child.stdout.read().split() or [str(committed)])[-1])
    with open_run(path) as run:
        facts, rows = run.facts(), list(run.records())
        counted = sum(cell.count for cell in run.cube().cells)
        failures = list(run.failures(1_000_000))
        ports = run.ports()

    assert facts.end is End.UNFINISHED
    assert facts.recorded in {committed, committed + 100}
    assert [row.id for row in rows] == list(range(facts.recorded))
    assert counted == facts.recorded == ports[0].attempts
    assert len(failures) == ports[0].failures == len(range(0, facts.recorded, 7))
    assert [found.name for found in tmp_path.iterdir()] == ["run.db"]


FILL_THE_DISK = """
import resource, sys
from pathlib import Path
from stress.errors import RecordError
from stress.model.plan import Client
from stress.model.plan import Plan
from stress.model.record import Record
from stress.model.run import End, RunEnd
from stress.model.plan import Target
from stress.store import RunWriter

start = 1_700_000_000_000_000_000
plan = Plan(Target("x.example"), (), (Client("generic"),))
writer = RunWriter(Path(sys.argv[1]), plan, started_ns=start, versions={}, host="")
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))

size = int(sys.argv[3])

def batch(first):
    return [
        Record(n, start + n, start + n, 0, None, 40000, 0, "ok", 5, bytes([first // 500]) * 32,
               772, 4865, 29, None, False, 1, 2, 3, 4, 5, 6, 0, 0, None)
        for n in range(first, first + size)
    ]

taken = errors = 0
while not errors:
    try:
        writer.add_records(batch(taken))
        if sys.argv[2] != "uncommitted":
            writer.commit(taken + size)
    except RecordError as error:
        errors += 1
        print(error.message, file=sys.stderr)
    taken += size
if sys.argv[2] != "uncommitted":
    try:
        writer.add_records(batch(taken))
        writer.commit(taken + size)
    except RecordError:
        errors += 1
    taken += size
print(taken, writer.taken, writer.unwritten)
if sys.argv[2] == "space":
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
try:
    writer.finish(RunEnd(End.STOPPED, start, taken))
except RecordError as error:
    writer.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize("later", ["space", "full"])
def test_a_full_disk_is_told_and_nothing_committed_is_lost(tmp_path: Path, later: str) -> None:
    """A limit on the size of files stands in for a disk."""
    path = tmp_path / "run.db"
    done = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(path), later, "500"],
        capture_output=True,
        text=True,
        check=True,
    )
    taken, said_taken, unwritten = map(int, done.stdout.split())
    with open_run(path) as run:
        facts, ids = run.facts(), [record.id for record in run.records()]

    assert done.stderr.startswith("could not write to the run file run.db: ")
    assert taken == said_taken
    assert 0 < unwritten < taken
    if later == "space":
        assert (facts.end, ids) == (End.STOPPED, list(range(taken)))
    else:
        assert facts.end is End.UNFINISHED
        assert ids == list(range(taken - unwritten))


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "most"), [(150, 2_000), (1_300, 2_000), (20_000, 20_000)])
def test_a_full_disk_takes_few_rows_with_it(tmp_path: Path, rows: int, most: int) -> None:
    """Also where the engine did not come to commit: of a batch, too, all but the last rows stay."""
    path = tmp_path / "run.db"
    done = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(path), "uncommitted", str(rows)],
        capture_output=True,
        text=True,
        check=True,
    )
    taken, _, unwritten = map(int, done.stdout.split())
    with open_run(path) as run:
        recorded = run.facts().recorded

    assert recorded == taken - unwritten > 0
    assert unwritten < most
