"""`--until` and `--assert`: what ends a run, what judges it, and that they alone decide."""

import json
from pathlib import Path
from typing import Any

import pytest

from stress.store import open_run


def assertions(document: str) -> dict[str, str]:
    return {one["expression"]: one["holds"] for one in json.loads(document)["assertions"]}


@pytest.mark.slow
def test_a_run_stops_as_soon_as_its_goal_is_reached(
    ask: Any, farm_words: tuple[str, ...], tmp_path: Path
) -> None:
    """One in eight fails; `-n` would have gone on to 10,000."""
    goal = ("--until", "failures>=5", "-n", "10k", "-c", "8")
    answer = ask("run", *farm_words, *goal, "--results", tmp_path, "--name", "a", "--json")
    again = ask("report", tmp_path / "a.db", "--json")

    summary = json.loads(answer.out)
    assert answer.code == again.code == 0
    assert answer.out == again.out
    assert 40 <= summary["attempts"] < 5_000
    assert summary["failures"]["interval"]["method"] == "anytime"
    assert assertions(answer.out) == {"failures>=5": "yes"}
    assert any("'failures>=5' reached" in reason for reason in summary["validity"]["reasons"])
    with open_run(tmp_path / "a.db") as run:
        assert run.facts().plan.goals == ("failures>=5",)
        assert run.facts().plan.load.duration_s == 900.0


@pytest.mark.slow
def test_assertions_alone_decide_the_exit_code(
    ask: Any, farm_words: tuple[str, ...], tmp_path: Path
) -> None:
    """Failures were seen, as was expected: that is exit 0."""
    words = ("-n", "160", "--assert", "chains==2", "--assert", "failing>1%")
    answer = ask("run", *farm_words, *words, "--results", tmp_path)

    assert answer.code == 0
    assert "Holds: chains==2, failing>1%." in " ".join(answer.out.split())


@pytest.mark.parametrize(
    ("expression", "code", "holds"),
    [
        ("failures==20", 0, "yes"),
        ("failing<5%", 1, "no"),
        ("failing<12%", 3, "unknown"),
        ("causes==0", 1, "no"),
        ("p90.server<10s", 0, "yes"),
        ("p99.server<10s", 3, "unknown"),
    ],
)
@pytest.mark.slow
def test_a_report_may_be_asked_another_question(
    expression: str, code: int, holds: str, ask: Any, run_file: Path
) -> None:
    answer = ask("report", run_file, "--assert", expression, "--json")

    assert answer.code == code
    assert assertions(answer.out) == {expression: holds}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--until", "failing"), "the shell interprets < and >"),
        (("--until", "causes==0"), "--assert 'causes==0'"),
        (("--until", "failing<1%", "--until", "failing>2%"), "can never both hold"),
        (("--assert", "failures==0", "--until", "failures>=20"), "can never both hold"),
        (("--assert", "spead<3"), "unknown goal"),
        (("--until", "failures>=2", "--max-duration", "0"), "--max-duration"),
        (("--rate-blocks", "--rate", "9", "-n", "5"), "--duration"),
    ],
)
def test_a_goal_that_makes_no_sense_is_told_before_anything_is_sent(
    words: tuple[str, ...], told: str, ask: Any, listener: Any, tmp_path: Path
) -> None:
    answer = ask("run", listener.target, *words, "--results", tmp_path)

    assert answer.code == 2
    assert told in " ".join(answer.err.split())
    assert listener.connections() == 0
    assert not list(tmp_path.rglob("*.db"))


def test_a_profile_may_hold_goals(ask: Any, listener: Any, tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text('until = "failing"\n')
    answer = ask("run", listener.target, "--profile", profile)

    assert answer.code == 2
    assert "has no value" in answer.err
