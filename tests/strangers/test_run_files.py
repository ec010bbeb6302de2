"""A stranger's run file may hold anything: it is refused or reported, and nothing else happens."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from shutil import copyfile

import pytest

from stress.model.plan import Address
from stress.model.run import End, RunEnd
from stress.store import RunWriter, open_run
from stress.store.writer import copy_run
from tests.strangers.doors import Visits, visit, wrongs
from tests.strangers.run_files import corpus, make


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
        ["merge", path, sibling(path, folder), "--results", folder / "merged", "--json"],
    ]


def sibling(path: Path, folder: Path) -> Path:
    """The same run as another machine would have made it, a second later."""
    (folder / "other").mkdir(exist_ok=True)
    other = folder / "other" / "other.db"
    copyfile(path, other)
    with closing(sqlite3.connect(other)) as db, db:
        db.execute("UPDATE meta SET value = value + 1000000000 WHERE key = 'started_ns'")
    return other


@pytest.mark.slow
def test_a_true_file_passes_all_doors(true_run: Path, tmp_path: Path) -> None:
    visits = visit(doors(true_run, tmp_path), tmp_path)

    assert wrongs(visits, [tmp_path, true_run.parent]) == []
    assert [one.code for one in visits.visits] == [1, 1, 1, 4, 0, 0, 0, 1]


PARTS = 8
CODES = {0, 1, 2, 3}


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_a_hostile_file_is_refused_or_reported(true_run: Path, tmp_path: Path, part: int) -> None:
    """Each file goes through a few doors; a process reads many, since starting one costs most."""
    names, other = sorted(corpus(true_run))[part::PARTS], sibling(true_run, tmp_path)
    damages, commands = corpus(true_run), []
    for number, name in enumerate(names):
        path = make(true_run, damages[name], tmp_path / f"{name}.db")
        commands.append(["report", path, "--json"])
        if number % 2:
            commands.append(["compare", path, true_run])
        else:
            commands.append(["export", path, "--format", "csv"])
        commands.append(["evidence", path, "--out", tmp_path / f"{name}-evidence"])
        results = tmp_path / f"{name}-merged"
        commands.append(["merge", other, path, "--results", results, "--name", "all", "--json"])
    visits = visit(commands, tmp_path)

    wrong = {}
    for one in visits.visits:
        found = wrongs(Visits((one,)), [tmp_path])
        if found or one.code not in CODES | ({4} if one.door == "compare" else set()):
            wrong[f"{one.words[0]} {Path(one.file).stem}"] = [one.code, *found]
    assert wrong == {}
    assert len(visits.visits) == len(commands)
    assert sorted(tmp_path.glob("*.db")) == sorted(tmp_path / f"{name}.db" for name in names)
    assert not list(tmp_path.glob("pwned*"))


@pytest.fixture(scope="session")
def public_run(true_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run as if it had been against a public address, and had been interrupted."""
    path = tmp_path_factory.mktemp("public") / "public.db"
    address = Address("93.184.216.34", 443)
    with open_run(true_run) as run:
        facts = run.facts()
        load = replace(facts.plan.load, count=4_400, duration_s=None)
        plan = replace(facts.plan, addresses=(address,), load=load, authorized="they said so")
        writer = RunWriter(path, plan, started_ns=facts.started_ns, versions={}, host="here")
        copy_run(run, writer)
        writer.add_address(0, address)
        assert facts.ended_ns is not None
        writer.finish(RunEnd(End.INTERRUPTED, facts.ended_ns, facts.started))
    return path


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_a_hostile_file_makes_nobody_connect(public_run: Path, tmp_path: Path, part: int) -> None:
    """What could be dialled needs consent on the command line, and there is none."""
    names = sorted(corpus(public_run))[part::PARTS]
    damages, commands = corpus(public_run), []
    results = ("--results", tmp_path / "results")
    for number, name in enumerate(names):
        path = make(public_run, damages[name], tmp_path / f"{name}.db")
        os.utime(path, (0, 0))
        if number % 2:
            commands.append(["replay", path, "--tries", "200", *results])
        else:
            commands.append(["run", "--continue", path, *results])
    visits = visit(commands, tmp_path)

    codes = {f"{one.door} {Path(one.file).stem}": one.code for one in visits.visits}
    assert wrongs(visits, [tmp_path]) == []
    assert {name: code for name, code in codes.items() if code != 2} == {}
    assert len(visits.visits) == len(commands)
    assert not (tmp_path / "results").exists()
