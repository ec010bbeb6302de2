from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stress.text.escape import command, escape, shell_line, with_names

HOSTILE = [
    "x;touch pwned;$(touch pwned)",
    "`touch pwned`",
    "a'; touch pwned; '",
    '"; touch pwned; "',
    "$'\\'; touch pwned; '",
    "two\ntouch pwned\n",
    "\r\x1b[2Jtouch pwned\x00"[:-1],
    "\u202etouch pwned\u2028",
    "--i-am-authorized",
    "-rf",
    "",
    " ",
    "a b",
    "~",
    "*",
    "!!",
    "{a,b}",
    "# no comment",
    "back\\slash\x07",
    "größe",
    "no\u00a0break",
    "&& touch pwned",
    "> pwned",
    "a|touch pwned",
]


@pytest.fixture(scope="module")
def shell_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a `tls-stress` that writes its arguments down."""
    folder = tmp_path_factory.mktemp("shell")
    program = folder / "tls-stress"
    program.write_text("#!/bin/sh\n[ $# = 0 ] || printf '%s\\0' \"$@\" > got\n")
    program.chmod(0o755)
    return folder


def pasted(line: str, folder: Path, shell: str) -> tuple[str, ...]:
    """What our program gets when the line is pasted into a shell."""
    got = folder / "got"
    got.unlink(missing_ok=True)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [shell, "-c", line],
        cwd=folder,
        env=environment,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(path.name for path in folder.iterdir()) == ["got", "tls-stress"]
    return tuple(got.read_bytes().decode("utf-8", "surrogateescape").split("\0")[:-1])


def test_hostile_words_reach_our_program_and_nothing_else_runs(shell_folder: Path) -> None:
    assert pasted(command("report", *HOSTILE), shell_folder, "bash") == ("report", "--", *HOSTILE)
    assert len(pasted(command("report", *HOSTILE), shell_folder, "sh")) == len(HOSTILE) + 2


@pytest.mark.slow
@settings(max_examples=60)
@given(words=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_any_words_survive_the_shell(words: list[str], shell_folder: Path) -> None:
    line = shell_line(["tls-stress", "run", *words])

    assert pasted(line, shell_folder, "bash") == ("run", *words)
    assert len(pasted(line, shell_folder, "sh")) == len(words) + 1


@given(words=st.lists(st.text()))
def test_a_printed_command_is_one_line_that_needs_no_escaping(words: list[str]) -> None:
    line = shell_line(["tls-stress", *words])

    assert escape(line, longest=len(line)) == line
    assert len(line.splitlines()) == 1


def test_a_name_is_never_read_as_an_option() -> None:
    assert with_names("replay", "night") == ("tls-stress", "replay", "night")
    assert with_names("evidence", "--i-am-authorized", options=("--out", "proof")) == (
        *("tls-stress", "evidence", "--out", "proof", "--", "--i-am-authorized"),
    )
