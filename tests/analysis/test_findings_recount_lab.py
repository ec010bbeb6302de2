"""Nothing that is said of a lab scenario is contradicted by the rows of its run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stress.lab.scenarios import scenarios
from stress.runner.judge import AS_RECORDED
from stress.store import open_run
from tests.analysis.recount import untrue


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("name", list(scenarios()))
def test_the_report_of_a_scenario_is_its_rows(name: str, tmp_path: Path) -> None:
    words = ["demo", name, "--count", "400", "--results", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "stress", *words], capture_output=True, text=True, check=False
    )
    (path,) = tmp_path.glob("*.db")

    with open_run(path) as run:
        summary = AS_RECORDED.summarize(run)

        assert untrue(run, summary) == []
    assert re.sub(r"\s+", "", summary.headline) in re.sub(r"\s+", "", done.stdout)
