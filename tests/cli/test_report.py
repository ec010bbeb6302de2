import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stress.planning.request import FORMS


@pytest.mark.slow
def test_the_report_is_the_one_that_run_printed(
    ask: Any, farm_words: tuple[str, ...], tmp_path: Path
) -> None:
    words = ("-n", "80", "--processes", "1", "--name", "once", "--results", tmp_path)
    told = ask("run", *farm_words, *words)
    by_path = ask("report", tmp_path / "once.db")
    by_name = ask("report", "once", "--results", tmp_path)
    latest = ask("report", "--results", tmp_path)

    assert told.out == by_path.out == by_name.out == latest.out
    assert told.code == by_path.code == 1
    assert by_path.err == ""


@pytest.mark.slow
def test_json_and_quiet_are_the_same_answer_in_other_words(ask: Any, run_file: Path) -> None:
    document = ask("report", run_file, "--json")
    quiet = ask("report", run_file, "-q")
    both = ask("report", run_file, "-q", "--json")

    summary = json.loads(document.out)
    assert document.code == quiet.code == both.code == 1
    assert quiet.out == ""
    assert quiet.err.startswith(summary["headline"])
    assert both.out == document.out
    assert summary["failures"]["count"] == 20


@pytest.mark.slow
def test_a_shared_report_names_nothing_of_this_machine_in_any_form(
    ask: Any, farm_words: tuple[str, ...], tmp_path: Path
) -> None:
    target, *where, store = farm_words
    home = tmp_path / "jane"
    home.mkdir()
    (home / "own.pem").write_bytes(Path(store).read_bytes())
    (home / "load.toml").write_text('count = 80\nprocesses = 1\nname = "once"\n')
    words = (target, *where, home / "own.pem", "--profile", home / "load.toml")
    ask("run", *words, "--source", "127.0.0.77", "-q", "--results", home)
    files = [home / form for form in FORMS]
    options = [word for form in FORMS for word in (f"--{form}", home / form)]
    open_text = ask("report", home / "once.db", *options).out
    told = "".join([open_text, *(file.read_text() for file in files)])

    text = ask("report", home / "once.db", "--share", *options)
    document = ask("report", home / "once.db", "--share", "--json")
    shared = "".join([text.out, document.out, *(file.read_text() for file in files)])
    host = json.loads(ask("report", home / "once.db", "--json").out)["run"]["host"]

    assert host
    for secret in ("jane", "127.0.0.77", host):
        assert secret in told
        assert secret not in shared
    assert text.code == document.code == 1
    assert "--ca own.pem" in shared
    assert "tls-stress replay once" in shared
    assert json.loads(document.out)["run"]["file"] == "results/once.db"


@pytest.mark.parametrize(
    "kind", ["missing", "folder", "text", "foreign", "empty", "truncated", "newer"]
)
def test_what_is_no_run_file_is_explained(
    kind: str, ask: Any, run_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "thing.db"
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("hello " * 1000)
    elif kind == "empty":
        path.touch()
    elif kind == "truncated":
        path.write_bytes(run_file.read_bytes()[:5000])
    elif kind == "foreign":
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE meta (key, value)")
    elif kind == "newer":
        path.write_bytes(run_file.read_bytes())
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("PRAGMA user_version = 99")

    answer = ask("report", path)

    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    assert "\n\n" in answer.err
    assert "99" in answer.err or kind != "newer"
    assert "Traceback" not in answer.err


def test_an_empty_results_folder_has_no_latest_run(ask: Any, tmp_path: Path) -> None:
    answer = ask("report", "--results", tmp_path)

    assert answer.code == 2
    assert "tls-stress run" in answer.err
