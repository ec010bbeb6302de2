"""A run file of schema 1, written by the release that had it, is still read.

`data/schema-1.db` is the scenario `bad-only-tls12` of the lab: 160 handshakes, of which 20 failed
at one address. All but four transcripts were removed to keep it small.
"""

from __future__ import annotations

import csv
import io
import shutil
import sqlite3
from pathlib import Path

import pytest

from stress.model.run import End
from stress.report.summary import summarize
from stress.store import open_run
from stress.store.export import Format, export_run
from stress.store.writer import extent

DATA = Path(__file__).parent / "data" / "schema-1.db"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A copy: opening a run file for writing may touch it."""
    return Path(shutil.copy(DATA, tmp_path))


def test_it_opens_with_all_that_it_holds(path: Path) -> None:
    with open_run(path) as run:
        facts, records, failures = run.facts(), list(run.records()), list(run.failures(1000))

        assert (facts.end, facts.recorded, len(records)) == (End.COMPLETED, 160, 160)
        assert {record.outcome for record in failures} == {"incomplete-chain"}
        assert sorted(record for record in records if record.outcome != "ok") == failures
        assert records[0].resumed is False
        assert sum(cell.count for cell in run.cube().cells) == 160
        assert sum(row.seen for row in run.chains()) == 160
        assert len(list(run.transcripts())) == 4
        assert extent(run)[0] == 160


def test_it_is_reported(path: Path) -> None:
    with open_run(path) as run:
        summary = summarize(run)

    assert (summary.failures.count, summary.attempts) == (20, 160)
    assert [one.value for one in summary.causes[0].conditions] == ["127.0.0.2:47651", "tls12-only"]


def test_it_is_exported_with_the_columns_of_its_own_view(path: Path) -> None:
    connection = sqlite3.connect(path)
    cursor = connection.execute("SELECT * FROM handshake")
    names = [column[0] for column in cursor.description]
    stored = [["" if value is None else str(value) for value in row] for row in cursor]
    connection.close()
    text = io.BytesIO()
    with open_run(path) as run:
        export_run(run, Format.CSV, text)
    rows = list(csv.DictReader(io.StringIO(text.getvalue().decode())))

    assert [[row[name] for name in names] for row in rows] == stored


def test_a_missing_column_is_taken_for_not_reached(path: Path) -> None:
    """As in a file written before the attribute existed."""
    connection = sqlite3.connect(path)
    for view in ("handshake", "failures", "chains_seen", "by_address"):
        connection.execute(f"DROP VIEW {view}")
    connection.execute("ALTER TABLE attribute DROP COLUMN alpn")
    connection.commit()
    connection.close()
    with open_run(path) as run:
        assert {record.alpn for record in run.records()} == {None}
        assert {cell.alpn for cell in run.cube().cells} == {None}
