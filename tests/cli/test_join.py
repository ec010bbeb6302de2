"""`join` on the command line: the report by backend, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Ask
from tests.runner.test_records_join import log_of


def test_the_report_knows_the_backends_in_every_form(
    run_file: Path, tmp_path: Path, ask: Ask
) -> None:
    log = log_of(run_file, tmp_path / "lb.log")
    page, summary = tmp_path / "p.html", tmp_path / "m.md"
    own = ["--results", tmp_path, "--name", "joined", "--html", page, "--markdown", summary]

    shown = ask("join", run_file, log, *own)
    document = json.loads(ask("report", tmp_path / "joined.db", "--json").out)

    assert shown.code in {0, 1}, shown.err
    assert "Backends: " in shown.err
    assert "0 ambiguous, 0 not in it. " in " ".join(shown.out.split())
    names = sorted(line["name"] for line in document["backends"])
    assert names == ["web0", "web1", "web2"]
    assert {line["how"] for line in document["backends"]} == {"log"}
    assert sum(line["attempts"] for line in document["backends"]) == document["attempts"]
    assert sum(line["failures"] for line in document["backends"]) == document["failures"]["count"]
    for text in (shown.out, page.read_text(), summary.read_text()):
        assert all(name in text for name in names)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.log"], "cannot read the log missing.log"),
        (["lb.log", "--format", "haprox"], 'Did you mean "haproxy"?'),
        (["lb.log", "--format", "(?P<port>x)"], "no group named time or backend"),
        (["lb.log"], "is in no known format"),
        (["lb.log", "--format", "aws-nlb"], "lacks the target"),
        (
            ["lb.log", "--format", "nginx"],
            "nobody knows this form\n\nExpected: 10.0.1.2:33313 [1796",
        ),
        (["lb.log", "--format", "haproxy"], "Expected: 10.0.1.2:33313 [09/Dec/2026"),
    ],
)
def test_what_is_refused_says_why(
    words: list[str],
    said: str,
    run_file: Path,
    tmp_path: Path,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lb.log").write_text("nobody knows this form\n")

    answer = ask("join", run_file, *words)

    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert max(map(len, answer.err.splitlines())) <= 240


def test_a_file_of_records_has_nothing_to_join(tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "r.csv").write_text("carrier,error\na,\nb,x\n" * 20)
    ask("isolate", tmp_path / "r.csv", "--failed", "error!=", "--results", tmp_path, "--name", "r")

    answer = ask("join", tmp_path / "r.db", tmp_path / "r.csv")

    assert answer.code == 2
    assert "nothing to join" in answer.err
