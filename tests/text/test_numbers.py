import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.model.summary import Interval
from stress.text.numbers import (
    clock,
    counted,
    interval,
    milliseconds,
    of,
    offered,
    percent,
    percent_up,
    seconds,
    some,
    thousands,
)
from stress.text.numbers import rate as per_second


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0%"),
        (0.0049, "0.49%"),
        (0.00005, "0.0050%"),
        (0.125, "12.5%"),
        (0.9951, "99.51%"),
        (0.0000023, "0.00023%"),
        (0.034, "3.4%"),
        (0.201, "20.1%"),
        (0.1295, "13.0%"),
        (0.29, "29%"),
        (0.2, "20%"),
        (0.9997, "99.970%"),
        (1.0, "100%"),
        (1e-9, "1.0e-07%"),
    ],
)
def test_shares_have_digits_that_mean_something(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.002991, "0.3%"),
        (0.0001498, "0.015%"),
        (1.0, "100%"),
        (0.0, "0%"),
        (0.95, "95%"),
        (0.0300, "3%"),
    ],
)
def test_bounds_are_rounded_up(share: float, text: str) -> None:
    assert percent_up(share) == text


@given(st.floats(0.0, 1.0))
def test_any_share_can_be_said(share: float) -> None:
    assert percent(share).endswith("%")
    assert percent_up(share).endswith("%")


def test_counts_and_intervals() -> None:
    assert thousands(20_000) == "20,000"
    assert of(515, 2558) == "515 of 2,558 (20.1%)"
    assert counted(1, "attempt") == "1 attempt"
    assert counted(1000, "attempt") == "1,000 attempts"
    assert of(0, 0) == "0 of 0 (0%)"
    assert interval(Interval(0.95, 0.00398, 0.00597, "exact")) == "0.40\u20130.60%"
    assert interval(Interval(0.95, 0.016, 0.999999, "blocks")) == "1.6\u2013100%"
    assert interval(Interval(0.95, 0.99992, 0.99995, "exact")) == "99.9920\u2013100%"
    assert interval(Interval(0.95, 0.5, 0.9985, "exact")) == "50\u201399.85%"


@pytest.mark.parametrize(
    ("duration", "text"),
    [(0.25, "250 ms"), (3.21, "3.2 s"), (41.2, "41 s"), (900.0, "15 min"), (36_000.0, "10.0 h")],
)
def test_durations_come_in_their_unit(duration: float, text: str) -> None:
    assert seconds(duration) == text


@pytest.mark.parametrize(
    ("microseconds", "shown"),
    [
        (None, "-"),
        (0.0, "0.000"),
        (412.0, "0.412"),
        (2_100.0, "2.10"),
        (15_040.0, "15.0"),
        (130_000.0, "130"),
        (12_345_678.0, "12,346"),
    ],
)
def test_durations_show_about_three_digits(microseconds: float | None, shown: str) -> None:
    assert milliseconds(microseconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-3.0, "0 s"), (9.4, "9 s"), (59.6, "1:00"), (65.0, "1:05"), (7384.0, "2:03:04")],
)
def test_time_spans_read_like_a_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


@pytest.mark.parametrize(
    ("rate", "shown"), [(812.4, "812/s"), (0.52, "0.5/s"), (12_345, "12,345/s")]
)
def test_rates_are_events_a_second(rate: float, shown: str) -> None:
    assert per_second(rate) == shown


@pytest.mark.parametrize(
    ("load", "text"),
    [(10.0, "10"), (10.3, "10.3"), (0.75, "0.75"), (99.4, "99.4"), (1_234.6, "1,235")],
)
def test_no_two_small_loads_look_alike(load: float, text: str) -> None:
    assert offered(load) == text


def test_of_several_names_the_first_are_written_and_the_others_counted() -> None:
    assert some(["a", "b"], 2) == "a, b"
    assert some(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert some([], 2) == ""
