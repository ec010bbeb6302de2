from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from stress import __main__
from stress.errors import ExitCode

ROOT = Path(__file__).resolve().parents[1]
MODULE, NAME = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"][
    "tls-stress"
].split(":")
SCRIPT = ("-c", f"import sys; from {MODULE} import {NAME}; sys.exit({NAME}())")
TRIES = 10
STARTS = {"script": SCRIPT, "module": ("-m", "stress")}
EARLY = "interrupted before anything was done"


def interrupted_at(start: tuple[str, ...], imported: str, **more: object) -> tuple[int, str]:
    """Its exit code and last words when it is interrupted as soon as it has read a module.

    Python reports each module on stderr as it is imported, so the test need not wait.
    """
    with subprocess.Popen(
        [sys.executable, "-X", "importtime", *start, "explain", "alert 40"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        **more,  # type: ignore[call-overload]  # by name
    ) as process:  # fmt: skip
        for line in process.stderr:
            if line.rpartition("|")[2].strip() == imported:
                process.send_signal(signal.SIGINT)
                break
        _, errors = process.communicate(timeout=30)
    said = [line for line in errors.splitlines() if not line.startswith("import time:")]
    return process.returncode, "\n".join(said)


@pytest.mark.slow
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@pytest.mark.parametrize("imported", ["typer.models", "stress.cli"])
def test_an_interrupt_while_it_is_being_read_is_one_line(
    start: tuple[str, ...], imported: str
) -> None:
    for _ in range(TRIES):
        code, said = interrupted_at(start, imported)
        assert "Traceback" not in said
        if said == EARLY:  # else a busy machine let the interrupt come too late
            break

    assert (code, said) == (ExitCode.INTERRUPTED, EARLY)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_a_command_starts_no_threads_of_numpy_and_leaves_nothing_to_the_collector() -> None:
    code = (
        "import gc, os, sys; from stress.__main__ import main; sys.argv[1:] = ['--version'];"
        " main(); left = len(gc.get_objects()); import numpy;"
        " print(left, len(os.listdir('/proc/self/task')))"
    )
    without = {name: value for name, value in os.environ.items() if "BLAS" not in name}
    said = subprocess.run(
        [sys.executable, "-c", code], env=without, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()

    left, threads = map(int, said[-2:])
    assert left < 1_000
    assert threads == 1


def test_python_m_stress_is_tls_stress() -> None:
    module, script = (
        subprocess.run(
            [sys.executable, *start, "explain", "alert 40"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        for start in STARTS.values()
    )

    assert (module.stdout, module.stderr) == (script.stdout, script.stderr)
    assert "handshake_failure" in module.stdout


@pytest.mark.slow
def test_an_interrupt_that_is_to_be_ignored_is_ignored() -> None:
    """A shell starts what runs in the background so; Ctrl-C is not meant for it."""
    code, said = interrupted_at(
        STARTS["module"],
        "stress.errors",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )

    assert (code, said) == (ExitCode.CLEAN, "")


def test_ctrl_c_is_pythons_own_again_once_it_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(sys, "argv", ["tls-stress", "--version"])

    assert __main__.main() == ExitCode.CLEAN
    assert capsys.readouterr().out.startswith("tls-stress ")
    assert signal.getsignal(signal.SIGINT) is before
