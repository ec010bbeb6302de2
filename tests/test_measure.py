"""Histograms hold what HdrHistogram itself would have counted; its own reader opens the logs."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from hypothesis import given, settings
from hypothesis import strategies as st

from stress.measure import DIGITS, HIGHEST_US, LOWEST_US, Histogram, HistogramLog

PERCENTS = [0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 100.0]

durations = st.lists(
    st.one_of(
        st.integers(0, HIGHEST_US * 1000),
        st.integers(0, 5_000_000),
        st.sampled_from([0, 499, 500, 999, 1000, 2_047_499, 2_047_500, 2_048_000, 4_096_000]),
    ),
    max_size=60,
)


def reference(durations_ns: list[int]) -> Any:
    """The library's own histogram of the same values."""
    histogram = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
    for ns in durations_ns:
        assert histogram.record_value((ns + 500) // 1000)
    return histogram


def histogram_of(durations_ns: list[int]) -> Histogram:
    histogram = Histogram()
    histogram.record_many(durations_ns)
    return histogram


@pytest.mark.slow
@given(durations)
def test_encoding_is_byte_for_byte_what_the_library_would_have_written(values: list[int]) -> None:
    assert histogram_of(values).encode() == reference(values).encode()


@given(durations)
def test_recording_one_by_one_or_in_bulk_is_the_same(values: list[int]) -> None:
    single = Histogram()
    for value in values:
        single.record(value)

    assert single.encode() == histogram_of(values).encode()
    assert single.count == len(values)


@pytest.mark.slow
@settings(max_examples=25)
@given(durations.filter(bool))
def test_answers_are_those_of_the_library(values: list[int]) -> None:
    ours, theirs = histogram_of(values), reference(values)

    expected = theirs.get_percentile_to_value_dict(PERCENTS)
    assert ours.percentiles(PERCENTS) == [expected[percent] for percent in PERCENTS]
    assert ours.max == theirs.get_max_value()


@pytest.mark.slow
@given(durations)
def test_what_was_encoded_is_decoded_again(values: list[int]) -> None:
    histogram = histogram_of(values)
    again = Histogram.decode(histogram.encode(), clamped=7)

    assert list(again.bins()) == list(histogram.bins())
    assert (again.count, again.max, again.clamped) == (len(values), histogram.max, 7)


@pytest.mark.slow
@given(durations)
def test_what_was_packed_is_unpacked_again(values: list[int]) -> None:
    histogram = histogram_of([*values, -5_000])
    again = Histogram.unpack(histogram.pack())

    assert again.encode() == histogram.encode()
    assert (again.count, again.clamped) == (len(values) + 1, 1)


@pytest.mark.slow
@given(durations, durations)
def test_merging_is_as_if_all_had_been_recorded_in_one(one: list[int], two: list[int]) -> None:
    merged = histogram_of(one)
    merged.merge(histogram_of(two))

    assert merged.encode() == histogram_of(one + two).encode()
    assert merged.count == len(one) + len(two)


def test_an_empty_histogram_has_no_answers() -> None:
    histogram = Histogram()

    assert (histogram.count, histogram.max) == (0, None)
    assert histogram.percentile(99) is None
    assert list(Histogram.decode(histogram.encode()).bins()) == []


def test_none_is_skipped() -> None:
    histogram = Histogram()
    histogram.record_many([None, 2_000, None])

    assert histogram.count == 1
    assert histogram.percentile(50) == 2.0


def test_questions_may_come_in_any_order_and_twice() -> None:
    histogram = histogram_of([1_000, 2_000, 3_000, 4_000])

    assert histogram.percentiles([100.0, 50.0, 100.0]) == [4.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("duration_ns", "recorded_us"),
    [(-1_000, 0), (HIGHEST_US * 1000 + 500, HIGHEST_US), (10**15, HIGHEST_US)],
)
def test_what_lies_outside_the_range_is_counted_at_its_edge(
    duration_ns: int, recorded_us: int
) -> None:
    histogram = histogram_of([duration_ns, 5_000])

    assert (histogram.count, histogram.clamped) == (2, 1)
    assert any(found.low_us <= recorded_us <= found.high_us for found in histogram.bins())


def test_memory_stays_bounded_with_ever_new_values() -> None:
    histogram = Histogram()
    for start in range(0, 40_000, 500):
        histogram.record_many([value * 1_000_000 for value in range(start, start + 500)])

    assert len(histogram._pending) < 17_000
    assert histogram.count == 40_000


def encoded(settings: tuple[int, int, int], payload: bytes = b"") -> bytes:
    """An encoding with other settings, or with another payload."""
    digits, lowest, highest = settings
    inner = struct.pack(">IIIIQQd", 0x1C849313, len(payload), 0, digits, lowest, highest, 1.0)
    packed = zlib.compress(inner + payload)
    return base64.b64encode(struct.pack(">II", 0x1C849314, len(packed)) + packed)


GOOD = (DIGITS, LOWEST_US, HIGHEST_US)


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"HIST",
        b"not base64!",
        base64.b64encode(b"\x00" * 8),
        base64.b64encode(struct.pack(">II", 0x1C849314, 3) + b"abc"),
        encoded((5, 1, HIGHEST_US)),
        encoded((DIGITS, 1, 1 << 62)),
        encoded(GOOD, b"\x00" * 10_000_000),
        encoded(GOOD)[:-8],
        HdrHistogram(1, 3_600_000_000, 3).encode(),
    ],
)
def test_what_is_no_histogram_of_ours_is_refused(hostile: bytes) -> None:
    with pytest.raises(ValueError, match="HDR histogram"):
        Histogram.decode(hostile)


@pytest.mark.slow
@given(st.binary(max_size=40))
def test_any_payload_is_decoded_or_refused(payload: bytes) -> None:
    try:
        histogram = Histogram.decode(encoded(GOOD, payload))
    except ValueError:
        return
    assert histogram.count == sum(found.count for found in histogram.bins())


# Logs, read back by the library's own reader.

STARTED_NS = 1_700_000_000_250_000_000
SECOND = 1_000_000_000


def test_the_library_reads_tags_times_and_values(tmp_path: Path) -> None:
    path = tmp_path / "run.hlog"
    with path.open("w", encoding="utf-8") as stream:
        log = HistogramLog(stream, started_ns=STARTED_NS)
        log.write("server-ok", histogram_of([1_500_000, 49_631_000]), start_ns=0, length_ns=SECOND)
        log.write("server-failed", histogram_of([7_000]), start_ns=SECOND, length_ns=2 * SECOND)
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
    log.write("lag-ok", histogram_of([1_500_000]), start_ns=0, length_ns=SECOND)

    assert stream.getvalue().splitlines()[-1].startswith("Tag=lag-ok,0.000,1.000,1.500,HISTFAAAA")


def test_the_header_names_the_format_and_the_start() -> None:
    stream = io.StringIO()
    HistogramLog(stream, started_ns=STARTED_NS)

    assert stream.getvalue().splitlines() == [
        "#[Histogram log format version 1.3]",
        "#[BaseTime: 1700000000.250 (seconds since epoch)]",
        "#[StartTime: 1700000000.250 (seconds since epoch), 2023-11-14T22:13:20+00:00]",
        "#[Values are microseconds, Interval_Max is milliseconds]",
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ]


@pytest.mark.parametrize("tag", ["", "a,b", "a b", "a\nb"])
def test_a_tag_that_could_not_be_read_back_is_refused(tag: str) -> None:
    log = HistogramLog(io.StringIO(), started_ns=0)

    with pytest.raises(ValueError, match="comma"):
        log.write(tag, Histogram(), start_ns=0, length_ns=SECOND)
