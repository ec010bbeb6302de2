"""What the session tickets of the lab's nodes give away, through a run of ours."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stress.cli.main import main
from stress.lab.farm import start

pytestmark = pytest.mark.slow
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def against(scenario: str, *options: str, log: Path | None = None) -> dict[str, Any]:
        with start(scenario, log=log) as farm:
            words = [*farm.run_words, "--results", str(tmp_path), "-n", "240", "-c", "8"]
            main(["run", *words, "--processes", "1", "--json", "--name", "run", *options])
        done = capsys.readouterr()
        return dict(json.loads(done.out))

    return against


def test_nodes_with_keys_of_their_own_are_told_apart(run: Run) -> None:
    assert run("missing-intermediate", "--ticket-names")["backend_count"]["seen"] > 6


def test_a_key_for_all_says_nothing_and_the_report_says_so(run: Run) -> None:
    summary = run("one-ticket-key", "--ticket-names")

    assert summary["backend_count"]["seen"] == 1
    assert "all are sealed with one key" in summary["lines"]["where"]


def test_without_tickets_nothing_names_a_node_and_the_report_says_so(run: Run) -> None:
    summary = run("no-session-tickets", "--ticket-names")

    assert summary["backend_count"]["named"] == 0
    assert "its session tickets name none" in summary["lines"]["where"]
    assert any("--backends" in one["argv"] for one in summary["commands"])


@pytest.mark.long
@pytest.mark.parametrize(("scenario", "version"), [("session-caches", 2), ("nameless-tickets", 3)])
def test_nodes_that_no_ticket_names_are_told_apart_by_their_sessions(
    scenario: str, version: int, run: Run
) -> None:
    summary = run(scenario, "--ticket-names", "--backends")

    assert summary["backend_count"]["named"] == 0
    groups = summary["resumption_groups"]
    assert groups["tls_version"] == 0x0301 + version
    assert groups["low"] <= 12 <= groups["high"]
    assert groups["refused_and_failed"] == 0


def test_the_balancers_log_names_the_node_of_each_connection(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "balancer.log"
    run("one-ticket-key", log=log)

    main(
        [
            "join",
            "--results",
            str(tmp_path),
            "--json",
            "--name",
            "joined",
            str(tmp_path / "run.db"),
            str(log),
        ]
    )

    summary = json.loads(capsys.readouterr().out)
    nodes = re.findall(r" front nodes/(\S+) ", log.read_text())
    assert {one["name"]: one["attempts"] for one in summary["backends"]} == Counter(nodes)
    assert len(nodes) == summary["attempts"] == 240
    assert "came from backend node-12, 1 of" in summary["headline"]


def test_a_header_names_the_node_all_the_same(run: Run) -> None:
    summary = run("one-ticket-key", "--identify", "header:X-Served-By")

    assert "All " in summary["headline"]
    assert "came from backend node-12, 1 of 12" in summary["headline"]
