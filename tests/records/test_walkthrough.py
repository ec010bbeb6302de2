"""The walk-through of the how-to is what happens."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from shutil import copyfile

import pytest

from scripts import telemetry
from stress.cli.main import main

PAGE = telemetry.FILE.parent.parent / "how-to" / "your-own-telemetry.md"
COMMAND = re.compile(r"^tls-stress (isolate telemetry\.csv .*)$", re.MULTILINE)


def test_the_shipped_file_is_what_the_script_makes() -> None:
    assert telemetry.FILE.read_text() == telemetry.text()


def test_the_page_shows_the_report_of_the_shipped_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copyfile(telemetry.FILE, tmp_path / telemetry.FILE.name)
    monkeypatch.chdir(tmp_path)
    (command,) = COMMAND.findall(PAGE.read_text())

    assert main(shlex.split(command)) == 1
    assert capsys.readouterr().out in PAGE.read_text()
