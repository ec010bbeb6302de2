"""What is no run, or a damaged one, is told in a sentence and never with a traceback."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from stress.errors import ExitCode, RunFileError
from stress.model.record import Record
from stress.model.run import End
from stress.store import RunFile, RunWriter, open_run
from stress.store.schema import APPLICATION_ID


def ask_everything(run: RunFile) -> int:
    """Ask a run whatever can be asked; the number of its rows."""
    run.facts()
    run.addresses()
    run.chains()
    run.verdicts()
    run.cube()
    run.ports()
    run.histograms()
    run.histogram_block_ns()
    list(run.failures(1000))
    list(run.handshakes()[1])
    grouped = run.handshakes_by_group()
    list(grouped.rows if grouped else ())
    return len(list(run.records()))


def other_sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE meta (key, value)")
    connection.commit()
    connection.close()


def other_schema(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 99")
    connection.execute("CREATE TABLE meta (key, value)")
    connection.commit()
    connection.close()


def run_without_tables(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [("99", "newer version of tls-stress: it has schema 99"), ("x", "unknown schema x")],
)
def test_another_schema_in_the_meta_table_is_reported(
    write_run: Callable[..., Path], make_record: Callable[..., Record], schema: str, sentence: str
) -> None:
    """`meta.schema` is the public name of it; SQLite's own number is how we find it early."""
    path = write_run([make_record(0)])
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", [schema])
    connection.commit()
    connection.close()

    with pytest.raises(RunFileError, match=sentence):
        open_run(path)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "there is no run file"),
        (lambda path: path.mkdir(), "is a folder"),
        (os.mkfifo, "not a regular file"),
        (lambda path: path.touch(), "is empty"),
        (lambda path: path.write_text("just some text"), "not a SQLite database"),
        (lambda path: path.write_bytes(b"SQLite format 3\x00\x10"), "middle of its header"),
        (other_sqlite, "another program's SQLite database"),
        (other_schema, "was written by a newer version of tls-stress: it has schema 99"),
        (run_without_tables, "no such table: meta"),
        (lambda path: path.symlink_to(path), "cannot read"),
    ],
)
def test_what_is_no_run_file_is_told(
    tmp_path: Path, make: Callable[[Path], None], sentence: str
) -> None:
    path = tmp_path / "x.db"
    make(path)

    with pytest.raises(RunFileError, match=sentence) as caught:
        open_run(path)
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_path_that_cannot_be_one_is_told() -> None:
    with pytest.raises(RunFileError, match="cannot read"):
        open_run(Path("a\x00b.db"))


def test_a_path_with_odd_characters_opens(
    write_run: Callable[..., Path], make_record: Callable[..., Record]
) -> None:
    with open_run(write_run([make_record(0)], name="50% of #1? = \u00fc")) as run:
        assert run.facts().recorded == 1


def test_a_file_that_may_not_be_written_is_read(
    write_run: Callable[..., Path], make_record: Callable[..., Record]
) -> None:
    path = write_run([make_record(0)])
    path.chmod(0o400)
    before = path.read_bytes()
    with open_run(path) as run:
        assert ask_everything(run) == 1

    assert path.read_bytes() == before


def test_a_killed_run_is_recovered_and_made_one_file(
    tmp_path: Path, open_writer: Callable[..., RunWriter], make_record: Callable[..., Record]
) -> None:
    """A copy of both files, taken while the run goes on, is what a kill leaves."""
    writer = open_writer()
    writer.add_records([make_record(0), make_record(1)])
    writer.commit(9)
    killed = tmp_path / "killed.db"
    shutil.copy(tmp_path / "run.db", killed)
    shutil.copy(tmp_path / "run.db-wal", tmp_path / "killed.db-wal")
    writer.close()
    with open_run(killed) as run:
        facts = run.facts()
        rows = ask_everything(run)

    assert (facts.end, facts.recorded, facts.started, rows) == (End.UNFINISHED, 2, 9, 2)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["killed.db", "run.db"]


@pytest.fixture
def good(
    write_run: Callable[..., Path],
    make_record: Callable[..., Record],
    incomplete: Callable[[int], Record],
    refused: Callable[[int], Record],
) -> Path:
    """A run of some pages with everything in it."""
    kinds = [make_record, incomplete, refused]
    return write_run([kinds[number % 3](number) for number in range(600)])


def outcome_of_reading(path: Path) -> str:
    """`read`, or `refused` with the one error that may come; any other error fails the test."""
    try:
        with open_run(path) as run:
            ask_everything(run)
    except RunFileError:
        return "refused"
    return "read"


@pytest.mark.slow
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, good: Path) -> None:
    whole = good.read_bytes()
    cut = tmp_path / "cut.db"
    answers = set()
    for size in range(1, len(whole), len(whole) // 60):
        cut.write_bytes(whole[:size])
        answers.add(outcome_of_reading(cut))

    assert answers == {"refused"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_file_with_wrong_bytes_is_read_or_refused(tmp_path: Path, good: Path, seed: int) -> None:
    random = Random(seed)
    whole = good.read_bytes()
    broken = tmp_path / "broken.db"
    answers = []
    for _ in range(40):
        content = bytearray(whole)
        for _ in range(random.choice([1, 1, 4, 64])):
            content[random.randrange(len(content))] ^= 1 << random.randrange(8)
        broken.write_bytes(content)
        answers.append(outcome_of_reading(broken))

    assert "refused" in answers


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE meta SET value = 'x'",
        "UPDATE meta SET value = '-1' WHERE key = 'block_ns'",
        "UPDATE meta SET value = '[]' WHERE key = 'plan'",
        "DELETE FROM meta WHERE key = 'started_ns'",
        "DELETE FROM meta WHERE key = 'host'",
        "UPDATE attempt_group SET outcome = 'sunshine'",
        "UPDATE attempt_group SET stage = 77",
        "UPDATE attempt_group SET address = 'here'",
        "UPDATE attempt_group SET id = id + 500",
        "UPDATE attempt SET due = 'soon'",
        "UPDATE attempt SET total = x'00'",
        "UPDATE attempt SET attempt_group = 4711",
        "UPDATE address SET ip = x'00'",
        "UPDATE address SET id = id + 10",
        "UPDATE certificate SET der = 'text'",
        "UPDATE finding SET category = 'sunshine'",
        "UPDATE verdict SET families = '{'",
        "UPDATE cell SET count = 'many'",
        "DROP VIEW handshake; DROP TABLE remark",
        "DROP TABLE chain_certificate",
        "INSERT INTO histogram VALUES ('lag', 'ok', 0, 1, 0, 'HISTFAAA')",
    ],
)
def test_a_file_with_nonsense_in_it_is_refused(good: Path, change: str) -> None:
    connection = sqlite3.connect(good)
    connection.executescript(change)
    connection.close()

    assert outcome_of_reading(good) == "refused"


def test_views_of_a_foreign_file_are_not_used(good: Path) -> None:
    connection = sqlite3.connect(good)
    connection.execute("DROP VIEW handshake")
    connection.execute(
        "CREATE VIEW handshake AS WITH RECURSIVE endless(id) AS "
        "(SELECT 1 UNION ALL SELECT id FROM endless) SELECT id FROM endless"
    )
    connection.close()
    with open_run(good) as run:
        assert ask_everything(run) == 600


def test_reading_a_finished_run_changes_nothing(good: Path) -> None:
    before = good.read_bytes(), good.stat().st_mtime_ns
    with open_run(good) as run:
        assert ask_everything(run) == 600
        assert [found.name for found in good.parent.iterdir()] == [good.name]

    assert (good.read_bytes(), good.stat().st_mtime_ns) == before
    assert [found.name for found in good.parent.iterdir()] == [good.name]


@pytest.mark.parametrize("beside", ["-wal", "-shm", "-journal"])
def test_a_link_beside_the_file_is_not_followed(good: Path, tmp_path: Path, beside: str) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"x" * 10_000)
    link = good.with_name(f"{good.name}{beside}")
    link.symlink_to(victim)
    with open_run(good) as run:
        assert run.facts().recorded == 600

    assert link.is_symlink()
    assert victim.read_bytes() == b"x" * 10_000


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            "ALTER TABLE cell RENAME TO c; CREATE VIEW cell AS SELECT * FROM c",
            "a view in the place",
        ),
        (
            "ALTER TABLE port RENAME TO p; CREATE TABLE port AS SELECT * FROM p",
            "port.port is not the column",
        ),
        (
            "ALTER TABLE source RENAME TO s;CREATE TABLE source (id INTEGER PRIMARY KEY,ip AS (1))",
            "source.ip is not the column",
        ),
        ("ALTER TABLE source RENAME TO s; CREATE VIRTUAL TABLE source USING fts4(ip)", "source."),
        ("DROP TABLE evidence", "no such table: evidence"),
    ],
)
def test_what_stands_in_the_place_of_a_table_is_not_read(
    good: Path, change: str, sentence: str
) -> None:
    with closing(sqlite3.connect(good)) as connection:
        connection.execute("PRAGMA legacy_alter_table = ON")
        for view in ("handshake", "failures", "chains_seen", "by_address"):
            connection.execute(f"DROP VIEW {view}")
        connection.executescript(change)
    with pytest.raises(RunFileError, match=sentence):
        open_run(good)


def test_tables_and_views_that_others_added_do_no_harm(good: Path) -> None:
    with closing(sqlite3.connect(good)) as connection:
        connection.executescript("CREATE TABLE mine (x); CREATE INDEX mine_port ON attempt (port)")
    with open_run(good) as run:
        assert ask_everything(run) == 600
