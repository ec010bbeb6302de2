"""`merge` on the command line: two real runs from two addresses of this machine become one."""

from __future__ import annotations

import json
from contextlib import closing
from itertools import islice
from pathlib import Path
from shutil import copy
from sqlite3 import connect

import pytest

from benchmarks.reports import write_varied
from stress.store import open_run
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


@pytest.mark.long
@pytest.mark.slow
def test_report_page_and_comparison_are_the_same_without_the_rows(tmp_path: Path, ask: Ask) -> None:
    """Of two varied files, each thinned where it was made, and then merged."""
    rows = 55_000
    one, two = tmp_path / "one.db", tmp_path / "two.db"
    write_varied(rows, one, seed=5)
    copy(one, two)
    with closing(connect(two)) as file:  # as if another machine had made it a moment later
        file.execute("UPDATE meta SET value = value + 1234567890 WHERE key = 'started_ns'")
        file.execute("UPDATE meta SET value = 'vm-2 (192.0.2.9)' WHERE key = 'host'")
        file.commit()
    whole, thin = tmp_path / "whole", tmp_path / "thin"
    own = ("--name", "all", "-q", "--results")

    assert ask("merge", one, two, *own, whole).code == 1
    for file_name in ("one", "two"):
        words = ("--rows", "there", "--results", thin, "--name", f"{file_name}-small", "-q")
        said = ask("merge", tmp_path / f"{file_name}.db", *words)
        assert "1 run from 1 vantage: 55,000 handshakes, and rows of " in " ".join(said.err.split())
    assert ask("merge", thin / "one-small.db", thin / "two-small.db", *own, thin).code == 1

    answers = []
    for folder in (whole, thin):
        run = folder / "all.db"
        told = [
            ask("report", run, "--json"),
            ask("report", run, "-q", "--html", "-"),
            ask("compare", one, run, "--json"),
            ask("report", run, "--policy", "none"),
            ask("export", run, "--format", "hlog"),
        ]
        answers.append([(one.code, one.out.replace(str(folder), "")) for one in told])
    for got, expected in zip(answers[1], answers[0], strict=True):
        assert got == expected
    exported = ask("export", thin / "all.db")
    left = 2 * rows - (len(exported.out.splitlines()) - 1)
    assert left > rows * 0.9
    assert f"{left:,} of 110,000 handshakes have no row here" in " ".join(exported.err.split())
    assert ask("export", whole / "all.db").err == ""
    assert (thin / "all.db").stat().st_size < 0.6 * (whole / "all.db").stat().st_size
    some = ask("merge", one, thin / "all.db", "--results", tmp_path / "no")
    assert "the other files have those of some vantages only: two: none" in " ".join(
        some.err.split()
    )
    assert ask("merge", thin / "all.db", two, one, *own, tmp_path / "again").code == 1
    with open_run(tmp_path / "again/all.db") as again, open_run(whole / "all.db") as all_rows:
        assert (again.elsewhere, again.recorded) == (0, 2 * rows)
        assert list(islice(again.records(), 1_000)) == list(islice(all_rows.records(), 1_000))
    log = tmp_path / "proxy.log"
    log.touch()
    joined = ask("join", thin / "all.db", log)
    assert "lacks rows of its good handshakes" in " ".join(joined.err.split())
