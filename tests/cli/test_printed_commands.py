"""Every command that a report prints is run as it is printed, and does what it says.

The farm stays as it is meanwhile: nothing is mended, so nothing may be called fixed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stress.lab.farm import start
from stress.lab.scenarios import scenarios
from stress.model.plan import Plan
from stress.store import open_run
from stress.text.escape import shell_line

pytestmark = pytest.mark.slow
FAST = ("healthy", "mlkem-splits")
FEWEST = 200
"""Handshakes of a fast test."""
CLEAN, FAILING, USAGE, INCONCLUSIVE, INVALID = range(5)


def run_shell(line: str, folder: Path) -> tuple[int, str]:
    """Run a line as a user would who has copied it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.stdout, f"{line} ended with {done.returncode}: {done.stderr}"
    assert done.returncode != USAGE
    return done.returncode, done.stdout


def plan_of(file: Path) -> Plan:
    """The recorded plan, without what no command repeats."""
    with open_run(file) as run:
        plan = run.facts().plan
    return replace(plan, seed=0, notes=(), load=replace(plan.load, processes=1))


ALL = os.environ.get("COMMANDS") == "all"


@pytest.mark.long
@pytest.mark.parametrize("scenario", list(scenarios()) if ALL else FAST)
def test_each_command_of_the_report_does_what_it_says(scenario: str, tmp_path: Path) -> None:
    with start(scenario) as farm:
        words = ["run", *farm.run_words]
        if not ALL:
            words[words.index("-n") + 1] = str(FEWEST)
        line = shell_line(["tls-stress", *words, "--name", "first", "--json"])
        code, out = run_shell(line, tmp_path)
        summary: dict[str, Any] = json.loads(out)
        assert summary["commands"]
        places = [one for cause in summary["causes"] for one in cause["conditions"]]
        over = any(one["dimension"] == "time" for one in places)  # as the first seconds of a farm
        again = {code, INVALID, *([CLEAN] if over else [])}
        _, report = run_shell("tls-stress report first", tmp_path)
        for one in summary["commands"]:
            line = shell_line(one["argv"])
            assert f"\n  {line}\n" in report, "on a line of its own"
            before = set((tmp_path / "results").iterdir())
            ended, printed = run_shell(line, tmp_path)
            made = set((tmp_path / "results").iterdir()) - before
            check(one, ended, printed, made, again, tmp_path)


def check(
    one: dict[str, Any], ended: int, printed: str, made: set[Path], again: set[int], folder: Path
) -> None:
    """Whether a command did what its purpose says; `again`: how the same run may end."""
    verb, recorded = one["argv"][1], plan_of(folder / "results" / "first.db")
    if verb == "evidence":
        assert ended == CLEAN
        assert (folder / "proof" / "README.txt").exists()
        assert "proof/README.txt" in printed
    elif verb == "replay":
        assert ended in {FAILING, INCONCLUSIVE} | (again & {CLEAN}), "nothing was mended"
        assert {file.name for file in made} == {"first-replay.db"}
    elif verb == "compare":
        assert ended in {CLEAN, FAILING, INCONCLUSIVE}
        _, document = run_shell("tls-stress compare first fixed --json", folder)
        assert json.loads(document)["change"] != "better" or CLEAN in again, "nothing was mended"
    elif one["purpose"] == "next":
        assert ended in {CLEAN, FAILING, INCONCLUSIVE, INVALID}
        (file,) = made
        assert plan_of(file) != recorded, "an experiment differs in something"
        assert plan_of(file).target == recorded.target
    else:
        assert ended in again
        (file,) = made
        assert plan_of(file) == recorded
