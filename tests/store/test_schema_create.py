"""A new file is made for its owner alone, and never over another."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stress.errors import RunFileError, UsageError
from stress.model.plan import Plan
from stress.store.schema import APPLICATION_ID, SCHEMA, create_file


@pytest.fixture
def create(plan: Plan) -> Callable[[Path], sqlite3.Connection]:
    def make(path: Path) -> sqlite3.Connection:
        return create_file(path, plan, started_ns=1, versions={"a": "1"}, host="here")

    return make


def test_a_new_file_says_what_it_is(
    tmp_path: Path, create: Callable[[Path], sqlite3.Connection]
) -> None:
    connection = create(tmp_path / "run.db")
    application = connection.execute("PRAGMA application_id").fetchone()
    schema = connection.execute("PRAGMA user_version").fetchone()
    meta = dict(connection.execute("SELECT key, value FROM meta"))
    clients = connection.execute("SELECT name, policy FROM client ORDER BY id").fetchall()
    sources = connection.execute("SELECT ip FROM source ORDER BY id").fetchall()
    connection.close()

    assert (application, schema) == ((APPLICATION_ID,), (SCHEMA,))
    assert (meta["schema"], meta["started_ns"], meta["versions"]) == (str(SCHEMA), "1", '{"a":"1"}')
    assert clients == [("generic", "any"), ("ios", "apple")]
    assert sources == [("127.0.0.1",), ("127.0.0.2",)]


def test_a_reserved_empty_file_is_taken(
    tmp_path: Path, create: Callable[[Path], sqlite3.Connection]
) -> None:
    path = tmp_path / "run.db"
    path.touch()
    create(path).close()

    assert path.stat().st_size > 0


@pytest.mark.parametrize("content", [b"x", b"SQLite format 3\x00"])
def test_what_exists_is_never_overwritten(
    tmp_path: Path, create: Callable[[Path], sqlite3.Connection], content: bytes
) -> None:
    path = tmp_path / "run.db"
    path.write_bytes(content)

    with pytest.raises(RunFileError, match="exists already"):
        create(path)
    assert path.read_bytes() == content


def test_a_run_is_never_overwritten_by_another(
    tmp_path: Path, create: Callable[[Path], sqlite3.Connection]
) -> None:
    create(tmp_path / "run.db").close()

    with pytest.raises(RunFileError, match="exists already"):
        create(tmp_path / "run.db")


@pytest.mark.parametrize("name", ["missing/run.db", "file/run.db", "nul\x00.db", "x" * 300])
def test_where_no_file_can_be_made_a_sentence_says_why(
    tmp_path: Path, create: Callable[[Path], sqlite3.Connection], name: str
) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match="cannot write a run file"):
        create(tmp_path / name)


def test_a_folder_is_no_place_for_a_run(
    tmp_path: Path, create: Callable[[Path], sqlite3.Connection]
) -> None:
    with pytest.raises(RunFileError, match="exists already"):
        create(tmp_path)


def test_a_link_to_an_empty_file_is_not_a_reserved_name(
    tmp_path: Path, create: Callable[[Path], sqlite3.Connection]
) -> None:
    (tmp_path / "victim").touch()
    (tmp_path / "run.db").symlink_to(tmp_path / "victim")
    with pytest.raises(RunFileError, match="exists already"):
        create(tmp_path / "run.db")

    assert not (tmp_path / "victim").stat().st_size


CREATE = """
import sys
from pathlib import Path
from stress.errors import RunFileError
from stress.model.plan import Plan
from stress.model.plan import Target
from stress.store import RunWriter
sys.stdin.readline()
try:
    plan = Plan(Target("x.example"), (), ())
    RunWriter(Path(sys.argv[1]), plan, started_ns=1, versions={}, host="").close()
    print("made")
except RunFileError:
    print("refused")
"""


@pytest.mark.slow
def test_of_several_processes_that_create_one_file_one_wins(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", CREATE, str(tmp_path / "run.db")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    answers = sorted(racer.communicate()[0].strip() for racer in racers)

    assert answers == ["made", "refused", "refused"]
