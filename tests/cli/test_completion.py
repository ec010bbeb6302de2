"""What the shells offer, asked through typer's own protocol, and in the real shells with TAB."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stress.cli.main import main
from tests.yardstick import stretched

PROGRAMS = Path(sys.executable).parent


def environment(home: Path) -> dict[str, str]:
    """A user with an empty home, and `tls-stress` on the path."""
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(home), "TERM": "dumb", "LC_ALL": "C.UTF-8"}


Offered = Callable[[str], list[str]]


@pytest.fixture
def offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Offered:
    """The words for the last one of a line, which may be empty, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("TLS_STRESS_RESULTS", raising=False)

    def asked(line: str) -> list[str]:
        monkeypatch.setenv("_TLS_STRESS_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
        with pytest.raises(SystemExit) as ended:
            main([])
        captured = capsys.readouterr()
        assert (ended.value.code, captured.err) == (0, "")
        return [word for word in captured.out.splitlines() if word]

    return asked


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tls-stress re", ["report", "replay"]),
        ("tls-stress help ru", ["run", "runs"]),
        ("tls-stress help lab ", ["list", "up"]),
        ("tls-stress run --cli", ["--client"]),
        ("tls-stress run h --client tls1", ["tls12-only", "tls13-only"]),
        ("tls-stress run h --profile so", ["soak"]),
        ("tls-stress run h --policy non", ["none"]),
        ("tls-stress run h --close ", ["auto", "fin", "rst"]),
        ("tls-stress demo stale", ["stale-certificate", "stale-ca"]),
        ("tls-stress lab up healt", ["healthy"]),
        ("tls-stress explain incompl", ["incomplete-chain"]),
        ("tls-stress explain -980", ["-9803", "-9804", "-9800", "-9801", "-9805"]),
        ("tls-stress report nig", ["nightly", "nightly-2"]),
        ("tls-stress compare nightly-", ["nightly-2"]),
    ],
)
def test_names_are_completed(line: str, words: list[str], tmp_path: Path, offered: Offered) -> None:
    (tmp_path / "results").mkdir()
    for name in ("nightly", "nightly-2"):
        (tmp_path / "results" / f"{name}.db").touch()

    found = offered(line)

    assert found
    assert all(each.startswith(line.rpartition(" ")[2]) for each in found)
    assert {*found} & {*words}
    if not line.startswith(("tls-stress demo", "tls-stress explain")):
        assert sorted(found) == sorted(words)


def test_runs_come_from_where_the_user_keeps_them(
    tmp_path: Path, offered: Offered, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "mine.db").touch()

    assert offered("tls-stress report ") == []
    assert offered("tls-stress report --results kept m") == ["mine"]
    monkeypatch.setenv("TLS_STRESS_RESULTS", str(tmp_path / "kept"))
    assert offered("tls-stress report ") == ["mine"]


def script(shell: str, home: Path) -> Path:
    """The completion script that typer makes for a shell."""
    done = subprocess.run(
        [PROGRAMS / "tls-stress"],
        env=environment(home) | {"_TLS_STRESS_COMPLETE": f"source_{shell}"},
        capture_output=True,
        text=True,
        check=True,
    )
    file = home / f"completion.{shell}"
    file.write_text(done.stdout)
    return file


@contextmanager
def terminal(command: list[str], home: Path) -> Iterator[int]:
    """A shell of its own on a terminal; its end of the terminal."""
    pid, descriptor = pty.fork()
    if pid == 0:
        os.chdir(home)
        os.execvpe(command[0], command, environment(home))
    try:
        yield descriptor
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(descriptor)


def wait_for(descriptor: int, text: str) -> str:
    """Reads until the terminal shows a text."""
    shown, deadline = "", time.monotonic() + stretched(20)
    while text not in shown:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            pytest.fail(f"the terminal shows {shown!r}")
        shown += os.read(descriptor, 4096).decode(errors="replace")
    return shown


BEGIN = {"bash": ["bash", "--norc", "-i"], "zsh": ["zsh", "-f", "-i"]}
PREPARE = {"bash": "", "zsh": "autoload -Uz compinit; compinit -u; "}


@pytest.mark.slow
@pytest.mark.parametrize(
    "shell", [pytest.param(name, marks=pytest.mark.real(name)) for name in ("bash", "zsh")]
)
def test_tab_completes_a_name_in_the_shell(shell: str, tmp_path: Path) -> None:
    file = script(shell, tmp_path)
    with terminal(BEGIN[shell], tmp_path) as descriptor:
        os.write(descriptor, f"{PREPARE[shell]}source {file}; echo re''ady\n".encode())
        wait_for(descriptor, "ready")
        os.write(descriptor, b"tls-stress lab up missing-inter\t")
        wait_for(descriptor, "missing-intermediate")
        os.write(descriptor, b"\x15tls-stress run a.test --client ios-url\t")
        wait_for(descriptor, "ios-urlsession")


@pytest.mark.slow
@pytest.mark.real("fish")
def test_fish_offers_names(tmp_path: Path) -> None:
    file = script("fish", tmp_path)
    found = {
        line: subprocess.run(
            ["fish", "--no-config", "-c", f"source {file}; complete --do-complete '{line}'"],
            env=environment(tmp_path),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\n")[0]
        for line in ("tls-stress lab up missing-inter", "tls-stress run a.test --client ios-url")
    }

    assert [*found.values()] == ["missing-intermediate", "ios-urlsession"]
