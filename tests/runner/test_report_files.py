import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from stress.errors import StressError, UsageError
from stress.planning.request import FORMS, options
from stress.runner.report_files import ReportFiles
from stress.store import open_run

OPTIONS = [f"--{name}" for name in FORMS]


def test_the_forms_are_the_options_that_name_a_class() -> None:
    assert OPTIONS == ["--html", "--junit", "--openmetrics", "--markdown"]
    assert all(options()[name].profile_key for name in FORMS)


@pytest.mark.slow
def test_each_form_goes_to_its_file_and_the_report_to_standard_output(
    ask: Any, run_file: Path, tmp_path: Path
) -> None:
    words = [word for name in OPTIONS for word in (name, tmp_path / name[2:])]
    answer = ask("report", run_file, *words)
    plain = ask("report", run_file)

    assert (answer.code, answer.out) == (1, plain.out)
    assert (tmp_path / "html").read_text().startswith("<!doctype html>")
    assert ET.fromstring((tmp_path / "junit").read_text()).tag == "testsuites"
    assert (tmp_path / "openmetrics").read_text().endswith("# EOF\n")
    assert (tmp_path / "markdown").read_text().startswith("## ❌ failing: 20 of 160")
    assert answer.err.splitlines() == [f"{name[2:]}: {tmp_path / name[2:]}" for name in OPTIONS]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(n[2:] for n in OPTIONS)


def test_a_report_of_before_is_replaced(ask: Any, run_file: Path, tmp_path: Path) -> None:
    old = tmp_path / "result.xml"
    old.write_text("yesterday's")

    answer = ask("report", run_file, "-q", "--junit", old)

    assert answer.code == 1
    assert "result.xml" not in answer.err
    assert "yesterday" not in old.read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "begin"),
    [
        ("junit", "<?xml "),
        ("markdown", "## \u274c failing: 20 of 160"),
        ("openmetrics", "# HELP tls_stress_run_verdict"),
        ("html", "<!doctype html>"),
    ],
)
def test_a_dash_prints_the_form_instead_of_the_report(
    form: str, begin: str, ask: Any, run_file: Path, tmp_path: Path
) -> None:
    written = tmp_path / "form"
    ask("report", run_file, "-q", f"--{form}", written)
    answer = ask("report", run_file, f"--{form}", "-")

    assert answer.code == 1
    assert answer.out == written.read_text()
    assert answer.out.startswith(begin)
    assert not Path("-").exists()


def test_two_documents_cannot_share_standard_output(ask: Any, listener: Any) -> None:
    for words in (("--json", "--junit", "-"), ("--markdown", "-", "--openmetrics", "-")):
        answer = ask("run", listener.target, *words)

        assert (answer.code, answer.out) == (2, "")
        assert "both print to standard output" in answer.err
    assert listener.connections() == 0


@pytest.mark.slow
def test_the_summary_of_a_job_keeps_what_other_steps_wrote(
    spawn: Any, run_file: Path, tmp_path: Path
) -> None:
    job, other = tmp_path / "summary.md", tmp_path / "other.md"
    for file in (job, other):
        file.write_text("of another step\n")
    for file in (job, other):
        words = ("report", run_file, "-q", "--markdown", file)
        assert spawn(*words, env={"GITHUB_STEP_SUMMARY": str(job)}).wait(60) == 1

    assert job.read_text().startswith("of another step\n\n## ")
    assert other.read_text().startswith("## ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_told_before_the_run(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)

    with pytest.raises(UsageError, match="no permission"):
        ReportFiles.of({"html": tmp_path / "page.html"})


def a_folder(tmp_path: Path, _: Path) -> Path:
    return tmp_path


def in_no_folder(tmp_path: Path, _: Path) -> Path:
    return tmp_path / "no" / "such" / "file"


def below_a_file(tmp_path: Path, run_file: Path) -> Path:
    return run_file / "page.html"


def the_run_file(_: Path, run_file: Path) -> Path:
    return run_file


def with_a_name_too_long(tmp_path: Path, _: Path) -> Path:
    return tmp_path / ("x" * 300)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize(
    "place", [a_folder, in_no_folder, below_a_file, the_run_file, with_a_name_too_long]
)
def test_a_place_that_cannot_be_written_is_told_before_anything_is_sent(
    option: str,
    place: Callable[[Path, Path], Path],
    ask: Any,
    run_file: Path,
    listener: Any,
    tmp_path: Path,
) -> None:
    before = run_file.read_bytes()
    words = (option, place(tmp_path, run_file))
    answer = ask("run", listener.target, "-n", "1", "--results", tmp_path / "results", *words)

    assert answer.code == 2
    assert answer.out == ""
    assert option in answer.err
    assert "Choose another file." in answer.err
    assert listener.connections() == 0
    assert run_file.read_bytes() == before
    assert not (tmp_path / "results").exists()


def test_two_forms_cannot_share_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--html and --junit name the same file"):
        ReportFiles.of({"html": tmp_path / "x", "junit": tmp_path / "." / "x"})


def test_a_pipe_or_a_device_is_written_to_and_not_replaced(run_file: Path) -> None:
    files = ReportFiles.of({"junit": Path("/dev/null"), "markdown": Path("/dev/null")})
    with open_run(run_file) as run:
        from stress.report.summary import summarize  # noqa: PLC0415 - heavy

        files.write(summarize(run), run)

    assert Path("/dev/null").is_char_device()


def test_a_link_stays_a_link(ask: Any, run_file: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")

    ask("report", run_file, "-q", "--markdown", tmp_path / "link")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text().startswith("## ")


def test_a_folder_that_vanished_meanwhile_is_our_error_and_no_traceback(
    run_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    files = ReportFiles.of({"junit": folder / "x.xml"})
    folder.rmdir()
    with open_run(run_file) as run:
        from stress.report.summary import summarize  # noqa: PLC0415 - heavy

        summary = summarize(run)
        with pytest.raises(StressError, match="--junit: could not write") as caught:
            files.write(summary, run)

    assert not isinstance(caught.value, UsageError)
    assert "tls-stress report" in (caught.value.hint or "")


def test_a_link_that_is_planted_meanwhile_is_replaced_and_not_followed(
    run_file: Path, tmp_path: Path
) -> None:
    from stress.report.summary import summarize  # noqa: PLC0415 - heavy

    victim, page, old = tmp_path / "victim", tmp_path / "page.html", tmp_path / "sum.md"
    victim.write_text("precious")
    old.write_text("yesterday's")
    old.chmod(0o600)
    files = ReportFiles.of({"html": page, "markdown": old})
    page.symlink_to(victim)
    before = os.umask(0o027)
    try:
        with open_run(run_file) as run:
            files.write(summarize(run), run)
    finally:
        os.umask(before)

    assert victim.read_text() == "precious"
    assert not page.is_symlink()
    assert (page.stat().st_mode & 0o777, old.stat().st_mode & 0o777) == (0o600, 0o640)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "sum.md", "victim"]
