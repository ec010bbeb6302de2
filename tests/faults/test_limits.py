"""What our own machine may refuse in the middle of a run, or before it."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from stress.model.run import End
from stress.store import open_run
from tests.faults.conftest import Program, until

pytestmark = pytest.mark.slow

needs_namespaces = pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "-rnm", "true"], check=False, capture_output=True).returncode
    != 0,
    reason="no namespaces may be made here",
)


def limited(*limits: str) -> tuple[str, ...]:
    """What runs a command under limits of the shell, such as `-n 64`."""
    return ("bash", "-c", f'ulimit {" ".join(limits)} && exec "$@"', "limited")


@pytest.mark.long
def test_a_file_that_may_not_grow_stops_the_run_and_what_is_written_reports(
    program: Program,
) -> None:
    """A quota, as the kernel tells it (EFBIG); a full disk is told in the same way."""
    process = program.run("-d", "60s", "-c", "8", "--processes", "1", prefix=limited("-f", "400"))
    _, err = process.communicate(timeout=60)

    assert process.returncode == 4, err
    assert "could not write to the run file run.db" in " ".join(err.split())
    assert "Traceback" not in err
    report = program.report()
    assert program.facts().recorded > 0
    assert report.returncode in {0, 3, 4}, report.stderr


@pytest.mark.long
@needs_namespaces
def test_a_full_disk_stops_the_run_and_what_is_written_reports(
    program: Program, tmp_path: Path
) -> None:
    """A disk of its own with room for a few hundred rows; the report is read from it, too."""
    disk = tmp_path / "disk"
    disk.mkdir()
    run = [*program.target, "--results", str(disk), "--name", "run", "-d", "60s", "-c", "8"]
    script = (
        f'mount -t tmpfs -o size=500k tmpfs "{disk}" && "$@"; echo "exit $?" >&2;'
        f' exec "$1" "$2" "$3" report "{disk}/run.db"'
    )
    process = program.start(*run, prefix=("unshare", "-rm", "sh", "-c", script, "sh"))
    out, err = process.communicate(timeout=60)

    assert "exit 4" in err
    assert "the disk is full" in " ".join(err.split())
    assert "Traceback" not in err
    assert "handshakes" in out


@pytest.mark.long
@needs_namespaces
@pytest.mark.parametrize("kilobytes", [300, 700])
def test_a_full_disk_costs_at_most_a_second_of_rows(
    program: Program, tmp_path: Path, kilobytes: int
) -> None:
    """Rows that were committed, of the connections that the farm has served."""
    disk = tmp_path / "disk"
    disk.mkdir()
    run = [*program.target, "--results", str(disk), "--name", "run", "-d", "60s", "--rate", "200"]
    script = (
        f'mount -t tmpfs -o size={kilobytes}k tmpfs "{disk}" && "$@"; echo "exit $?" >&2;'
        f' exec "$1" "$2" "$3" report "{disk}/run.db" --json'
    )
    before = sum(program.farm.served().values())
    process = program.start(*run, prefix=("unshare", "-rm", "sh", "-c", script, "sh"))
    out, err = process.communicate(timeout=90)
    served = sum(program.farm.served().values()) - before

    assert "exit 4" in err
    assert 0 <= served - json.loads(out)["attempts"] <= 200 + 64


@pytest.mark.real("chattr")
def test_a_run_file_that_becomes_read_only_in_the_middle_stops_the_run(
    program: Program,
) -> None:
    """Immutable, as `chattr` makes it: the kernel then refuses also who has it open already."""
    process = program.run("-d", "60s", "-c", "4", "--processes", "1")
    program.until_rows(20, process)
    files = [program.file, program.file.with_name("run.db-wal")]

    with _immutable(files):
        out, err = process.communicate(timeout=40)

    assert process.returncode == 4, err
    assert "could not write to the run file run.db" in " ".join(err.split())
    assert "Traceback" not in out + err
    assert program.facts().recorded >= 20


@contextmanager
def _immutable(files: Sequence[Path]) -> Iterator[None]:
    """Skips where the file system or the user cannot do it."""
    try:
        done = subprocess.run(["chattr", "+i", *files], check=False, capture_output=True)
        if done.returncode != 0:
            pytest.skip("no file can be made immutable here")
        yield
    finally:
        subprocess.run(["chattr", "-i", *files], check=False, capture_output=True)


def test_a_run_file_that_is_deleted_in_the_middle_stops_the_run(program: Program) -> None:
    process = program.run("-d", "60s", "-c", "4", "--processes", "1")
    program.until_rows(20, process)

    program.file.unlink()
    _, err = process.communicate(timeout=30)

    assert process.returncode == 4, err
    assert "deleted or replaced" in " ".join(err.split())
    assert "Traceback" not in err


@pytest.mark.long
def test_a_run_file_that_another_locks_for_good_stops_the_run(program: Program) -> None:
    process = program.run("-d", "60s", "-c", "4", "--processes", "1")
    program.until_rows(20, process)

    with closing(sqlite3.connect(program.file, isolation_level=None)) as other:
        until(lambda: _locked(other))
        _, err = process.communicate(timeout=40)

    assert process.returncode == 4, err
    assert "another program holds a lock" in " ".join(err.split())
    assert program.facts().recorded >= 20


def _locked(database: sqlite3.Connection) -> bool:
    try:
        database.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True


def test_too_few_file_descriptors_are_told_before_anything_is_sent(program: Program) -> None:
    process = program.run("-n", "100", prefix=limited("-n", "64"))
    _, err = process.communicate(timeout=30)

    assert process.returncode == 2, err
    assert "open files" in err
    assert not program.file.exists()


@pytest.mark.long
def test_half_a_gigabyte_is_enough(program: Program) -> None:
    """Of data, for each process."""
    process = program.run(
        "-n", "200", "-c", "64", "--processes", "2", prefix=limited("-d", str(512 * 1024))
    )
    _, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert program.facts().recorded == 200


@pytest.mark.long
@needs_namespaces
def test_without_ipv6_everything_else_works(program: Program) -> None:
    """A network of its own, in which there is loopback and no IPv6."""
    script = (
        "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; ip link set lo up;"
        ' export PATH="$PATH:/usr/sbin:/sbin"; ip link set lo up; exec "$@"'
    )
    process = program.start(
        *("demo", "round-robin-1-of-8", "-n", "80", "--results", str(program.results)),
        prefix=("unshare", "-rn", "sh", "-c", script, "sh"),
    )
    out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert "10 of 80" in out


@pytest.mark.long
@pytest.mark.real("faketime")
def test_a_clock_that_is_set_back_an_hour_changes_no_duration(
    program: Program, tmp_path: Path
) -> None:
    """The library of `faketime` answers for the wall clock in all our processes, and jumps."""
    wall = tmp_path / "wall"
    wall.write_text("+0")
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    told = {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": wall,
        "FAKETIME_NO_CACHE": 1,
        "FAKETIME_DONT_FAKE_MONOTONIC": 1,
        "NO_FAKE_STAT": 1,
    }
    prefix = ("env", *(f"{name}={value}" for name, value in told.items()))
    process = program.run("--rate", "50", "-d", "4s", "--processes", "2", prefix=prefix)
    program.until_rows(50, process)

    (tmp_path / "later").write_text("-3600")
    (tmp_path / "later").replace(wall)
    out, err = process.communicate(timeout=40)

    with open_run(program.file) as run:
        facts, rows = run.facts(), list(run.records())
    assert facts.ended_ns is not None
    length_ns = facts.ended_ns - facts.started_ns
    assert process.returncode == 0, err
    assert "the clock was set by -3600" in " ".join(out.split()).replace("-3,600", "-3600")
    assert 4e9 < length_ns < 30e9
    assert facts.started == facts.recorded == len(rows)
    assert all(0 <= row.started_ns - facts.started_ns <= length_ns for row in rows)
    assert all(0 < row.total_ns < length_ns for row in rows)


@pytest.mark.long
def test_two_runs_of_one_name_at_once_get_a_file_each(program: Program) -> None:
    words = ("-n", "60", "--processes", "1")
    runs = [program.run(*words) for _ in range(2)]

    ends = [process.communicate(timeout=40) for process in runs]

    assert [process.returncode for process in runs] == [0, 0], ends
    files = sorted(path.name for path in program.results.iterdir())
    assert files == ["run-2.db", "run.db"]
    assert program.facts().end is End.COMPLETED
    assert program.rows() == 60
