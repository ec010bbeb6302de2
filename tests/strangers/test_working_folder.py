"""Modules in the working folder are a stranger's, too: no process of ours imports them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stress.lab.farm import start
from tests.strangers.doors import ROOT

pytestmark = pytest.mark.slow

OTHERS = (
    *("trio", "msgspec", "rich", "typer", "numpy", "scipy", "cryptography", "OpenSSL", "utls"),
    *("hdrh", "jinja2", "matplotlib", "prometheus_client", "dns", "certifi", "outcome", "attr"),
    *("sniffio", "sortedcontainers", "idna", "cffi", "sitecustomize", "usercustomize"),
)
HOSTILE = """
from os import O_CREAT, O_WRONLY, open
open({marker!r}, O_CREAT | O_WRONLY)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with a hostile module of every name that we might import."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in {*sys.stdlib_module_names, *OTHERS} - {"os"}:
        (folder / f"{name}.py").write_text(HOSTILE.format(marker=str(tmp_path / f"got-{name}")))
    package = folder / "stress"
    package.mkdir()
    (package / "__init__.py").write_text(HOSTILE.format(marker=str(tmp_path / "got-stress")))
    return folder


def call(folder: Path, *words: object) -> subprocess.Popen[str]:
    """Start the program in the folder, as its console script would."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "stress", *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(folder / "c")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def imported(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.parent.glob("got-*"))


def test_a_hostile_module_leaves_a_mark_where_the_folder_is_searched(folder: Path) -> None:
    subprocess.run([sys.executable, "-c", "import queue"], cwd=folder, check=False)

    assert "got-queue" in imported(folder)


@pytest.mark.long
def test_no_command_imports_from_the_working_folder(folder: Path) -> None:
    with start("healthy") as farm:
        (address,) = farm.addresses
        target = (f"{farm.host}:{address.port}", "--address", address, "--ca", farm.ca_file)
        commands: tuple[tuple[object, ...], ...] = (
            ("run", *target, "-n", "40", "--processes", "2", "--name", "run", "-q"),
            ("report", "results/run.db"),
            ("clients", "list"),
            ("demo", "round-robin-1-of-8", "-n", "40", "-q"),
        )
        for words in commands:
            process = call(folder, *words)
            _, err = process.communicate(timeout=60)
            assert process.returncode in {0, 1}, err

    assert imported(folder) == []


def test_without_the_safe_path_only_what_the_interpreter_itself_imports_is_searched_there(
    folder: Path,
) -> None:
    """`python -m stress` instead of `tls-stress`: the folder stands first on the search path."""
    ask = "import runpy, sys; print(*sys.modules)"
    known = subprocess.run([sys.executable, "-P", "-c", ask], capture_output=True, check=True)
    for name in known.stdout.decode().split():
        (folder / f"{name}.py").unlink(missing_ok=True)
    shutil.rmtree(folder / "stress")  # else it would be the program
    for words in (("--version",), ("clients", "list"), ("report", "none.db"), ("demo", "-n", "40")):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(folder / "c")}
        done = subprocess.run(
            [sys.executable, "-m", "stress", *words],
            cwd=folder,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode in {0, 1, 2}, done.stderr
        assert "Traceback" not in done.stderr

    assert len(list(folder.glob("*.py"))) > 200
    assert imported(folder) == []


def test_the_lab_imports_nothing_from_the_working_folder(folder: Path) -> None:
    process = call(folder, "lab", "up", "healthy")
    assert process.stdout is not None
    line = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert line, (out, err)
    assert imported(folder) == []


def test_a_checkout_that_is_not_installed_finds_itself(tmp_path: Path) -> None:
    """`python -m stress` inside a checkout: the workers get the same package."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("stress", "profiles"):
        (checkout / name).symlink_to(ROOT / name)
    words = ("-m", "stress", "demo", "round-robin-1-of-8", "-n", "40", "--results", tmp_path)

    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=checkout,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode in {0, 1}, done.stderr
