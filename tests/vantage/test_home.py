"""A run from several places of this machine, by the same path as from others."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest

from stress.store import open_run
from tests.cli.conftest import Ask
from tests.vantage.hosts import ROOT


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A vantage at the other end of a command; its state folder is the test's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    script = tmp_path / "there"
    script.write_text(f'#!/bin/sh\ncd /; shift\nPYTHONPATH={ROOT} exec {sys.executable} "$@"\n')
    script.chmod(0o755)
    return f"there=exec:{script}"


@pytest.mark.long
@pytest.mark.slow
def test_two_vantages_make_one_run(
    farm_words: tuple[str, ...], tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    own = ("--results", tmp_path / "here", "--name", "both", "--json")
    places = ("--vantage", "fra=local", "--vantage", "nyc=local")

    answered = ask("run", *farm_words, "-n", "80", "--processes", "2", *places, *own)
    document = json.loads(answered.out)

    assert answered.code == 1, answered.err
    assert [(one["name"], one["attempts"]) for one in document["vantages"]] == [
        ("fra", 40),
        ("nyc", 40),
    ]
    assert all(abs(one["clock_offset_ms"]) < 1_000 for one in document["vantages"])
    assert document["attempts"] == 80
    assert document["failures"]["count"] == 10
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["both.db"]
    assert not [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert "target at 127.0.0.1:" in answered.err


@pytest.mark.long
@pytest.mark.slow
def test_a_goal_is_judged_over_all_and_stops_all(
    farm_words: tuple[str, ...], tmp_path: Path, ask: Ask
) -> None:
    goal = ("--until", "failures>=8", "--max-duration", "10m", "--rows", "there")
    own = ("--results", tmp_path, "--json", *goal)
    places = ("--vantage", "fra=local", "--vantage", "nyc=local")

    answered = ask("run", *farm_words, "--rate", "40", "--processes", "3", *places, *own)
    document = json.loads(answered.out)

    assert answered.code == 0, answered.err
    assert [one["holds"] for one in document["assertions"]] == ["yes"]
    assert document["failures"]["count"] >= 8
    assert all(one["failures"] for one in document["vantages"])
    told = [one for one in document["validity"]["reasons"] if "'failures>=8' reached" in one]
    assert len(told) == 1
    assert told[0].startswith("stopped after")


@pytest.mark.slow
def test_a_place_that_cannot_be_reached_ends_all_before_anything_is_sent(
    farm_words: tuple[str, ...], tmp_path: Path, ask: Ask
) -> None:
    broken = "nyc=exec:sh -c 'echo nobody home >&2; exit 1'"
    own = ("--results", tmp_path / "here")

    answered = ask("run", *farm_words, "-n", "80", "--vantage", broken, *own)

    assert answered.code == 2
    assert "nobody home" in answered.err
    assert not list(tmp_path.rglob("*.db"))


def test_too_few_handshakes_and_a_name_twice_are_refused(
    farm_words: tuple[str, ...], ask: Ask
) -> None:
    twice = ask("run", *farm_words, "--vantage", "a=local", "--vantage", "a=local")
    search = ask("run", *farm_words, "--vantage", "a=local", "--find-limit", "failing<1%")

    assert twice.code == search.code == 2
    assert "2 vantages are called a" in twice.err
    assert "--find-limit and --vantage do not go together" in search.err


@pytest.mark.long
@pytest.mark.slow
def test_rows_stay_there_and_the_report_is_the_same(there: str, tmp_path: Path, ask: Ask) -> None:
    """Nothing listens: 51,000 attempts are soon over, and a report needs rows of fewer."""
    own = ("--results", tmp_path, "-q")
    load = ("-n", 51_000, "-c", 600, "--processes", 1, "--rows", "there")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        target = (f"localhost:{port}", "--address", f"127.0.0.1:{port}")
        made = ask("run", *target, *load, "--vantage", there, *own, "--name", "small-1")
    assert made.code == 1, made.err
    (whole,) = (tmp_path / "state").rglob("*.db")
    exported = " ".join(ask("export", tmp_path / "small-1.db").err.split())
    again = ask("merge", tmp_path / "small-1.db", whole, *own, "--name", "large-2")
    answers = [
        ask("report", tmp_path / f"{name}.db", "--json").out.replace(name, "NAME")
        for name in ("small-1", "large-2")
    ]

    assert again.code == 1, again.err
    assert f"{whole}" in "".join(made.err.split("\n  "))
    assert "there: all rows stay on " in made.err
    assert "have no row here: those stayed where they were made; there: on " in exported
    assert str(whole) in exported
    assert answers[0] == answers[1]
    with open_run(tmp_path / "small-1.db") as small, open_run(tmp_path / "large-2.db") as large:
        assert (small.recorded, large.recorded, large.elsewhere) == (51_000, 51_000, 0)
        assert small.elsewhere > 10_000


@pytest.mark.long
@pytest.mark.slow
def test_secrets_stay_there_unless_asked_for(
    there: str, farm_words: tuple[str, ...], tmp_path: Path, ask: Ask
) -> None:
    own = ("--results", tmp_path, "-q", "--processes", "2", "-n", "80")
    places = ("--vantage", there, "--vantage", "home=local")
    said = ask("run", *farm_words, *places, *own, "--name", "without", "--rows", "there").err
    ask("run", *farm_words, *places, *own, "--name", "with", "--secrets", "here")
    (key_log,) = (path for path in (tmp_path / "state").rglob("*") if path.is_file())
    kept: dict[str, dict[str, list[str]]] = {}
    for name in ("without", "with"):
        with open_run(tmp_path / f"{name}.db") as run:
            names = [one.name for one in run.facts().vantages]
            for one in run.transcripts():
                of = kept.setdefault(name, {}).setdefault(names[one.record.vantage or 0], [])
                of += one.secrets
    proof = tmp_path / "proof"
    ask("evidence", tmp_path / "without.db", "--out", proof)
    shared = ask("evidence", tmp_path / "without.db", "--out", tmp_path / "shared", "--share")

    assert kept["without"]["there"] == []
    assert all((kept["without"]["home"], kept["with"]["there"], kept["with"]["home"]))
    lines = key_log.read_text().splitlines()
    assert {line.split()[0] for line in lines} <= {line.split()[0] for line in kept["with"]["home"]}
    assert key_log.stat().st_mode & 0o777 == 0o600
    data = (tmp_path / "without.db").read_bytes()
    assert not any(bytes.fromhex(line.split()[2]) in data for line in lines)
    assert not any(line.encode() in data for line in lines)
    assert "TLS secrets of its evidence stay on" in said
    assert str(key_log) in said
    assert f": {key_log}\n" in (proof / "README.txt").read_text()
    assert shared.code == 0
    assert str(key_log) not in (tmp_path / "shared/README.txt").read_text()
