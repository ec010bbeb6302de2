"""Resuming a run, and signals while one starts; further interruptions are in `tests/faults`."""

from __future__ import annotations

import io
import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from stress.analysis.compare.replay import ReplayVerdict
from stress.model.run import End
from stress.planning.request import Request
from stress.runner.again import plan_replay, read_first_part, read_replay
from stress.runner.observers import Display
from stress.runner.run import RunLocation, record
from stress.store import RunWriter, open_run
from tests.faults.conftest import until


def test_a_run_that_does_not_exist_is_reported(ask: Any, tmp_path: Path) -> None:
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
    assert "is complete: there is nothing to resume" in answer.err.replace("\n", " ")
    assert sorted(run_file.parent.iterdir()) == before


def test_a_target_beside_it_is_refused(ask: Any, listener: Any) -> None:
    answer = ask("run", listener.target, "--continue", "any")

    assert answer.code == 2
    assert "takes the target and the plan from the interrupted run" in answer.err.replace("\n", " ")
    assert listener.connections() == 0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.slow
def test_a_resumed_run_has_the_same_live_view_and_holds_both_parts(
    run_file: Path, tmp_path: Path
) -> None:
    file, said, terminal = tmp_path / "part.db", list[str](), Terminal()
    with open_run(run_file) as whole:
        facts, records = whole.facts(), list(islice(whole.records(), 40))
        part = RunWriter(file, facts.plan, started_ns=facts.started_ns, versions={}, host="here")
        for index, address in enumerate(whole.addresses()):
            part.add_address(index, address)
    part.add_records(records)
    part.commit(50)
    part.close()
    os.utime(file, (0, 0))  # as if it had died a while ago

    first_part, plan = read_first_part(Request(interrupted="part"), tmp_path)
    plan = replace(plan, load=replace(plan.load, rate=100.0))  # slow enough for a frame
    path = record(plan, RunLocation(tmp_path), Display(said.append, terminal, True), first_part)

    assert first_part.next_id >= 50
    assert plan.load.count == 110
    assert "10 attempts of the first part were not recorded" in said[1]
    with open_run(path) as run:
        assert run.facts().end is End.COMPLETED
        assert (run.facts().started, run.facts().recorded) == (160, 150)
        assert said[1] in run.facts().reasons
    assert "latency" in terminal.getvalue()
    assert file.exists()


def handles(process: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal (proc(5))."""
    status = Path(f"/proc/{process}/status").read_text()
    return bool(int(status.partition("SigCgt:")[2].split()[0], 16) >> (number - 1) & 1)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells about handlers")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("after_s", [0.0, 0.3, 0.6, 0.9, 1.2, 1.6, None])
def test_a_signal_during_the_start_is_told_and_leaves_no_half_file(
    number: signal.Signals, after_s: float | None, spawn: Any, listener: Any, tmp_path: Path
) -> None:
    """At any moment since the program runs at all; None: as soon as there is a run file."""
    words = ("run", listener.target, "-n", "40", "--policy", "none", "--name", "part")
    process = spawn(*words, "--timeout", "1s", "--processes", "1", "--rate", "5")
    until(lambda: handles(process.pid, signal.SIGHUP))  # the last that gets a handler
    file = tmp_path / "results" / "part.db"
    if after_s is None:
        until(lambda: file.exists() or process.poll() is not None)
    else:
        with suppress(subprocess.TimeoutExpired):
            process.wait(after_s)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)

    assert process.returncode == 130, err
    assert err.strip()
    assert "Traceback" not in err
    if file.exists():
        os.utime(file, (0, 0))
        again = spawn("run", "--continue", file)
        until(lambda: file.with_name("part-2.db").exists() or again.poll() is not None)
        again.send_signal(signal.SIGINT)
        _, err = again.communicate(timeout=30)
        assert again.returncode == 130, err


@pytest.mark.long
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
