import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import stress
from benchmarks.writing import plain_row
from stress.cli import main as door
from stress.cli.main import COMMANDS
from stress.errors import ExitCode
from stress.model.chain import Chain
from stress.model.plan import Address, Client, Plan, Target
from stress.model.run import End, RunEnd
from stress.store import RunWriter, open_run

ALL_COMMANDS = [
    *("run", "report", "compare", "replay"),
    *("plan", "evidence", "export", "explain", "demo", "doctor"),
    *("lab", "lab list", "lab up", "profiles", "profiles list", "profiles show"),
    *("clients", "clients list", "clients show"),
]


def test_the_version_goes_to_stdout(ask: Any) -> None:
    answer = ask("--version")

    assert (answer.code, answer.out) == (0, f"tls-stress {stress.__version__}\n")


def test_no_words_at_all_show_the_help(ask: Any) -> None:
    assert ask() == ask("--help")
    assert ask("--help").code == 0


@pytest.mark.parametrize("command", ALL_COMMANDS)
def test_every_command_explains_itself_within_a_hundred_columns(command: str, ask: Any) -> None:
    answer = ask(*command.split(), "--help")

    assert answer.code == 0
    assert f"Usage: tls-stress {command}" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 100
    assert answer == ask(*command.split(), "-h")


def test_messages_point_to_exactly_the_commands_that_exist(ask: Any) -> None:
    _, _, listed = ask("--help").out.partition("Commands:\n")

    assert set(re.findall(r"^  (\w+) {2}", listed, re.MULTILINE)) == {*COMMANDS}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["runn", "edge.test"], "Did you mean run?"),
        (["jion", "RUN"], "Did you mean join?"),
        (["edge.test"], "tls-stress run edge.test"),
        (["127.0.0.1:443"], "tls-stress run 127.0.0.1:443"),
        (["run"], "TARGET"),
        (["run", "edge.test", "--count"], "--count"),
        (["run", "edge.test", "--json=yes"], "--json"),
        (["run", "edge.test", "other.test"], "one"),
        (["lab", "up"], "SCENARIO"),
        (["lab", "up", "x\x1b[2Jx"], "x"),
        (["report", "a", "b"], "b"),
        (["run", "edge.test", "-n"], "tls-stress run --help"),
        (["run", "edge.test", "--stack", ""], "the value after --stack is empty"),
        (["run", "edge.test", "\u2013\u2013count", "5"], "dash that is not a hyphen"),
        (["run", "edge.test", "--find-limit="], "the value after --find-limit= is empty"),
        (["run", "edge.test", "-n", " ", "-q"], "the value after -n is empty"),
        (["doctor", ""], "the target is empty"),
        (["export", "--format", "xml"], '--format: "xml" is not one of'),
        (["evidence", "--out", "x", "--cause", "one"], '--cause: "one" is not a whole number'),
        (["replay", "--cause", "0"], "not at least 1"),
    ],
)
def test_bad_words_are_explained_with_exit_2(words: list[str], told: str, ask: Any) -> None:
    answer = ask(*words)

    assert answer.code == ExitCode.USAGE
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    assert "\n\n" in answer.err
    assert told in answer.err
    assert "\x1b" not in answer.err


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_says_of_itself(name: str, ask: Any) -> None:
    assert f"\n  {COMMANDS[name]}\n" in ask(name, "--help").out


LIGHT = (
    "typer",
    "annotated_doc",
    "shellingham",
    "stress.cli",
    "stress.errors",
    "stress.text.escape",
)
"""What any command line may import besides the standard library, with all below it."""
OPTIONS = (*LIGHT, "stress.planning", "stress.model.plan", "stress.text")
CODES = (
    *("stress.codes", "stress.report.explanation", "stress.model.chain", "stress.model.outcome"),
    *("msgspec", "typing_extensions"),
)
TRUST = (
    "stress.runner.judge",
    *("stress.trust", "stress.report.judgement", "stress.report.wording.clients"),
    *(
        "stress.host",
        "stress.model.attributes",
        "cryptography",
        "_cffi_backend",
        "_openssl",
        "idna",
    ),
)
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "--help": LIGHT,
    "--version": LIGHT,
    "run --help": OPTIONS,
    "report --help": OPTIONS,
    "judge --help": OPTIONS,
    "explain -9807": (*OPTIONS, *CODES),
    "judge nowhere.pem --host a.test": (*OPTIONS, *CODES, *TRUST),
}
"""The modules that a command line may import. Any other would cost every start of it."""


def imported(*words: str) -> list[str]:
    """The modules besides the standard library that a command line imports."""
    code = (
        "import sys; before = {*sys.modules, *sys.stdlib_module_names};"
        f"from stress.cli.main import main; main({list(words)!r});"
        "print(*(name for name in sys.modules if name.partition('.')[0] not in before),"
        " file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stderr.splitlines()[-1].split()  # after what the command says


@pytest.mark.parametrize("words", MAY_IMPORT)
def test_a_command_imports_only_what_it_needs(words: str) -> None:
    allowed = tuple(f"{name}." for name in MAY_IMPORT[words])
    parents = {
        "stress",
        "stress.runner",
        "stress.text",
        "stress.model",
        "stress.report",
        "stress.report.wording",
    }
    others = {one for one in imported(*words.split()) if not f"{one}.".startswith(allowed)}

    assert others - parents == set()


REPORT = (
    *OPTIONS,
    *("msgspec", "typing_extensions", "rich", "numpy", "hdrh", "pyhdrh"),
    *("stress.model", "stress.report", "stress.runner", "stress.host", "stress.measure"),
    *("stress.store", "stress.codes", "stress.dialogues", "stress.analysis", "stress.trust"),
)
EXPORT = (
    *(*OPTIONS, "msgspec", "typing_extensions"),
    *("stress.model", "stress.report", "stress.runner", "stress.host", "stress.measure"),
    *("stress.store", "stress.dialogues"),
)


@pytest.mark.slow
@pytest.mark.parametrize(("command", "may"), [("report", REPORT), ("export", EXPORT)])
def test_a_run_without_failures_is_read_without_heavy_libraries(
    command: str, may: tuple[str, ...], tmp_path: Path
) -> None:
    """No SciPy, Trio, TLS stack, cryptography or matplotlib; an export needs no NumPy either."""
    path, begun = tmp_path / "clean.db", 1_796_000_000_000_000_000
    address, chain = Address("192.0.2.1", 443), Chain((b"leaf", b"intermediate"))
    plan = Plan(Target("clean.test"), (address,), (Client("generic"), Client("chrome")))
    writer = RunWriter(path, plan, started_ns=begun, versions={}, host="here")
    writer.add_address(0, address)
    writer.add_chain(chain, ())
    writer.add_records([plain_row(number, begun, chain.sha256) for number in range(1, 100)])
    writer.finish(RunEnd(End.COMPLETED, begun + 1_000_000_000, 99))
    writer.close()

    allowed = tuple(f"{name}." for name in (*may, "stress.text"))
    found = imported(command, str(path))

    assert {one for one in found if not f"{one}.".startswith(allowed)} <= {
        "stress",
        "stress.analysis",
    }


@pytest.mark.slow
def test_a_worker_imports_nothing_that_only_its_parent_needs() -> None:
    code = "import stress.engine.worker.process, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"email", "http", "urllib.request", "typer", "rich", "numpy", "scipy", "sqlite3"}
    rooms = {
        f"stress.{room}" for room in ("cli", "planning", "trust", "analysis", "store", "report")
    }

    assert set(done.stdout.split()) & (heavy | rooms) == set()


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_error(run_file: Path, spawn: Any) -> None:
    process = spawn("report", run_file)
    process.stdout.close()

    process.wait(timeout=30)

    assert process.returncode == ExitCode.FAILING
    assert process.stderr.read() == ""


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_its_report_and_every_record(
    ending: signal.Signals, farm_words: tuple[str, ...], spawn: Any, tmp_path: Path
) -> None:
    process = spawn("run", *farm_words, "-d", "60s", "--rate", "50", "--processes", "1")
    _wait_for_rows(tmp_path / "results")
    process.send_signal(ending)
    out, err = process.communicate(timeout=30)

    assert process.returncode == ExitCode.INTERRUPTED
    assert out.startswith("interrupted")
    assert "Traceback" not in err
    (path,) = (tmp_path / "results").iterdir()
    with open_run(path) as run:
        facts = run.facts()
    assert facts.end is End.INTERRUPTED
    assert facts.started == facts.recorded > 0


def _wait_for_rows(folder: Path) -> None:
    """Until the run file holds its first commit with records."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for path in folder.glob("*.db"):
            try:
                with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                    if database.execute("SELECT count(*) FROM handshake").fetchone()[0]:
                        return
            except sqlite3.Error:
                continue
    raise AssertionError("no rows within 30 s")


@pytest.mark.slow
def test_a_terminal_that_speaks_ascii_only_gets_escapes(run_file: Path, spawn: Any) -> None:
    process = spawn("report", run_file, env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    out, err = process.communicate(timeout=30)

    assert process.returncode == ExitCode.FAILING
    assert out.isascii()
    assert "\\u2500" in out or "----" in out
    assert err == ""


def test_a_full_disk_or_a_lost_file_is_told_without_a_traceback(ask: Any, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")

    answer = ask("report", tmp_path / "loop")

    assert answer.code in (ExitCode.USAGE, ExitCode.INVALID)
    assert "Traceback" not in answer.err


def test_the_door_is_what_the_distribution_installs() -> None:
    assert callable(door.main)
