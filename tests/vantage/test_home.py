"""A run from several places of this machine, by the same path as from others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Ask


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
    own = ("--results", tmp_path, "--json", "--until", "failures>=8", "--max-duration", "10m")
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
