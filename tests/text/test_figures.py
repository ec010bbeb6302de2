import pytest

from stress.model.summary import Interval
from stress.text import figures


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.0049, "0.49 %"),
        (0.9951, "99.51 %"),
        (0.125, "12.50 %"),
        (0.00015, "0.015 %"),
        (0.0000023, "0.00023 %"),
        (1e-9, "1.0e-07 %"),
        (0.999999, "99.999 %"),
    ],
)
def test_shares_keep_the_digits_that_say_something(share: float, shown: str) -> None:
    assert figures.percent(share) == shown


def test_an_interval_names_its_unit_once() -> None:
    assert figures.interval(Interval(0.95, 0.004, 0.006, "exact")) == "0.40\u20130.60 %"


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
    assert figures.milliseconds(microseconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-3.0, "0 s"), (9.4, "9 s"), (59.6, "1:00"), (65.0, "1:05"), (7384.0, "2:03:04")],
)
def test_time_spans_read_like_a_clock(seconds: float, shown: str) -> None:
    assert figures.clock(seconds) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0 chains"), (1, "1 chain"), (2_000, "2,000 chains")]
)
def test_nouns_agree_with_their_count(number: int, shown: str) -> None:
    assert figures.plural(number, "chain") == shown


@pytest.mark.parametrize(
    ("rate", "shown"), [(812.4, "812/s"), (0.52, "0.5/s"), (12_345, "12,345/s")]
)
def test_rates_are_events_a_second(rate: float, shown: str) -> None:
    assert figures.rate(rate) == shown
