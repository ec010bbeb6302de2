"""A stranger's run file may hold anything: it is refused or reported, and nothing else happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from stress.lab.farm import start
from tests.strangers.doors import Visits, visit, wrongs
from tests.strangers.run_files import corpus, make


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


PARTS = 8


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_a_hostile_file_is_refused_or_reported(true_run: Path, tmp_path: Path, part: int) -> None:
    """Each file goes through a few doors; a process reads many, since starting one costs most."""
    names = sorted(corpus(true_run))[part::PARTS]
    damages, commands = corpus(true_run), []
    for name in names:
        path = make(true_run, damages[name], tmp_path / f"{name}.db")
        commands.append(["report", path, "--json"])
        if not name.startswith(("plan-", "ending-")):
            commands.append(["export", path, "--format", "csv"])
        commands.append(["evidence", path, "--out", tmp_path / f"{name}-evidence"])
    visits = visit(commands, tmp_path)

    wrong = {}
    for one in visits.visits:
        found = wrongs(Visits((one,), visits.megabytes), [tmp_path])
        if found or (one.code not in {0, 1, 2, 3}):
            wrong[f"{one.words[0]} {Path(one.words[1]).stem}"] = [one.code, *found]
    assert wrong == {}
    assert len(visits.visits) == len(commands)
    assert sorted(tmp_path.glob("*.db")) == sorted(tmp_path / f"{name}.db" for name in names)
    assert not list(tmp_path.glob("pwned*"))
