"""`isolate`, and what the other commands do with its run file."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from stress.model.summary import Summary
from tests.cli.conftest import Ask
from tests.records.conftest import HEADER, telemetry


def parse(document: str) -> Summary:
    return msgspec.json.decode(document, type=Summary)


HOSTILE = "\x1b]0;owned\x07<script>=1+1"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, rows: list[list[object]], header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def test_the_report_names_the_cause_and_repeats_itself_from_the_file(
    folder: Path, ask: Ask
) -> None:
    write(folder / "app.csv", telemetry())

    first = ask("isolate", "app.csv", "--failed", "error != empty", "--name", "app")
    again = ask("report", "app")

    assert (first.code, again.code) == (1, 1)
    assert "All 57 failures are where carrier = c2" in first.out
    assert first.out == again.out
    assert first.err == "run file: results/app.db\n"
    labels = {line.split(" ")[0] for line in first.out.split("Causes")[0].splitlines()}
    assert not {"who", "prove", "fix", "what", "detectable"} & labels


def test_every_form_of_the_report(folder: Path, ask: Ask) -> None:
    write(folder / "app.csv", telemetry())
    forms = ["--html", "p.html", "--junit", "j.xml", "--markdown", "m.md", "--openmetrics", "o.txt"]

    done = ask("isolate", "app.csv", "--failed=error!=", "--json", *forms)
    document = json.loads(done.out)

    assert parse(done.out).causes[0].conditions[0].value == "c2"
    assert document["run"]["records"]["rows"] == 2_000
    assert document["run"]["target"] == "app.csv"
    page = (folder / "p.html").read_text()
    assert "by carrier; bars from 0" in page
    assert "TLS stack" not in page
    assert "handshakes succeed" not in (folder / "j.xml").read_text()
    assert "```" not in (folder / "m.md").read_text()
    assert 'target="app.csv"' in (folder / "o.txt").read_text()


def test_assertions_decide_and_are_kept(folder: Path, ask: Ask) -> None:
    write(folder / "app.csv", telemetry())
    words = ["isolate", "app.csv", "--failed", "error != empty", "--name", "app", "--assert"]

    assert ask(*words, "failing<10%").code == 0
    assert ask("report", "app").code == 0
    assert ask(*words, "failing<1%").code == 1


def test_a_fix_is_proven_where_it_failed(folder: Path, ask: Ask) -> None:
    write(folder / "before.csv", telemetry())
    mended = telemetry(
        time=lambda row: 1_796_100_000 + row,
        error=lambda row: "timeout" if row % 5 != 2 and row % 100 == 0 else "",
    )
    write(folder / "after.csv", mended)
    for name in ("before", "after"):
        ask("isolate", f"{name}.csv", "--failed", "error != empty", "--name", name)

    found = ask("compare", "before", "after")

    assert found.code == 0
    assert "0 of 400 (0%) where carrier = c2, 14.2% before" in " ".join(found.out.split())
    assert ask("compare", "before", "before").code == 4


def test_records_that_fail_by_other_words_are_not_compared(folder: Path, ask: Ask) -> None:
    write(folder / "app.csv", telemetry())
    ask("isolate", "app.csv", "--failed", "error != empty", "--name", "a")
    ask("isolate", "app.csv", "--failed", "carrier = c1", "--name", "b")

    found = ask("compare", "a", "b")

    assert found.code == 4
    assert "a row failed where error != empty, then where carrier = c1" in " ".join(
        found.out.split()
    )


def test_an_export_is_isolated_to_the_same_causes(folder: Path, ask: Ask) -> None:
    write(folder / "app.csv", telemetry())
    ask("isolate", "app.csv", "--failed", "error != empty", "--name", "app")
    for form in ("csv", "jsonl", "parquet"):
        ask("export", "app", "--format", form, "--out", f"again.{form}")
        words = ("--failed", "outcome != ok", "--count", "attempts", "--json")

        again = parse(ask("isolate", f"again.{form}", *words).out)

        assert again.causes[0].sentence == (
            "All 57 failures are where carrier = c2: "
            "57 of 400 (14.2%) there, 0 of 1,600 (0%) elsewhere."
        )


@pytest.mark.parametrize(
    "words",
    [
        ("replay", "app"),
        ("evidence", "app", "--out", "proof"),
        ("run", "--continue", "app"),
        ("report", "app", "--policy", "go"),
        ("report", "app", "--at", "+30d"),
        ("report", "app", "--aia"),
    ],
)
def test_what_needs_handshakes_is_refused(words: tuple[str, ...], folder: Path, ask: Ask) -> None:
    write(folder / "app.csv", telemetry(300))
    ask("isolate", "app.csv", "--failed", "error != empty", "--name", "app")

    done = ask(*words)

    assert done.code == 2
    assert "app holds records of app.csv, not handshakes of a run" in done.err
    assert not (folder / "proof").exists()


def test_hostile_names_and_values_are_only_shown(folder: Path, ask: Ask) -> None:
    rows = telemetry(carrier=lambda row: f"{HOSTILE}{row % 5}")
    write(folder / "app.csv", rows, f"time,{HOSTILE},region,error")
    forms = ["--html", "p.html", "--markdown", "m.md", "--junit", "j.xml"]

    done = ask("isolate", "app.csv", "--failed", "error != empty", "--name", "app", *forms)
    shown = [done.out, done.err, *((folder / name).read_text() for name in forms[1::2])]
    shown.append(ask("report", "app", "--json").out)
    shown.append(ask("export", "app", "--format", "csv").out)

    assert done.code == 1
    assert "\\x1b]0;owned\\x07<script>=1+1 = \\x1b]0;owned" in " ".join(done.out.split())
    assert not any("\x1b" in text or "\x07" in text for text in shown)
    assert "<script>=1" not in shown[2]


def test_a_typo_gets_the_nearest_name(folder: Path, ask: Ask) -> None:
    write(folder / "app.csv", telemetry(300))

    done = ask("isolate", "app.csv", "--failed", "eror != empty")

    assert done.code == 2
    assert 'Did you mean "error"?' in done.err
    assert not (folder / "results").exists()
