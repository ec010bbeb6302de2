import json
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.slow
def test_the_demo_finds_what_was_planted_and_exits_0(ask: Any, tmp_path: Path) -> None:
    answer = ask("demo", "round-robin-1-of-8", "-n", "200", "--results", tmp_path)

    assert answer.code == 0
    assert answer.out.startswith("failing     25 of 200 handshakes")
    assert "incomplete chain" in answer.out
    assert "found what was planted" in answer.err


@pytest.mark.slow
def test_a_demo_too_short_to_find_it_says_so_and_exits_1(ask: Any, tmp_path: Path) -> None:
    words = ("-n", "2", "--results", tmp_path, "--json", "--name", "short")
    answer = ask("demo", "round-robin-1-of-8", *words)

    assert answer.code == 1
    assert json.loads(answer.out)["attempts"] == 2
    assert "not found: no attempt failed with incomplete-chain" in answer.err
    assert (tmp_path / "short.db").is_file()


@pytest.mark.parametrize(
    ("count", "says"), [("0", "not at least 1"), ("few", "not a whole number")]
)
def test_a_count_that_is_none_is_refused_before_a_farm_is_started(
    ask: Any, tmp_path: Path, count: str, says: str
) -> None:
    answer = ask("demo", "--count", count, "--results", tmp_path)

    assert answer.code == 2
    assert answer.err.startswith("error: --count: ")
    assert says in answer.err
    assert "planted" not in answer.err
    assert "--duration" not in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_healthy_farm_is_found_healthy(ask: Any, tmp_path: Path) -> None:
    answer = ask("demo", "healthy", "-n", "100", "-q", "--results", tmp_path)

    assert answer.code == 0
    assert answer.out == ""
    assert "0 of 100" in answer.err


NAMED = {
    "healthy": "0 of 300 handshakes failed",
    "missing-intermediate": "incomplete chain",
    "stale-certificate": "expired certificate",
    "default-certificate": "another leaf",
    "two-processes-one-port": "expired certificate",
    "resets": "reset",
    "stalls": "timeout-handshake",
    "ipv6-only": "[::1]",
}
ENOUGH = {"missing-intermediate": 1_500, "resets": 1_000, "stalls": 2_500}
"""Handshakes after which the rare ones have surely shown, all others 300."""


@pytest.mark.parametrize("scenario", NAMED)
@pytest.mark.slow
def test_every_first_scenario_is_found_and_named(scenario: str, ask: Any, tmp_path: Path) -> None:
    words = ("-n", ENOUGH.get(scenario, 300), "--results", tmp_path)
    answer = ask("demo", scenario, *words)

    assert answer.code == 0, answer.err
    assert "found what was planted" in answer.err
    assert NAMED[scenario] in answer.out


def test_an_unknown_scenario_is_explained(ask: Any) -> None:
    answer = ask("demo", "missing-intermediat")

    assert answer.code == 2
    assert "missing-intermediate" in answer.err
