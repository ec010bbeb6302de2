"""Anybody's records are only rows: they cost little, and no byte of them rules the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.strangers.doors import visit, wrongs
from tests.strangers.records import records

pytestmark = pytest.mark.slow
NAMES = sorted(records())
PARTS = 3
FAILED = {"json": "error = true", "json-escapes": "error = true", "json-surrogates": "error = 1"}


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_every_file_is_reported_or_refused(part: int, tmp_path: Path) -> None:
    """Each through `isolate`, and its run file through the doors of a run file."""
    commands: list[list[object]] = []
    for name in NAMES[part::PARTS]:
        path = tmp_path / f"{name}.data"
        path.write_bytes(records()[name])
        failed = FAILED.get(name, "error != empty")
        forms = ["--html", tmp_path / f"{name}.html", "--markdown", tmp_path / f"{name}.md"]
        commands += [
            ["isolate", path, "--failed", failed, "--name", name, "--results", tmp_path, *forms],
            ["report", tmp_path / f"{name}.db", "--json"],
            ["export", tmp_path / f"{name}.db", "--format", "csv"],
        ]

    visits = visit(commands, tmp_path)

    assert wrongs(visits, [tmp_path]) == []
    assert len(visits.visits) == len(commands)
    assert {one.code for one in visits.visits} <= {0, 1, 2}
    shown = "".join(one.out + one.err for one in visits.visits)
    assert all(letter.isprintable() or letter in "\n\r\t" for letter in shown)
    for page in tmp_path.glob("*.html"):
        assert "<script>alert" not in page.read_text()


def test_the_good_ones_are_reported(tmp_path: Path) -> None:
    names = ("good", "escapes-in-values", "escapes-in-names", "our-names", "utf-16", "latin-1")
    for name in names:
        (tmp_path / name).write_bytes(records()[name])

    words = ("--failed", "error != empty", "--results", tmp_path)
    visits = visit([["isolate", tmp_path / name, *words] for name in names], tmp_path)

    assert [(one.words[1], one.code) for one in visits.visits] == [
        (str(tmp_path / name), 1) for name in names
    ]
    assert all("17 of 120 (14.2%) there" in " ".join(one.out.split()) for one in visits.visits)
