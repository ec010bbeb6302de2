"""From files to a report: the planted cause, what is left out, and what is wrong with the input."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.model.summary import Summary
from tests.records.conftest import HEADER, START, Found, Table, telemetry

CAUSE = [("carrier", "c2")]


def places(summary: Summary) -> list[tuple[str, object]]:
    return [(one.dimension, one.value) for cause in summary.causes for one in cause.conditions]


def test_the_planted_cause_is_found_with_its_counts(table: Table, found: Found) -> None:
    summary = found(table(HEADER, telemetry()))

    (cause,) = summary.causes
    assert places(summary) == CAUSE
    assert (cause.failures, cause.attempts, summary.attempts) == (57, 400, 2_000)
    assert cause.sentence == (
        "All 57 failures are where carrier = c2: "
        "57 of 400 (14.2%) there, 0 of 1,600 (0%) elsewhere."
    )
    assert summary.headline.startswith("57 of 2,000 attempts failed (2.9%, 95% CI 2.2")
    assert summary.failures.categories == {"timeout": 57}
    assert summary.run.records is not None
    assert summary.run.records.time == "time"
    assert summary.run.started == "2026-11-30T00:53:20.000Z"


def test_lines_that_make_no_sense_for_records_are_left_out(table: Table, found: Found) -> None:
    summary = found(table(HEADER, telemetry()))
    lines = summary.lines

    assert (lines.who, lines.prove, lines.what, lines.fix) == ("", "", "", "")
    assert (summary.commands, summary.chains, summary.addresses, summary.latency) == (
        (),
        (),
        (),
        {},
    )
    assert summary.causes[0].likely == ()
    every = f"{lines.verdict} {lines.where} {lines.asked} {lines.whence} {lines.valid}"
    assert not {"handshake", "TLS", "certificate", "SNI", "chain"} & set(every.split())


def test_json_lines_and_parquet_say_the_same(table: Table, found: Found, tmp_path: Path) -> None:
    from importlib import import_module  # noqa: PLC0415 - only here

    names, rows = HEADER.split(","), telemetry()
    lines = tmp_path / "r.jsonl"
    lines.write_text("\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in rows))
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    columns["time"] = tuple(datetime.fromtimestamp(START + n, UTC) for n in range(len(rows)))
    parquet = tmp_path / "r.parquet"
    made = import_module("pyarrow").table({name: list(each) for name, each in columns.items()})
    import_module("pyarrow.parquet").write_table(made, parquet)

    expected = found(table(HEADER, rows))

    for path in (lines, parquet):
        summary = found(path)
        assert summary.causes == expected.causes
        assert summary.failures == expected.failures
        assert summary.run.started == expected.run.started


def test_a_column_that_only_later_failed_rows_have(found: Found, tmp_path: Path) -> None:
    rows = [{"time": START + n, "carrier": f"c{n % 5}"} for n in range(45_000)]
    for row in rows[30_002::70]:
        row["error"] = "late"
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))

    summary = found(path, failed="error != empty")

    assert ("carrier", "c2") in places(summary)
    with pytest.raises(UsageError, match='--failed: there is no column "eror"'):
        found(path, failed="eror != empty")


def test_rows_that_stand_for_many_count_for_many(table: Table, found: Found) -> None:
    counted: dict[tuple[object, ...], int] = {}
    for row in telemetry(6_000):
        key = (row[0] // 60 * 60, *row[1:])  # type: ignore[operator]  # a number
        counted[key] = counted.get(key, 0) + 1
    rows = [(*key, count) for key, count in counted.items()]

    summary = found(table(f"{HEADER},n", rows), count="n")
    single = found(table(HEADER, telemetry(6_000), "single.csv"))

    assert (summary.attempts, summary.failures.count) == (6_000, single.failures.count)
    assert places(summary) == CAUSE
    assert (summary.causes[0].failures, summary.causes[0].attempts) == (
        single.causes[0].failures,
        single.causes[0].attempts,
    )


def test_several_files_are_one_with_the_dimension_source(table: Table, found: Found) -> None:
    good = table(HEADER, telemetry(error=lambda _row: ""), "a.csv")
    bad = table(HEADER, telemetry(error=lambda row: "x" if row % 11 == 0 else ""), "b.csv")

    summary = found(good, bad)

    assert places(summary) == [("source", "b.csv")]
    assert summary.attempts == 4_000


def test_chosen_dimensions_are_the_only_ones(table: Table, found: Found) -> None:
    summary = found(table(HEADER, telemetry()), dimensions=("region",))

    assert places(summary) == []
    assert summary.unexplained.failures == 57
    assert "Searched: region." in summary.lines.asked


def test_columns_that_are_no_dimension_are_named(table: Table, found: Found) -> None:
    rows = [[*row, f"id{n}", n / 7, "same"] for n, row in enumerate(telemetry())]

    summary = found(table(f"{HEADER},id,took,version", rows))

    assert summary.run.records is not None
    assert summary.run.records.left_out == {
        "id": "2,000 values",
        "took": "a number of 2,000 values; --dimension cuts it into ranges",
        "version": "one value",
    }
    assert places(summary) == CAUSE


def test_a_requested_number_is_searched_in_ranges(table: Table, found: Found) -> None:
    rows = telemetry(error=lambda row: "x" if row * 37 % 101 > 87 and row % 7 else "")
    rows = [[*row, n * 37 % 101] for n, row in enumerate(rows)]

    summary = found(table(f"{HEADER},size", rows), dimensions=("size", "region"))

    assert places(summary)[0] == ("size", ("88", "100"))


def test_kinds_of_failures_are_told_apart_up_to_a_few(table: Table, found: Found) -> None:
    by_status = telemetry(error=lambda row: 503 if row % 40 == 0 else 502 if row % 50 == 1 else 200)
    many = telemetry(error=lambda row: f"error {row}" if row % 20 == 0 else "")

    assert found(table(HEADER, by_status), failed="error >= 500").failures.categories == {
        "503": 50,
        "502": 40,
    }
    assert found(table(HEADER, many, "m.csv")).failures.categories == {"failed": 100}
    assert found(
        table(HEADER, telemetry(), "t.csv"), failed="error = timeout"
    ).failures.categories == {"failed": 57}


def test_words_that_mean_something_else_in_a_run_are_failures_here(
    table: Table, found: Found
) -> None:
    words = {0: "cancelled", 1: "not-sent", 2: "ok"}
    rows = telemetry(error=lambda row: words.get(row % 100, ""))

    summary = found(table(HEADER, rows))

    assert summary.failures.count == 60
    assert (summary.ours, summary.not_sent) == (0, 0)
    assert set(summary.failures.categories) == {
        *("failed: cancelled", "failed: not-sent", "failed: ok"),
    }


def test_columns_named_like_our_own_dimensions_are_only_columns(table: Table, found: Found) -> None:
    rows = [
        [row[0], "prod" if n % 5 == 2 else "dev", n % 4, *row[2:]]
        for n, row in enumerate(telemetry())
    ]

    summary = found(table("ts,stage,rate,region,error", rows))

    assert places(summary) == [("stage (column)", "prod")]


def test_without_times_the_report_says_what_it_cannot_tell(table: Table, found: Found) -> None:
    rows = [row[1:] for row in telemetry()]

    summary = found(table("carrier,region,error", rows))

    assert places(summary) == CAUSE
    assert summary.causes[0].grade == "suggested"
    assert "a burst cannot be told from a steady rate" in summary.lines.valid
    assert summary.lines.whence == "2,000 rows without times."


def test_how_times_were_read_is_said(table: Table, found: Found) -> None:
    local = telemetry(
        time=lambda row: f"2026-11-30 {row // 3600:02}:{row // 60 % 60:02}:{row % 60:02}"
    )

    assert "Times are Unix seconds." in found(table(HEADER, telemetry())).lines.asked
    assert (
        "Times without a zone were read as UTC." in found(table(HEADER, local, "l.csv")).lines.asked
    )


@pytest.mark.parametrize("seconds_apart", [0.01, 1, 60, 3_600])
def test_however_sparse_the_rows_are_the_cause_is_found(
    seconds_apart: float, table: Table, found: Found
) -> None:
    rows = telemetry(600, time=lambda row: START + row * seconds_apart)

    assert places(found(table(HEADER, rows))) == CAUSE


def test_a_burst_is_no_cause_of_whoever_had_the_turn(table: Table, found: Found) -> None:
    rows = telemetry(
        20_000,
        time=lambda row: START + row / 100,
        carrier=lambda row: f"c{row // 100 % 4}",
        error=lambda row: "x" if 5_010 <= row < 5_040 else "",
    )

    assert ("carrier", "c2") not in places(found(table(HEADER, rows)))


def test_latencies_are_shown(table: Table, found: Found) -> None:
    rows = [[*row, 10 + n % 5] for n, row in enumerate(telemetry())]

    summary = found(table(f"{HEADER},took_ms", rows), latency="took_ms")

    assert list(summary.latency) == ["total", "failing-total"]
    assert summary.latency["total"].p50 == pytest.approx(12_000, rel=0.01)
    assert "took_ms" not in summary.lines.where


def test_the_order_of_rows_changes_no_cause(table: Table, found: Found) -> None:
    rows = telemetry()

    assert found(table(HEADER, rows[::-1], "b.csv")).causes == found(table(HEADER, rows)).causes


@pytest.mark.parametrize(
    ("choice", "message", "hint"),
    [
        ({"failed": None}, "which rows failed", "The columns are: time, carrier"),
        ({"failed": "eror != empty"}, 'no column "eror"', 'Did you mean "error"'),
        ({"time": "tme"}, '--time: there is no column "tme"', 'Did you mean "time"'),
        ({"dimensions": ("carier",)}, '--dimension: there is no column "carier"', "carrier"),
        ({"count": "n"}, '--count: there is no column "n"', "The columns are"),
        ({"latency": "took"}, '--latency: there is no column "took"', "The columns are"),
        ({"failed": "error = nope"}, "no row failed: none of 2,000 has", "(empty)"),
        ({"failed": "carrier != zz"}, "only failed rows: all 2,000", "good rows are needed"),
        ({"time": "carrier"}, "2,000 rows of 2,000 without a time", "ISO 8601"),
        ({"count": "carrier"}, "2,000 with no whole number in carrier", "first rows"),
        ({"failed": "error > 5"}, "no row can be used: 2,000 with no verdict", "first rows"),
    ],
)
def test_what_is_wrong_is_said(
    choice: dict[str, object], message: str, hint: str, table: Table, found: Found
) -> None:
    path = table(HEADER, telemetry())

    with pytest.raises(UsageError) as caught:
        found(path, **choice)

    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


def test_a_few_rows_without_a_time_are_left_out_and_said(table: Table, found: Found) -> None:
    rows = telemetry(time=lambda row: "?" if row == 77 else "" if row == 78 else START + row)

    summary = found(table(HEADER, rows))

    assert summary.attempts == 1_998
    assert summary.validity.reasons == ("2 rows (0.10%) left out: no time",)


def test_a_file_twice_and_a_file_without_rows_are_refused(table: Table, found: Found) -> None:
    path = table(HEADER, telemetry())

    with pytest.raises(UsageError, match="is named twice"):
        found(path, path)
    with pytest.raises(UsageError, match="has no rows"):
        found(table(HEADER, [], "empty.csv"))


def test_a_thousand_columns_are_read_up_to_a_bound(table: Table, found: Found) -> None:
    names = ",".join(f"x{n}" for n in range(1_000))
    rows = [
        [*row, *(n % (3 + k % 7) for k in range(1_000))] for n, row in enumerate(telemetry(300))
    ]

    summary = found(table(f"{HEADER},{names}", rows))

    assert summary.run.records is not None
    assert len(summary.run.records.left_out) <= 100
    assert "only 100 columns are searched" in summary.run.records.left_out.values()
