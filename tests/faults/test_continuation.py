"""An interrupted run is resumed, and both parts are one run."""

from __future__ import annotations

import os
import signal
from collections import Counter
from dataclasses import replace
from time import time_ns

import pytest

from stress.model.run import End
from stress.store import open_run
from tests.faults.conftest import Program

pytestmark = pytest.mark.slow


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_goes_on_as_one_run_with_the_gap_told(
    program: Program, how: signal.Signals
) -> None:
    process = program.run("-n", "300", "--rate", "60", "--processes", "2")
    program.until_rows(60, process)
    process.send_signal(how)
    process.communicate(timeout=20)
    first = program.facts()
    left_alone = program.file.read_bytes()
    for file in program.results.iterdir():
        os.utime(file, (0, 0))  # as if it had died a while ago

    again = program.start("run", "--continue", "run", "--results", str(program.results))
    out, err = again.communicate(timeout=60)

    with open_run(program.results / "run-2.db") as run:
        facts, rows = run.facts(), list(run.records())
    # What died with the first part may be too much of so short a run for a verdict.
    assert again.returncode in ({0} if how is signal.SIGINT else {0, 4}), (out, err)
    assert facts.end is End.COMPLETED
    assert facts.started == 300
    assert len(rows) == facts.recorded == 300 - (first.started - first.recorded)
    assert max(Counter(row.id for row in rows).values()) == 1
    assert any("resumed after" in reason for reason in facts.reasons)
    assert "resumed after" in out
    assert facts.started_ns == first.started_ns
    assert program.file.read_bytes() == left_alone


def test_a_second_part_that_is_killed_still_knows_the_gap_before_it(program: Program) -> None:
    """Else the night before it would be taken off the time that the third part has."""
    first = program.run("-d", "60s", "--rate", "60", "--processes", "1")
    program.until_rows(30, first)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=20)
    with open_run(program.file) as run:
        last_ns = max(row.started_ns for row in run.records())

    began_ns, told = time_ns(), program.rows()
    second = program.start("run", "--continue", "run", "--results", str(program.results))
    sequel = replace(program, name="run-2")
    sequel.until_rows(told + 30, second)
    second.kill()
    second.communicate(timeout=20)

    facts = sequel.facts()
    assert facts.end is End.UNFINISHED
    assert facts.stood_ns >= began_ns - last_ns


def test_a_run_that_came_to_its_end_cannot_be_resumed(program: Program) -> None:
    program.run("-n", "20", "--processes", "1").communicate(timeout=40)

    again = program.start("run", "--continue", "run", "--results", str(program.results))
    _, err = again.communicate(timeout=40)

    assert again.returncode == 2
    assert "is complete: there is nothing to resume" in " ".join(err.split())
    assert [path.name for path in program.results.iterdir()] == ["run.db"]


def test_a_run_that_goes_on_cannot_be_resumed(program: Program) -> None:
    process = program.run("-d", "60s", "--rate", "30")
    program.until_rows(10, process)

    again = program.start("run", "--continue", "run", "--results", str(program.results))
    _, err = again.communicate(timeout=40)

    assert again.returncode == 2
    assert "seems to be running" in err


def test_other_words_beside_it_are_refused(program: Program) -> None:
    again = program.start("run", "127.0.0.1:9", "--continue", "run")
    _, err = again.communicate(timeout=40)

    assert again.returncode == 2
    assert "takes the target and the plan from the interrupted run" in " ".join(err.split())
