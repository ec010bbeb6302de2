"""Records leave one run file, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.records.reading import Choice
from stress.runner.records import isolate
from stress.runner.run import RunLocation
from stress.store import open_run
from tests.records.conftest import HEADER, telemetry

FAILED = Choice(failed="error != empty")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "app telemetry.csv"
    lines = [HEADER, *(",".join(map(str, row)) for row in telemetry(300))]
    path.write_text("\n".join(lines))
    return path


def test_the_file_is_named_after_the_records_and_never_taken(rows: Path, tmp_path: Path) -> None:
    folder, said = tmp_path / "results", list[str]()

    first = isolate([rows], FAILED, RunLocation(folder), said.append)
    second = isolate([rows], FAILED, RunLocation(folder, "mine"), said.append)
    third = isolate([rows], FAILED, RunLocation(folder, "mine"), said.append)

    assert first.name.startswith("app-telemetry-")
    assert [second.name, third.name] == ["mine.db", "mine-2.db"]
    taken = 'the name "mine" is taken; this run is "mine-2"'
    written = [f"run file: {path}" for path in (first, second, third)]
    assert said == [*written[:2], taken, written[2]]


def test_records_without_times_are_known_by_when_they_were_read(rows: Path, tmp_path: Path) -> None:
    rows.write_text("carrier,error\na,\nb,x\n")

    with open_run(isolate([rows], FAILED, RunLocation(tmp_path), print)) as run:
        assert run.facts().started_ns > 1_700_000_000 * 10**9
        assert run.facts().first_ns is None


@pytest.mark.parametrize("assertions", [("failing<<1%",), ("nonsense",)])
def test_a_bad_assertion_is_refused_before_anything_is_read(
    assertions: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(UsageError):
        isolate([tmp_path / "missing.csv"], FAILED, RunLocation(tmp_path), print, assertions)

    assert list(tmp_path.iterdir()) == []


def test_a_refused_file_leaves_nothing(rows: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no row failed"):
        isolate([rows], Choice(failed="error = nope"), RunLocation(tmp_path / "results"), print)

    assert not (tmp_path / "results").exists()
