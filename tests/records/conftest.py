"""Small tables of records, and what is found in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from stress.model.summary import Summary
from stress.records.reading import Choice
from stress.runner.judge import AS_RECORDED
from stress.runner.records import isolate
from stress.runner.run import RunLocation
from stress.store import open_run

Table = Callable[..., Path]
Found = Callable[..., Summary]
START = 1_796_000_000


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Writes a CSV file."""

    def write(header: str, rows: Iterable[Sequence[object]], name: str = "r.csv") -> Path:
        path = tmp_path / name
        lines = [header, *(",".join(map(str, row)) for row in rows)]
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


@pytest.fixture
def found(tmp_path: Path) -> Found:
    """The report of some files."""

    def report(*paths: Path, failed: str | None = "error != empty", **choice: object) -> Summary:
        made = Choice(failed=failed, **choice)  # type: ignore[arg-type]  # by name
        file = isolate(paths, made, RunLocation(tmp_path), lambda _line: None)
        with open_run(file) as run:
            return AS_RECORDED.summarize(run)

    return report


def telemetry(rows: int = 2_000, **values: Callable[[int], object]) -> list[list[object]]:
    """Time, carrier, region and error; carrier c2 fails each seventh time."""
    columns: dict[str, Callable[[int], object]] = {
        "time": lambda row: START + row,
        "carrier": lambda row: f"c{row % 5}",
        "region": lambda row: f"r{row % 3}",
        "error": lambda row: "timeout" if row % 5 == 2 and row % 7 == 0 else "",
    }
    return [[of(row) for of in (columns | values).values()] for row in range(rows)]


HEADER = "time,carrier,region,error"
