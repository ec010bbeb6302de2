from __future__ import annotations

import pytest

from stress.text.datetimes import days, instant, span


@pytest.mark.parametrize(
    ("unix", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_790_812_800, "2026-10-01T00:00:00Z"),
        (-62_135_596_800, "0001-01-01T00:00:00Z"),
        (-62_167_219_200, "before the year 1"),
        (300_000_000_000, "after the year 9999"),
    ],
)
def test_moments_are_written_in_utc(unix: int, text: str) -> None:
    assert instant(unix) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (-12, "12 s"), (600, "10 min"), (10_800, "3 h"), (53 * 86_400 + 5, "53 d")],
)
def test_spans_use_their_largest_fitting_unit(seconds: int, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(398 * 86_400, "398 d"), (398 * 86_400 + 1, "399 d"), (0, "0 d")]
)
def test_one_second_more_counts_as_another_day(seconds: int, text: str) -> None:
    assert days(seconds) == text
