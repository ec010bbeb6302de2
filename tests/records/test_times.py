"""Times are read as they were meant, or not at all, and it is said how."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.records.times import Times

MOMENT = datetime(2026, 11, 30, 5, 23, 27, 123_000, tzinfo=UTC)
NS = 1_796_016_207_123_000_000
SECOND = 10**9


def read(text: str) -> tuple[int | None, list[str]]:
    times = Times()
    return times.read(text), list(times.words())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-11-30T05:23:27.123Z", []),
        ("2026-11-30T06:23:27.123+01:00", []),
        ("2026-11-30 00:23:27.123 -0500", []),
        ("2026-11-30 05:23:27,123 UTC", []),
        ("2026-11-30 05:23:27.123 gmt", []),
        ("2026-11-30 05:23:27.123", ["times without a zone were read as UTC"]),
        ("2026/11/30 05:23:27.123", ["times without a zone were read as UTC"]),
        ("1796016207.123", ["times are Unix seconds"]),
        ("1796016207123", ["times are Unix ms"]),
        ("1796016207123000", ["times are Unix us"]),
        ("1796016207123000000", ["times are Unix ns"]),
    ],
)
def test_one_moment_in_many_spellings(text: str, words: list[str]) -> None:
    assert read(text) == (NS, words)


@pytest.mark.parametrize(
    "text",
    [
        "30/Nov/2026:05:23:27 +0000",
        "[30/Nov/2026:06:23:27 +0100]",
        "Mon, 30 Nov 2026 05:23:27 GMT",
        "20261130052327",
    ],
)
def test_moments_to_the_second(text: str) -> None:
    assert read(text)[0] == NS - 123_000_000


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-01T00:00:00Z", "11/30/2026 05:23", "-5", "9e99", "1" * 21, "now"]
)
def test_what_is_no_time_is_none_and_is_remembered(text: str) -> None:
    times = Times()

    assert times.read(text) is None
    assert times.wrong == text[:48]


def test_a_number_in_another_unit_than_those_before_is_wrong() -> None:
    times = Times()

    assert times.read("1796016207123") is not None
    assert times.read("1796016207") is None
    assert times.wrong == "1796016207"


def test_seconds_since_a_start_are_seconds() -> None:
    times = Times()

    assert [times.read(text) for text in ("0", "0.5", "599")] == [0, SECOND // 2, 599 * SECOND]


ZONES = st.sampled_from(["Z", "+00:00", ""])


@given(
    st.lists(st.integers(0, 4_000_000_000_000), min_size=1, max_size=5),
    ZONES,
    st.sampled_from("T "),
)
def test_many_at_once_are_read_as_one_by_one(millis: list[int], zone: str, between: str) -> None:
    moments = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms) for ms in millis]
    texts = [
        f"{at:%Y-%m-%d}{between}{at:%H:%M:%S}.{at.microsecond // 1000:03}{zone}" for at in moments
    ]

    found = Times().read_many(texts)

    assert found is not None
    assert found.tolist() == [Times().read(text) for text in texts] == [n * 10**6 for n in millis]


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [None],
        ["2026-11-30T05:23:27Z", None],
        ["2026-11-30T05:23:27Z", "2026-11-30T05:23:27+01:00"],
        ["2026-11-30T05:23:27Z", "2026-11-30T05:23:2xZ"],
        ["today", "today"],
        ["1969-11-30T05:23:27Z"],
    ],
)
def test_many_that_are_not_alike_are_left_to_the_slow_way(texts: list[str | None]) -> None:
    assert Times().read_many(texts) is None


@given(st.integers(-12 * 60, 12 * 60))
def test_an_offset_is_taken_off(minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))

    assert read(MOMENT.astimezone(zone).isoformat())[0] == NS
