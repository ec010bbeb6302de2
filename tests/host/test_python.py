from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import stress
from stress.host.python import python_command, python_environment


def test_a_module_runs_with_its_arguments(tmp_path: Path) -> None:
    done = subprocess.run(
        python_command("stress", "--version"),
        env=python_environment(),
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )

    assert stress.__version__ in done.stdout


def test_the_current_folder_is_taken_out_of_the_path_of_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "link").symlink_to("here")
    monkeypatch.chdir(tmp_path / "here")
    entries = ("", ".", str(tmp_path / "here"), str(tmp_path / "link"), str(tmp_path), "missing")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(entries))

    environment = python_environment()

    assert environment["PYTHONPATH"] == str(tmp_path)
    assert environment["PYTHONSAFEPATH"] == "1"


def test_a_path_of_nothing_else_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep)

    assert "PYTHONPATH" not in python_environment()
