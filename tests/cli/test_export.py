import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hdrh.log import HistogramLogReader

ROWS = 160


def test_a_row_for_each_attempt_goes_to_a_file(ask: Any, run_file: Path, tmp_path: Path) -> None:
    first = ask("export", run_file, "--out", tmp_path / "rows.csv")
    again = ask("export", run_file, "--out", tmp_path / "rows.csv")

    rows = list(csv.DictReader(io.StringIO((tmp_path / "rows.csv").read_text())))
    assert (first.code, first.out, first.err) == (0, "", "")
    assert len(rows) == ROWS
    assert sum(row["outcome"] == "incomplete-chain" for row in rows) == 20
    assert again.code == 2
    assert "exists already" in " ".join(again.err.split())


@pytest.mark.slow
def test_standard_output_can_be_piped(run_file: Path, spawn: Any) -> None:
    process = spawn("export", run_file, "--format", "jsonl")
    out, err = process.communicate(timeout=30)

    assert process.returncode == 0
    assert err == ""
    assert len([json.loads(line) for line in out.splitlines()]) == ROWS


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_error(run_file: Path, spawn: Any) -> None:
    process = spawn("export", run_file)
    process.stdout.close()
    process.wait(timeout=30)

    assert process.returncode == 0
    assert process.stderr.read() == ""


def test_histogram_logs_open_in_their_own_reader(ask: Any, run_file: Path, tmp_path: Path) -> None:
    answer = ask("export", run_file, "--format", "hlog", "--out", tmp_path / "run.hlog")

    reader = HistogramLogReader(str(tmp_path / "run.hlog"), None)
    assert answer.code == 0
    assert reader.get_next_interval_histogram() is not None
    reader.close()


@pytest.mark.parametrize("words", [["--format", "xml"], ["--format"]])
def test_an_unknown_format_is_explained(words: list[str], ask: Any, run_file: Path) -> None:
    answer = ask("export", run_file, *words)

    assert answer.code == 2
    assert answer.out == ""
    assert "--format" in answer.err
