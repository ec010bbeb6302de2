"""The lines about records: what was read and searched, and nothing that only a run can say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stress.model.record import RecordSource
from stress.report.summary import summarize
from stress.store import open_run
from tests.store.test_records import ROWS, records, written


def test_few_columns_are_named_and_the_rest_is_counted(tmp_path: Path) -> None:
    made = records(ROWS)
    source = replace(
        made.source,
        left_out={f"x{number}": "one value" for number in range(11)},
        how=("times are Unix ms", "took was read as s"),
    )

    with open_run(written(tmp_path / "r.db", replace(made, source=source))) as run:
        lines = summarize(run).lines

    assert lines.asked == (
        "r.csv; a row failed where error != empty; its time is time. Searched: carrier. "
        "Times are Unix ms; took was read as s. Left out: x0 (one value), x1 (one value), "
        "x2 (one value), x3 (one value), x4 (one value), x5 (one value), x6 (one value), "
        "x7 (one value) and 3 more."
    )
    assert lines.whence == (
        "4 rows that count for 9 attempts from 2026-11-30 00:53:20 to 2026-11-30 00:53:30 UTC."
    )
    assert lines.valid == "Valid, with warnings: a note."


def test_without_a_column_nothing_is_said_to_have_been_tested(tmp_path: Path) -> None:
    made = records(ROWS, ("ok", "x"))
    bare = replace(made, table=replace(made.table, columns=()), notes=())
    untimed = replace(bare, source=RecordSource(("r.csv",), "error != empty", 4, 9))

    with open_run(written(tmp_path / "r.db", untimed)) as run:
        lines = summarize(run).lines

    assert lines.where == "No column could be searched: each has one value, or too many."
    assert lines.verdict.startswith("3 of 9 attempts failed (33.3%, 95% CI ")
    assert "Searched: no column." in lines.asked
    assert lines.valid == "Valid: every row was read."
