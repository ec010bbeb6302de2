"""Latencies in the unit that the column names."""

from __future__ import annotations

import numpy as np
import pytest

from stress.errors import UsageError
from stress.measure import Histogram
from stress.records.columns import Latencies


@pytest.mark.parametrize(
    ("given", "column", "unit"),
    [
        ("latency_ms", "latency_ms", "ms"),
        ("took", "took", "ms"),
        ("durationNanos", "durationNanos", "ns"),
        ("rtt_us", "rtt_us", "us"),
        ("elapsed_seconds", "elapsed_seconds", "s"),
        ("took=s", "took", "s"),
        ("a=b", "a=b", "ms"),
    ],
)
def test_the_unit_comes_from_the_name_or_is_given(given: str, column: str, unit: str) -> None:
    found = Latencies(given, ["latency_ms", "took", "durationNanos", "rtt_us", "a=b"])

    assert (found.column, found.unit) == (column, unit)
    assert list(found.words()) == [f"{column} was read as {unit}"]


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(UsageError, match="no unit parsec"):
        Latencies("took=parsec", ["took"])


def test_good_and_failed_rows_are_counted_apart_and_nonsense_is_counted() -> None:
    found = Latencies("took_ms", ["took_ms"])

    found.add(["10", "20", None, "x", "-1", "3000", "7"], np.asarray([0, 0, 0, 0, 0, 1, -1]))

    good, failed = (Histogram.decode(row.hdr, row.clamped) for row in found.histograms())
    assert (good.count, failed.count) == (2, 1)
    assert failed.percentile(50.0) == pytest.approx(3_000_000, rel=0.01)
    assert list(found.words())[1] == "3 rows have no latency"


@pytest.mark.parametrize("text", [None, "x", "-3", "1e300"])
def test_without_any_latency_of_a_good_row_nothing_can_be_said(text: str | None) -> None:
    found = Latencies("took_ms", ["took_ms"])
    found.add([text, "5"], np.asarray([0, 1]))

    with pytest.raises(UsageError, match='can be read in "took_ms"'):
        found.by_row()


def test_each_good_row_keeps_its_latency_to_a_250th_of_them() -> None:
    found = Latencies("took_ms", ["took_ms"])
    texts = [f"{number * 37 % 1_000}" for number in range(1_000)]
    found.add(texts, np.asarray([number % 10 == 3 for number in range(1_000)], np.int64))
    column = found.by_row()
    values = ["0", *column.values]
    kept = [int(values[code]) for code in column.codes]

    for number, (text, took_ns) in enumerate(zip(texts, kept, strict=True)):
        if number % 10 == 3:
            assert took_ns == 0
        else:
            assert abs(took_ns / 1e6 - float(text)) <= 5.0
