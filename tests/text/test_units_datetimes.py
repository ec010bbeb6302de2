from __future__ import annotations

from contextlib import suppress
from datetime import datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stress.errors import UsageError
from stress.text.units import days, instant, moment, span

NOW = 1_790_000_000
DECEMBER = 1_796_083_200  # 2026-12-01T00:00:00Z


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


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-12-01", DECEMBER),
        ("2026-12-01T00:00:00Z", DECEMBER),
        ("2026-12-01t00:00:00z", DECEMBER),
        ("2026-12-01 01:00:00+01:00", DECEMBER),
        ("2026-12-01T00:00:00.500Z", DECEMBER),
        ("2026-12-01T00:00", DECEMBER),
        (str(DECEMBER), DECEMBER),
        ("+30d", NOW + 30 * 86_400),
        ("-1h", NOW - 3600),
        ("+2000d", NOW + 2000 * 86_400),
        ("+0s", NOW),
    ],
)
def test_a_point_in_time_is_read_as_people_write_it(text: str, seconds: int) -> None:
    assert moment(text, NOW) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow",
        "2026-13-01",
        "2026-02-30",
        "20261201",
        "+",
        "+soon",
        "",
        "0000-01-01",
        "-365d1h",
        "+9000000d",
    ],
)
def test_what_is_no_point_in_time_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        moment(text, 86_400)

    assert "+30d" in str(caught.value.hint)


@given(st.text())
def test_any_text_is_a_point_in_time_or_refused(text: str) -> None:
    with suppress(UsageError):
        assert moment(text, NOW) >= 0


@pytest.mark.slow
@given(st.datetimes(min_value=datetime(1970, 1, 2), timezones=st.timezones()))  # noqa: DTZ001 - hypothesis adds the zone
def test_rfc_3339_is_read_to_the_second(value: datetime) -> None:
    whole = value.replace(microsecond=0, second=0)
    offset = whole.utcoffset()
    assume(offset is not None and not offset.seconds % 60)  # RFC 3339 has no seconds in an offset

    assert moment(whole.isoformat(), NOW) == int(whole.timestamp())
