"""A stranger's run file may hold anything: it is refused or reported, and nothing else happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from stress.lab.farm import start
from tests.strangers.doors import visit, wrongs


@pytest.fixture(scope="session")
def true_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with failures, chains and evidence."""
    folder = tmp_path_factory.mktemp("true")
    with start("round-robin-1-of-8") as farm:
        address = farm.addresses[0]
        words = [
            *("run", f"{farm.host}:{address.port}", "--address", address, "--ca", farm.ca_file),
            *("-n", "80", "--processes", "1", "-q", "--results", folder, "--name", "true"),
        ]
        visited = visit([words], folder)
    assert visited.visits[0].code == 1, visited.visits[0].err
    return folder / "true.db"


def doors(path: Path, folder: Path) -> list[list[object]]:
    """Every command that opens a run file and sends nothing."""
    return [
        ["report", path],
        ["report", path, "--json"],
        ["report", path, "--html", folder / "page.html", "--policy", "go", "--at", "+30d"],
        ["compare", path, path],
        ["export", path, "--format", "jsonl", "--out", folder / "rows.jsonl"],
        ["export", path, "--format", "csv"],
        ["evidence", path, "--out", folder / "proof"],
    ]


@pytest.mark.slow
def test_a_true_file_passes_all_doors(true_run: Path, tmp_path: Path) -> None:
    visits = visit(doors(true_run, tmp_path), tmp_path)

    assert wrongs(visits, [tmp_path, true_run.parent]) == []
    assert [one.code for one in visits.visits] == [1, 1, 1, 4, 0, 0, 0]
