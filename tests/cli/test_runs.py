from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_the_runs_of_a_folder_are_listed_with_their_verdicts(run_file: Path, ask: Any) -> None:
    answer = ask("runs", "--results", run_file.parent)
    name, text = answer.out.split(maxsplit=1)

    assert answer.code == 0
    assert name == "once"
    assert text.startswith("failing: 20 of 160 (12.5%) failed, ")


def test_the_list_fits_a_hundred_columns(run_file: Path, ask: Any, tmp_path: Path) -> None:
    named = tmp_path / f"{'a-name-that-nobody-would-type' * 2}.db"
    named.write_bytes(run_file.read_bytes())
    (tmp_path / "other.db").write_text("no run at all")

    lines = ask("runs", "--results", tmp_path).out.splitlines()

    assert len(lines) >= 2
    assert max(map(len, lines)) <= 100


def test_the_list_as_json_names_what_cannot_be_read(
    run_file: Path, ask: Any, tmp_path: Path
) -> None:
    (tmp_path / "mine.db").write_bytes(run_file.read_bytes())
    (tmp_path / "other.db").write_text("no run at all")

    document = json.loads(ask("runs", "--results", tmp_path, "--json").out)

    assert document["schema"] == "tls-stress/runs/1"
    mine, other = document["runs"]
    assert (mine["name"], mine["attempts"], mine["failures"]) == ("mine", 160, 20)
    assert (mine["verdict"], mine["error"]) == ("failing", "")
    assert (other["name"], other["verdict"]) == ("other", "")
    assert "other.db" in other["error"]


def test_a_folder_without_runs_says_so(ask: Any, tmp_path: Path) -> None:
    answer = ask("runs", "--results", tmp_path)

    assert (answer.code, answer.out) == (0, "")
    assert answer.err == f"there is no run in {tmp_path} yet\n"
