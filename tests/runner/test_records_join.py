"""A log fills `backend` in a new run file, in which everything else is as it was."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.runner.records import join
from stress.runner.run import RunLocation
from stress.store import open_run

LINE = "10.0.1.2:{port} [{at:.6f}] front nodes/web{node} 1/0/5 212 -- 0/0/0/0/3 0/0\n"


def log_of(run_file: Path, path: Path, *, late_s: float = 0.0) -> Path:
    """What a balancer before three nodes would have written: a node by the number of the start."""
    with open_run(run_file) as run:
        rows = [row for row in run.records() if row.local_port]
    lines = (
        LINE.format(port=row.local_port, at=row.started_ns / 1e9 + late_s, node=row.id % 3)
        for row in rows
    )
    path.write_text("".join(lines))
    return path


def test_only_the_backend_is_new(run_file: Path, tmp_path: Path) -> None:
    before, said = run_file.read_bytes(), list[str]()
    log = log_of(run_file, tmp_path / "lb.log", late_s=-3599.5)

    made = join(run_file, [log], RunLocation(tmp_path), said.append, form=None, nat=False)

    with open_run(run_file) as run, open_run(made) as joined:
        rows, found = list(run.records()), list(joined.records())
        facts, new = run.facts(), joined.facts()
        assert [one._replace(backend=None) for one in found] == [
            one._replace(backend=None)
            for one in rows  # of a sample tickets had named it
        ]
        assert [row.backend for row in found] == [f"web{row.id % 3}" for row in rows]
        assert list(joined.transcripts()) == list(run.transcripts())
        assert [chain.sha256 for chain in joined.chains()] == [c.sha256 for c in run.chains()]
    assert (new.plan, new.started_ns, new.ended_ns, new.end, new.started, new.reasons) == (
        *(facts.plan, facts.started_ns, facts.ended_ns, facts.end, facts.started, facts.reasons),
    )
    assert new.joined is not None
    assert (new.joined.joined, new.joined.unmatched) == (len(rows), 0)
    assert new.joined.offset_ns == pytest.approx(-3599.5e9, abs=1e6)
    assert run_file.read_bytes() == before
    assert said[-1] == f"run file: {made}"


def test_lines_that_are_lost_are_counted(run_file: Path, tmp_path: Path) -> None:
    log = log_of(run_file, tmp_path / "lb.log")
    log.write_text("".join(log.read_text().splitlines(keepends=True)[5:]))

    made = join(run_file, [log], RunLocation(tmp_path), print, form="haproxy", nat=False)

    with open_run(made) as run:
        backends = Counter(row.backend is None for row in run.records())
        joined = run.facts().joined
    assert joined is not None
    assert joined.unmatched == backends[True] == 5


@pytest.mark.parametrize("form", [None, "haproxy", "haprox"])
def test_what_cannot_be_joined_leaves_no_file(
    form: str | None, run_file: Path, tmp_path: Path
) -> None:
    log, folder = tmp_path / "lb.log", tmp_path / "new"
    log.write_text(LINE.format(port=1, at=1_700_000_000.0, node=1))

    with pytest.raises(UsageError):
        join(run_file, [log], RunLocation(folder), print, form=form, nat=False)

    assert not folder.exists()
