"""Names of runs stay in the results directory, and every run gets its own."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.errors import RunFileError, UsageError
from stress.model.plan import Plan
from stress.model.record import Record
from stress.store import RunWriter
from stress.store.opening import default_name, locate, reserve

NOW = datetime(2026, 10, 31, 10, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("example.com", "example.com-20261031T101500Z"),
        ("192.0.2.1", "192.0.2.1-20261031T101500Z"),
        ("2001:db8::1", "2001-db8-1-20261031T101500Z"),
        ("::1", "1-20261031T101500Z"),
        ("../../etc", "etc-20261031T101500Z"),
        ("\u202e", "run-20261031T101500Z"),
    ],
)
def test_the_default_name_is_host_and_time(host: str, name: str) -> None:
    assert default_name(host, NOW) == name


def test_the_time_is_utc_whatever_the_zone() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert default_name("h", there) == default_name("h", NOW)


@given(st.text(max_size=300))
def test_a_default_name_can_always_be_reserved(host: str) -> None:
    name = default_name(host, NOW)

    assert name.isascii()
    assert not name.startswith((".", "-"))
    assert len(name) < 130


def test_a_taken_name_gets_a_number(tmp_path: Path) -> None:
    names = [reserve(tmp_path, name).name for name in ("x", "x", "x.db", "y")]

    assert names == ["x.db", "x-2.db", "x-3.db", "y.db"]
    assert (tmp_path / "x.db").stat().st_mode & 0o777 == 0o600


def test_the_folder_is_made_when_its_parent_exists(tmp_path: Path) -> None:
    assert reserve(tmp_path / "results", "x").parent.is_dir()


def test_a_folder_without_parent_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist") as caught:
        reserve(tmp_path / "a" / "b", "x")
    assert "--results" in (caught.value.hint or "")


def test_a_file_is_no_results_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match="results directory"):
        reserve(tmp_path / "file", "x")


@pytest.mark.parametrize(
    "name",
    [
        *["", ".db", ".", "..", "../x", "a/b", "a\\b", "/etc/x", ".hidden", "-x"],
        *["a\x00b", "a\nb", "a\x1b[2J", "a\u202eb", "c:x", "\udcff", "x" * 300],
    ],
)
def test_a_name_may_not_leave_the_folder_or_confuse_a_terminal(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        reserve(tmp_path / "results", name)
    assert sorted(tmp_path.rglob("*.db")) == []


RESERVE = """
import sys
from pathlib import Path
from stress.store.opening import reserve
sys.stdin.readline()
print(*[reserve(Path(sys.argv[1]), "x").name for _ in range(50)])
"""


@pytest.mark.slow
def test_two_processes_never_get_the_same_name(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RESERVE, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    names = [name for racer in racers for name in racer.communicate()[0].split()]

    assert len(names) == len(set(names)) == len(list(tmp_path.iterdir())) == 100


@pytest.fixture
def folder(
    tmp_path: Path, write_run: Callable[..., Path], make_record: Callable[..., Record], plan: Plan
) -> Path:
    """Runs `first`, `second` (started last), a reserved name, and a file that is no run."""
    results = tmp_path / "results"
    results.mkdir()
    RunWriter(results / "second.db", plan, started_ns=2, versions={}, host="").close()
    RunWriter(results / "first.db", plan, started_ns=1, versions={}, host="").close()
    (results / "zz-reserved.db").touch()
    (results / "zz-other.db").write_text("not a run")
    return results


@pytest.mark.parametrize("run", ["first", "first.db", "results/first", "results/first.db"])
def test_a_run_is_found_by_name_and_by_path(folder: Path, run: str) -> None:
    found = locate(run if "/" not in run else str(folder.parent / run), folder)

    assert found == folder / "first.db"


def test_without_a_name_it_is_the_run_that_started_last(folder: Path) -> None:
    os.utime(folder / "first.db")

    assert locate(None, folder) == folder / "second.db"


def test_a_file_with_another_ending_is_found_by_its_path(folder: Path) -> None:
    copy = folder / "copy.sqlite"
    copy.write_bytes((folder / "first.db").read_bytes())

    assert locate(str(copy), folder) == copy


def test_a_misspelt_name_gets_the_nearest(folder: Path) -> None:
    with pytest.raises(RunFileError, match="there is no run 'frist'") as caught:
        locate("frist", folder)
    assert "first" in (caught.value.hint or "")


@pytest.mark.parametrize("run", ["", "nothing/like/it.db", "a\x00b", "x" * 5000])
def test_what_is_not_there_is_told(folder: Path, run: str) -> None:
    with pytest.raises(RunFileError, match="there is no run"):
        locate(run, folder)


@pytest.mark.parametrize("made", [True, False])
def test_an_empty_or_missing_folder_has_no_latest_run(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "results"
    if made:
        folder.mkdir()

    with pytest.raises(RunFileError, match="there is no run in"):
        locate(None, folder)
    with pytest.raises(RunFileError, match="there is no run 'x'"):
        locate("x", folder)


def test_where_no_name_is_near_those_that_exist_are_told(folder: Path, tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(9):
        (many / f"alpha{number}.db").write_bytes((folder / "first.db").read_bytes())

    few = (folder, "has first, second, zz-other")
    for place, told in (few, (many, "has alpha0, alpha1, alpha2 and 6 more")):
        with pytest.raises(RunFileError) as caught:
            locate("zzzzz", place)
        assert (caught.value.hint or "").endswith(told)


@pytest.mark.parametrize("beside", ["run.db", "run.db-journal", "run.db-wal", "run.db-shm"])
def test_a_name_beside_which_a_link_is_planted_is_taken(tmp_path: Path, beside: str) -> None:
    (tmp_path / beside).symlink_to(tmp_path / "victim")

    assert reserve(tmp_path, "run") == tmp_path / "run-2.db"
    assert not (tmp_path / "victim").exists()


def test_a_stranger_that_hangs_is_never_the_latest_run(folder: Path) -> None:
    hostile = folder / "zz-latest.db"
    hostile.write_bytes((folder / "first.db").read_bytes())
    with closing(sqlite3.connect(hostile)) as connection:
        connection.executescript(
            "DROP VIEW handshake; DROP VIEW failures; "
            "DROP VIEW chains_seen; DROP VIEW by_address; ALTER TABLE meta RENAME TO hidden; "
            "CREATE VIEW meta AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
            "SELECT x AS key, x AS value FROM n"
        )

    assert locate(None, folder).name != "zz-latest.db"
