"""How a run ends when somebody ends it: nothing is lost in an orderly end, and all is told."""

from __future__ import annotations

import os
import pty
import select
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from stress.model.run import End
from tests.faults.conftest import Program, end, until, workers_of

pytestmark = pytest.mark.slow

AT_100 = ("--rate", "100", "-d", "60s", "--processes", "2")


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_well_and_the_counts_add_up(
    program: Program, number: signal.Signals
) -> None:
    process = program.run(*AT_100, "--json")
    program.until_rows(50, process)

    process.send_signal(number)
    out, err = process.communicate(timeout=20)

    facts = program.facts()
    assert process.returncode == 130, err
    assert '"verdict":"interrupted"' in out.replace(" ", "")
    assert facts.end is End.INTERRUPTED
    assert facts.started == facts.recorded == program.rows()
    assert [path.name for path in program.results.iterdir()] == ["run.db"]


def test_a_second_signal_ends_at_once_what_the_first_let_go_on(program: Program) -> None:
    """The target never answers: the first would give what is in flight three seconds."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        target = "{}:{}".format(*silent.getsockname())
        words = ("run", target, "-n", "500", "-c", "8", "--results", str(program.results))
        process = program.start(*words, "--name", "run", "--processes", "1")
        until(lambda: _waiting(silent))
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)

    facts = program.facts()
    assert process.returncode == 130, err
    assert facts.ended_ns is not None
    assert facts.ended_ns - facts.started_ns < 60e9
    assert facts.end is End.INTERRUPTED
    assert facts.started == facts.recorded == program.rows() > 0
    assert program.ask("SELECT count(*) FROM handshake WHERE outcome != 'cancelled'") == 0


def test_a_signal_before_the_first_handshake_leaves_a_run_of_none(program: Program) -> None:
    process = program.run(*AT_100)
    until(lambda: len(workers_of(process)) > 0)

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)

    facts = program.facts()
    assert process.returncode == 130, (out, err)
    assert "Traceback" not in err
    assert "died" not in out + err
    assert facts.end is End.INTERRUPTED
    assert facts.started == facts.recorded == program.rows()


def test_the_end_of_the_terminal_is_a_way_to_finish(program: Program) -> None:
    """The terminal goes: SIGHUP, and nobody is left to talk to."""
    process, terminal = _on_a_terminal(program)
    until(lambda: program.rows() >= 50)

    os.close(terminal)
    _, status = os.waitpid(process, 0)

    facts = program.facts()
    assert os.waitstatus_to_exitcode(status) == 130
    assert facts.end is End.INTERRUPTED
    assert facts.started == facts.recorded


def _waiting(server: socket.socket) -> bool:
    """Whether somebody waits to be let in."""
    return bool(select.select([server], [], [], 0)[0])


def _on_a_terminal(program: Program) -> tuple[int, int]:
    words = (*program.target, "--results", str(program.results), "--name", "run", *AT_100)
    process, terminal = pty.fork()
    if process == 0:
        os.execv(program.command[0], [*program.command, *words])
    return process, terminal


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_reader_that_has_gone_does_not_break_a_run(program: Program, closed: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = ("--results", str(program.results), "--name", "run", "-n", "40", "--processes", "1")

    streams: dict[str, Any] = {closed: writing}
    process = program.start(*program.target, *words, **streams)
    os.close(writing)
    out, err = process.communicate(timeout=30)

    facts = program.facts()
    assert process.returncode == 0, (out, err)
    assert "Traceback" not in (err or "")
    assert (facts.end, facts.recorded) == (End.COMPLETED, 40)


@pytest.mark.long
def test_a_killed_run_keeps_all_but_the_last_second_and_says_what_it_lost(
    program: Program,
) -> None:
    """`kill -9` of the parent: the workers follow, the file opens and reports."""
    process = program.run(*AT_100)
    program.until_rows(150, process)
    workers = workers_of(process)
    served = sum(program.farm.served().values())

    process.kill()
    process.wait()

    until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), 2.0)
    report = program.report()
    facts = program.facts()
    assert len(workers) == 2
    assert facts.end is End.UNFINISHED
    assert facts.recorded >= 150
    # At 100 a second, one second and what was in flight.
    assert facts.started - facts.recorded <= 120
    assert served - facts.recorded <= served  # the farm is shared by all tests
    assert report.returncode in {0, 3, 4}, report.stderr
    assert "unfinished" in report.stdout or "no end mark" in report.stdout, report.stdout


def test_an_orphan_that_holds_the_pipes_keeps_no_test_from_its_verdict(program: Program) -> None:
    """The end of each test here lets go of them; else that of the test above would never come."""
    orphaning = "import subprocess; print(subprocess.Popen(['sleep', '60']).pid, flush=True)"
    process = subprocess.Popen(
        [program.command[0], "-c", orphaning],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    orphan = int(process.stdout.readline())
    process.wait(30)

    try:
        end(process, 0.1)
        assert Path(f"/proc/{orphan}").exists()
    finally:
        os.kill(orphan, signal.SIGKILL)
    assert process.stdout.closed


@pytest.mark.long
def test_the_death_of_a_worker_is_named_and_the_run_goes_on(program: Program) -> None:
    process = program.run("--rate", "60", "-d", "4s", "--processes", "2")
    program.until_rows(40, process)

    os.kill(workers_of(process)[0], signal.SIGKILL)
    out, err = process.communicate(timeout=30)

    facts = program.facts()
    assert process.returncode in {0, 4}, err
    assert any("died" in reason for reason in facts.reasons)
    assert "died" in out
    assert facts.end is End.COMPLETED
    assert 0 <= facts.started - facts.recorded <= 60


@pytest.mark.long
@pytest.mark.parametrize("load", [("--rate", "100"), ("-c", "4")], ids=["open", "closed"])
@pytest.mark.parametrize("whom", ["coordinator", "all"])
def test_a_stop_is_a_pause_and_no_burst_follows(
    program: Program, whom: str, load: tuple[str, ...]
) -> None:
    """SIGSTOP to the process group, which is the coordinator alone, or to all of our processes."""
    process = program.run(*load, "-d", "4s", "--processes", "2")
    program.until_rows(60, process)
    stopped = [process.pid, *(workers_of(process) if whom == "all" else [])]

    for each in stopped:
        os.kill(each, signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2.0)
    for each in stopped:
        os.kill(each, signal.SIGCONT)
    out, err = process.communicate(timeout=30)

    facts = program.facts()
    pauses = [each for each in facts.reasons if each.startswith("stopped by a signal (SIGSTOP")]
    longest = program.ask(
        "SELECT max(gap) FROM (SELECT started_ns - lag(started_ns) OVER (ORDER BY started_ns)"
        " AS gap FROM handshake)"
    )
    assert process.returncode in {0, 3}, err
    assert len(pauses) == 1, facts.reasons
    assert "stopped by a signal" in " ".join(out.split())
    assert "generator-limited" not in out
    assert longest > 1.5e9
    assert facts.stood_ns == pytest.approx(2e9, abs=0.7e9)
    if load[0] == "--rate":
        assert program.ask("SELECT count(*) FROM handshake WHERE outcome = 'not-sent'") <= 60
        assert 340 <= program.rows() <= 410
        assert _busiest_second(program) <= 100 * 1.5 + 20


def _busiest_second(program: Program) -> int:
    return int(
        program.ask(
            "SELECT max(n) FROM (SELECT count(*) OVER (ORDER BY started_ns RANGE BETWEEN"
            " CURRENT ROW AND 1000000000 FOLLOWING) AS n FROM handshake"
            " WHERE outcome != 'not-sent')"
        )
    )
