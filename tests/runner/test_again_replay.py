from __future__ import annotations

from pathlib import Path

import pytest

from stress.analysis.compare.replay import ReplayVerdict
from stress.model.run import End
from stress.planning.request import Request
from stress.runner.again import plan_replay, read_replay
from stress.runner.observers import Display
from stress.runner.run import RunLocation, record
from stress.store import open_run


@pytest.mark.slow
def test_a_replay_is_a_run_of_its_own_that_can_be_read_again(
    run_file: Path, tmp_path: Path
) -> None:
    """One node in strict turn fails: no combination of ours decides who meets it."""
    with open_run(run_file) as recorded:
        plan = plan_replay(recorded, Request(), cause=None, tries=2, gap_s=0.0)
    assert plan.replay is not None

    path = record(plan, RunLocation(tmp_path, "again"), Display(print))
    report, answer, end = read_replay(path)

    assert end is End.COMPLETED
    assert answer.answer in ReplayVerdict
    assert answer.sentence in " ".join(report.text().split())
