from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.errors import UsageError
from stress.text import units

READERS: list[Callable[[str], object]] = [
    units.duration_s,
    units.positive_duration_s,
    units.count,
    units.positive_count,
    units.rate_per_s,
    units.share,
    units.size_bytes,
]


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (units.duration_s, "30s", 30.0),
        (units.duration_s, "10m", 600.0),
        (units.duration_s, "500ms", 0.5),
        (units.duration_s, "1h", 3600.0),
        (units.duration_s, "1h30m", 5400.0),
        (units.duration_s, "1.5h", 5400.0),
        (units.duration_s, "2d", 172_800.0),
        (units.duration_s, "10", 10.0),
        (units.duration_s, " 0.25 ", 0.25),
        (units.duration_s, "0s", 0.0),
        (units.count, "20000", 20_000),
        (units.count, "20,000", 20_000),
        (units.count, "1_000_000", 1_000_000),
        (units.count, "20k", 20_000),
        (units.count, "1.5M", 1_500_000),
        (units.count, "0", 0),
        (units.rate_per_s, "500", 500.0),
        (units.rate_per_s, "500/s", 500.0),
        (units.rate_per_s, "30/m", 0.5),
        (units.rate_per_s, "36/h", 0.01),
        (units.rate_per_s, "2k/s", 2000.0),
        (units.rate_per_s, "none", None),
        (units.share, "0.1%", 0.001),
        (units.share, "0.001", 0.001),
        (units.share, "1/1000", 0.001),
        (units.share, "100%", 1.0),
        (units.size_bytes, "64KiB", 65_536),
        (units.size_bytes, "2MB", 2_000_000),
        (units.size_bytes, "500", 500),
    ],
)
def test_an_amount_is_read_as_people_write_it(
    read: Callable[[str], object], text: str, value: object
) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (units.duration_s, "soon"),
        (units.duration_s, "10 minutes"),
        (units.duration_s, "-5s"),
        (units.duration_s, "10s5"),
        (units.duration_s, "1e9"),
        (units.duration_s, "400d"),
        (units.duration_s, ""),
        (units.positive_duration_s, "0ms"),
        (units.count, "many"),
        (units.count, "-1"),
        (units.count, "1.5"),
        (units.count, "1,00"),
        (units.count, "10q"),
        (units.count, "999999999999999999"),
        (units.positive_count, "0"),
        (units.rate_per_s, "0"),
        (units.rate_per_s, "5/d"),
        (units.rate_per_s, "2000000"),
        (units.rate_per_s, "fast"),
        (units.share, "101%"),
        (units.share, "1/0"),
        (units.share, "tiny"),
        (units.size_bytes, "1.5"),
        (units.size_bytes, "2TB"),
    ],
)
def test_what_is_no_amount_is_quoted_and_gets_a_hint(
    read: Callable[[str], object], text: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read(text)

    assert f'"{text}"' in caught.value.message
    assert caught.value.hint
    assert len(caught.value.message) <= 100


@given(st.sampled_from(READERS), st.text())
def test_any_text_is_read_or_refused(read: Callable[[str], object], text: str) -> None:
    message = ""
    try:
        read(text)
    except UsageError as error:
        message = error.message

    assert len(message) <= 100


@given(st.integers(0, 366 * 86_400_000))
def test_a_duration_that_is_shown_is_read_back(milliseconds: int) -> None:
    assert units.duration_s(units.show_duration(milliseconds / 1000)) == milliseconds / 1000


@given(st.integers(1, 10**6))
def test_a_rate_that_is_shown_is_read_back(rate: int) -> None:
    assert units.rate_per_s(units.show_rate(float(rate))) == rate
    assert math.isclose(units.rate_per_s(units.show_rate(rate / 60)) or 0, rate / 60, rel_tol=1e-6)


@given(st.floats(0, 1))
def test_a_share_as_a_toml_number_is_the_share_as_text(value: float) -> None:
    assert math.isclose(units.share(units.written(value)), value, abs_tol=1e-9)


@pytest.mark.parametrize(
    ("size", "text"),
    [(999, "999 bytes"), (5_000, "5 kB"), (100_000_000, "100 MB"), (2_500_000_000, "2.5 GB")],
)
def test_a_size_is_rounded_for_people(size: int, text: str) -> None:
    assert units.show_size(size) == text


def test_the_option_is_named_before_what_is_wrong_with_its_value() -> None:
    with pytest.raises(UsageError, match=r'^--timeout: "soon" is not a duration$'):
        units.option("--timeout", units.duration_s, "soon")


def test_an_option_that_was_not_given_is_not_read() -> None:
    assert units.option("--timeout", units.duration_s, None) is None
    assert units.option("--count", units.count, 5) == 5
