"""The balancer's own log names the bad node: every row agrees with what HAProxy wrote."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from stress.cli.main import main
from stress.store import open_run
from tests.servers.conftest import RunIt
from tests.servers.haproxy import Haproxy
from tests.servers.nginx import Nginx

pytestmark = [pytest.mark.real("haproxy", "nginx"), pytest.mark.slow]
LINE = re.compile(r":(\d+) \[[^]]+\] \S+ nodes/(\S+) ")


def test_every_attempt_gets_the_node_that_haproxy_logged(
    twelve_nodes: tuple[Nginx, Haproxy],
    tls_stress: RunIt,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, haproxy = twelve_nodes
    tls_stress(haproxy.port, "-n", "600", "-c", "16", "--processes", "1")
    haproxy.served(600)
    results = tmp_path / "results"

    code = main(["join", "run", str(haproxy.output), "--results", str(results), "--json"])

    done = capsys.readouterr()
    assert code == 1, done.err
    summary = json.loads(done.out)
    logged = dict(LINE.findall(haproxy.output.read_text()))
    with open_run(results / "run-joined.db") as run:
        rows = list(run.records())
        joined = run.facts().joined
    assert joined is not None
    assert (joined.joined, joined.ambiguous, joined.unmatched) == (600, 0, 0)
    assert abs(joined.offset_ns) < 50_000_000
    assert all(row.backend == logged[str(row.local_port)] for row in rows)
    told = {line["name"]: (line["attempts"], line["failures"]) for line in summary["backends"]}
    met = Counter(row.backend for row in rows)
    assert told == {name: (n, n if name == "node-12" else 0) for name, n in met.items()}
    assert summary["causes"][0]["conditions"] == [
        {"dimension": "backend", "value": "node-12", "op": "is"}
    ]
    assert summary["causes"][0]["failures"] == summary["failures"]["count"] == met["node-12"]


def test_the_log_of_another_run_is_refused_and_leaves_no_file(
    twelve_nodes: tuple[Nginx, Haproxy],
    tls_stress: RunIt,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    nginx, haproxy = twelve_nodes
    tls_stress(nginx.ports["node-1"], "-n", "50", "--processes", "1")
    capsys.readouterr()

    code = main(
        ["join", "run", str(haproxy.output), "--results", str(tmp_path / "results"), "--name", "j"]
    )

    assert code == 2
    assert "the log" in capsys.readouterr().err
    assert not (tmp_path / "results" / "j.db").exists()


@pytest.mark.long
def test_by_times_alone_a_backend_is_only_suggested(
    twelve_nodes: tuple[Nginx, Haproxy],
    tls_stress: RunIt,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, haproxy = twelve_nodes
    tls_stress(haproxy.port, "-n", "600", "--rate", "60", "--processes", "1")
    haproxy.served(600)
    log, results = tmp_path / "nat.log", tmp_path / "results"
    lines = haproxy.output.read_text().splitlines()
    moved = [re.sub(r":(\d+) \[", lambda found: f":{int(found[1]) ^ 999} [", one) for one in lines]
    log.write_text("\n".join(moved) + "\n")
    command = ["join", "run", str(log), "--results", str(results), "--json"]

    refused = main(command)
    said = capsys.readouterr().err
    code = main([*command, "--nat"])

    assert (refused, code) == (2, 1), said
    assert "--nat" in said
    logged = Counter(node for _, node in LINE.findall(log.read_text()))
    summary = json.loads(capsys.readouterr().out)
    assert all(one["attempts"] <= logged[one["name"]] for one in summary["backends"])
    assert "suggestion" in summary["lines"]["asked"]
    grades = [one["grade"] for one in summary["causes"] if "backend" in str(one["conditions"])]
    assert set(grades) <= {"suggested", "ambiguous"}
