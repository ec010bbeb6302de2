"""A recorded run is judged anew from its stored bytes; the file stays as it is."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from stress.runner.judge import AS_RECORDED, Rejudgement
from stress.store import open_run


def verdict(document: str) -> tuple[str, dict[str, int]]:
    summary = json.loads(document)
    return summary["verdict"], summary["failures"]["categories"]


@pytest.mark.parametrize(
    ("words", "answer", "categories"),
    [
        ((), "failing", {"incomplete-chain": 20}),
        (("--policy", "go"), "failing", {"incomplete-chain": 20}),
        (("--policy", "none"), "clean", {}),
        (("--at", "+100d"), "failing", {"expired-leaf": 140, "incomplete-chain": 20}),
        (("--at", "2020-01-01"), "failing", {"not-yet-valid": 140, "incomplete-chain": 20}),
        (("--policy", "none", "--assert", "failures>=1"), "inconclusive", {}),
    ],
)
@pytest.mark.slow
def test_another_policy_or_time_gives_another_verdict(
    words: tuple[str, ...], answer: str, categories: dict[str, int], ask: Any, run_file: Path
) -> None:
    before = sha256(run_file.read_bytes()).digest()
    told = ask("report", run_file, *words, "--json")

    assert verdict(told.out) == (answer, categories)
    assert sha256(run_file.read_bytes()).digest() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--policy", "nokia"), "apple"),
        (("--at", "yesterdayish"), "2026-12-01"),
        (("--assert", "speed<2"), "unknown goal"),
    ],
)
@pytest.mark.slow
def test_bad_words_are_explained(
    words: tuple[str, ...], told: str, ask: Any, run_file: Path
) -> None:
    answer = ask("report", run_file, *words)

    assert answer.code == 2
    assert answer.out == ""
    assert told in " ".join(answer.err.split())


@pytest.mark.slow
def test_what_is_missing_is_named_with_its_address_and_fetched_only_when_asked(
    ask: Any, run_file: Path
) -> None:
    """The lab's address for it leads nowhere, which is told."""
    plain = " ".join(ask("report", run_file).out.split())
    asked = " ".join(ask("report", run_file, "--aia").out.split())

    assert "It is available at http://aia.lab.test/" in plain
    assert "proven" not in plain
    assert "Not proven: what chain" in asked


@pytest.mark.slow
def test_as_recorded_is_the_run_itself(run_file: Path) -> None:
    with open_run(run_file) as run:
        assert AS_RECORDED.judged(run) is run
        assert AS_RECORDED.repairs(run) == ()
        assert Rejudgement(policy="none").judged(run).verdicts() == ()
