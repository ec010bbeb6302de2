from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import stress
from stress.vantage import arrival


def test_it_says_which_python_and_which_release_are_here() -> None:
    before = list(sys.path)
    there = arrival.found(stress.__version__, str(Path(stress.__file__).parents[1]))
    sys.path[:] = before

    assert there["version"] == stress.__version__
    assert there["python"] == ".".join(map(str, sys.version_info[:3]))
    assert not there["other"].startswith(str(Path.home() / ".local/share"))


@pytest.mark.parametrize(
    ("first_lines", "python"),
    [
        (
            "#!/opt/pipx/venvs/tls-stress/bin/python\nimport sys\n",
            "/opt/pipx/venvs/tls-stress/bin/python",
        ),
        (
            "#!/bin/sh\n'''exec' \"/a/long/bin/python3\" \"$0\" \"$@\"\n' '''\n",
            "/a/long/bin/python3",
        ),
        ("#!/bin/sh\nexec something\n", ""),
    ],
)
def test_the_command_leads_to_the_python_that_has_the_package(
    first_lines: str, python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / ".local/bin/tls-stress"
    command.parent.mkdir(parents=True)
    command.write_text(first_lines)
    command.chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", os.defpath)

    assert arrival.of_command() == python


def test_its_source_is_understood_by_older_pythons() -> None:
    """It is sent to whatever Python is there, so that it can say that it is too old."""
    import ast  # noqa: PLC0415 - only here

    source = Path(arrival.__file__).read_text()

    assert ast.parse(source, feature_version=(3, 8)).body
    assert "from stress" not in source.partition("def found")[0]
