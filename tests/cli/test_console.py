import io
import os
import pty
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest

import stress
from stress.cli import console
from stress.errors import ExitCode
from stress.store import open_run


def test_data_and_talk_go_their_own_ways(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_data("data\n")
    console.print_message("talk")

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("data\n", "talk\n")


def test_a_stream_without_terminal_has_no_colour_and_a_hundred_columns() -> None:
    assert console.colour(io.StringIO()) is False
    assert console.width(io.StringIO()) == 100


def test_a_terminal_has_colour_unless_somebody_said_no() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        unwanted = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"

        assert console.colour(terminal) is (not unwanted)
    os.close(ours)


def test_both_streams_can_print_any_text_after_preparing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console.prepare()
    console.print_data("\udc80\n")

    assert capsys.readouterr().out == "\\udc80\n"
    assert sys.stdout.errors == "plainer"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0.40\u20130.60%", "0.40-0.60%"),
        ("\u2500\u2500 p99 \u2265 3 \u2026", "-- p99 >= 3 ..."),
        ("\u4e2d \udc80", r"\u4e2d \udc80"),
    ],
)
def test_a_stream_without_a_character_gets_a_plainer_one(
    encoding: str, text: str, shown: str
) -> None:
    console.prepare()
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="plainer")
    stream.write(text)
    stream.seek(0)
    has_its_own = [mark for mark in "\u2013\u2026" if mark in text and encoding == "cp1252"]

    assert stream.read() == (text.encode(encoding, "plainer").decode(encoding))
    assert has_its_own or text.encode(encoding, "plainer").decode(encoding) == shown


def test_every_character_of_our_own_texts_has_a_plainer_one() -> None:
    console.prepare()
    ours = set[str]()
    for kind in ("py", "toml", "jinja"):
        for file in Path(stress.__file__).parent.rglob(f"*.{kind}"):
            if "page" not in file.parts and "tables" not in file.parts:
                ours |= set(file.read_text("utf-8"))
    printed = (
        ours - set(map(chr, range(128))) - set("\u201c\u201d\u00a7\u2190\ufe0f\u2705\u274c\u26a0")
    )

    assert "\\" not in "".join(sorted(printed)).encode("ascii", "plainer").decode()


def test_columns_are_what_the_environment_says_also_in_a_pipe(spawn: Any, run_file: Path) -> None:
    process = spawn("report", run_file, env={"COLUMNS": "60", "PYTHONIOENCODING": "ascii"})
    out, _ = process.communicate(timeout=60)
    words = [line for line in out.splitlines() if not line.startswith("  tls-stress ")]

    assert process.returncode == 1
    assert out.isascii()
    assert "\\" not in out
    assert max(map(len, words)) <= 60


def test_a_terminal_that_has_gone_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = pty.openpty()
    os.close(ours)
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal, redirect_stdout(terminal):
        console.print_data("data\n")

    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")  # noqa: PTH110 - a device
def test_a_full_disk_behind_standard_output_is_an_error() -> None:
    full = open("/dev/full", "w", encoding="utf-8")  # noqa: PTH123, SIM115 - a device; closing it raises
    with redirect_stdout(full), pytest.raises(OSError, match="No space left"):
        console.print_data("data\n")
    console.discard(full)
    full.close()


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_change_nothing(
    closed: str, spawn: Any, listener: Any, tmp_path: Path
) -> None:
    """As cron and some supervisors start programs; the run file must not become descriptor 2."""
    listener.close()
    shell = ("sh", "-c", f'exec "$@" {closed}', "sh")
    words = ("--name", "closed", "--results", tmp_path, "-n", "3", "--processes", "1")
    process = spawn("run", listener.target, *words, prefix=shell)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "Traceback" not in out + err
    with open_run(tmp_path / "closed.db") as run:
        assert run.facts().recorded == 3


@pytest.mark.slow
def test_what_is_waited_for_shows_on_the_terminal_and_goes_away(tmp_path: Path) -> None:
    """The command waits for a log until the test has seen what it says meanwhile."""
    pipe = tmp_path / "app.csv"
    os.mkfifo(pipe)
    ours, theirs = pty.openpty()
    words = ["isolate", str(pipe), "--failed", "error != empty", "--results", str(tmp_path)]
    with subprocess.Popen(
        [sys.executable, "-m", "stress", *words],
        env={**os.environ, "TERM": "xterm"},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        while "reading the records …".encode() not in shown:
            shown += os.read(ours, 4096)
        pipe.write_text("error,node\n" + ",a\n" * 50 + "-9807,b\n" * 50)
        with suppress(OSError):  # the terminal ends with the process
            while more := os.read(ours, 4096):
                shown += more
    os.close(ours)

    assert process.returncode == ExitCode.FAILING
    text = shown.decode()
    assert text.startswith("reading the records …\r\x1b[Krun file: ")
    assert text.endswith(("\r\x1b[K", "\r\n"))


def test_nothing_is_shown_where_it_shall_be_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(ours), os.fdopen(theirs, "w") as terminal, redirect_stderr(terminal):
        assert console.terminal() is terminal
        assert console.busy("comparing").shows
        assert not console.busy("comparing", silent=True).shows
