"""Taking up a run; with real interruptions it is tried in `tests/faults`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def test_a_run_that_is_not_there_is_told(ask: Any, tmp_path: Path) -> None:
    answer = ask("run", "--continue", "nowhere", "--results", tmp_path)

    assert answer.code == 2
    assert "there is no run 'nowhere'" in answer.err


@pytest.mark.slow
def test_a_finished_run_is_refused_and_nothing_is_made(
    ask: Any, run_file: Path, tmp_path: Path
) -> None:
    before = sorted(run_file.parent.iterdir())

    answer = ask("run", "--continue", run_file)

    assert answer.code == 2
    assert "there is nothing to resume" in answer.err.replace("\n", " ")
    assert sorted(run_file.parent.iterdir()) == before


def test_a_target_beside_it_is_refused(ask: Any, listener: Any) -> None:
    answer = ask("run", listener.target, "--continue", "any")

    assert answer.code == 2
    assert "takes the target and the plan of the run" in answer.err.replace("\n", " ")
    assert listener.connections() == 0
