"""Histogram logs, read back by the library's own reader."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from stress.measure import Histogram, HistogramLog

STARTED_NS = 1_700_000_000_250_000_000
SECOND = 1_000_000_000


def histogram_of(*durations_ns: int) -> Histogram:
    histogram = Histogram()
    histogram.record_many(durations_ns)
    return histogram


def test_the_library_reads_tags_times_and_values(tmp_path: Path) -> None:
    path = tmp_path / "run.hlog"
    with path.open("w", encoding="utf-8") as stream:
        log = HistogramLog(stream, started_ns=STARTED_NS)
        log.write("server-ok", histogram_of(1_500_000, 49_631_000), start_ns=0, length_ns=SECOND)
        log.write("server-failed", histogram_of(7_000), start_ns=SECOND, length_ns=2 * SECOND)
    reader = HistogramLogReader(str(path), HdrHistogram(1, 120_000_000, 3))
    first, second, end = (reader.get_next_interval_histogram() for _ in range(3))
    reader.close()

    assert (first.get_tag(), second.get_tag(), end) == ("server-ok", "server-failed", None)
    assert (first.get_total_count(), second.get_total_count()) == (2, 1)
    assert first.get_value_at_percentile(50) == 1500
    assert first.get_start_time_stamp() == pytest.approx(1_700_000_000_250)
    assert second.get_start_time_stamp() == pytest.approx(1_700_000_001_250)
    assert second.get_end_time_stamp() == pytest.approx(1_700_000_003_250)


def test_the_longest_value_is_given_in_milliseconds() -> None:
    stream = io.StringIO()
    log = HistogramLog(stream, started_ns=STARTED_NS)
    log.write("lag-ok", histogram_of(1_500_000), start_ns=0, length_ns=SECOND)

    assert stream.getvalue().splitlines()[-1].startswith("Tag=lag-ok,0.000,1.000,1.500,HISTFAAAA")


def test_the_header_names_the_format_and_the_start() -> None:
    stream = io.StringIO()
    HistogramLog(stream, started_ns=STARTED_NS)

    assert stream.getvalue().splitlines() == [
        "#[Histogram log format version 1.3]",
        "#[BaseTime: 1700000000.250 (seconds since epoch)]",
        "#[StartTime: 1700000000.250 (seconds since epoch), 2023-11-14T22:13:20+00:00]",
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ]


@pytest.mark.parametrize("tag", ["", "a,b", "a b", "a\nb"])
def test_a_tag_that_could_not_be_read_back_is_refused(tag: str) -> None:
    log = HistogramLog(io.StringIO(), started_ns=0)

    with pytest.raises(ValueError, match="no comma"):
        log.write(tag, Histogram(), start_ns=0, length_ns=SECOND)
