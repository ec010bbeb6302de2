"""`merge` on the command line: two real runs from two addresses of this machine become one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Ask


@pytest.fixture
def two(farm_words: tuple[str, ...], tmp_path: Path, ask: Ask) -> list[Path]:
    """Two runs against one farm, as if two machines had made them."""
    for name, source in (("fra", "127.0.0.2"), ("nyc", "127.0.0.3")):
        own = ("--source", source, "--results", tmp_path, "--name", name)
        assert ask("run", *farm_words, "-n", "80", "--processes", "1", "-q", *own).code == 1
    return [tmp_path / "fra.db", tmp_path / "nyc.db"]


@pytest.mark.long
@pytest.mark.slow
def test_every_form_of_the_report_knows_the_vantages(
    two: list[Path], tmp_path: Path, ask: Ask
) -> None:
    page, summary = tmp_path / "p.html", tmp_path / "m.md"
    own = ["--results", tmp_path, "--name", "all", "--html", page, "--markdown", summary]

    shown = ask("merge", *two, *own)
    document = json.loads(ask("report", tmp_path / "all.db", "--json").out)
    rows = ask("export", tmp_path / "all.db", "--format", "jsonl").out.splitlines()
    proof = ask("evidence", tmp_path / "all.db", "--out", tmp_path / "proof")
    merged_again = ask("merge", *reversed(two), *own[:2], "--name", "again", "-q")
    compared = ask("compare", tmp_path / "all.db", tmp_path / "again.db")

    assert shown.code == 1, shown.err
    assert "2 runs from 2 vantages: 160 rows" in shown.err
    assert [
        (one["name"], one["attempts"], one["failures"], one["networks"])
        for one in document["vantages"]
    ] == [("fra", 80, 10, ["127.0.0.2"]), ("nyc", 80, 10, ["127.0.0.3"])]
    assert document["failures"]["count"] == 20
    for text in (shown.out, page.read_text(), summary.read_text()):
        assert all(name in text for name in ("Vantages", "fra", "nyc") if text is shown.out)
        assert "fra" in text
    exported = [json.loads(row) for row in rows]
    assert [one["vantage"] for one in exported].count("nyc") == 80
    assert {(one["vantage"], one["source"]) for one in exported} == {
        ("fra", "127.0.0.2"),
        ("nyc", "127.0.0.3"),
    }
    assert proof.code == 0
    words = " ".join((tmp_path / "proof" / "README.txt").read_text().split())
    assert "Failures by vantage: fra 10 of 80, nyc 10 of 80." in words
    assert merged_again.code == 1
    assert compared.code == 0
    assert "20 of 160 (12.5%) failed, 20 of 160 (12.5%) before" in " ".join(compared.out.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a", "once"], "there is no run 'a'"),
        (["once"], "one run file alone cannot be merged"),
        (["once", "once"], "hold the same run"),
        (["once", "missing.db"], "there is no run 'missing.db'"),
        (["once", "text.db"], "is not a run file"),
        ([], "Missing argument"),
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
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "once.db").write_bytes(run_file.read_bytes())
    (tmp_path / "results" / "text.db").write_text("no run\n" * 40)

    answer = ask("merge", *words)

    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert len(list((tmp_path / "results").iterdir())) == 2
