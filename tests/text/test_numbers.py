import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.model.summary import Interval
from stress.text.numbers import counted, of, percent, percent_up, seconds, span, thousands


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.0049, "0.49 %"),
        (0.00005, "0.0050 %"),
        (0.034, "3.4 %"),
        (0.201, "20.1 %"),
        (0.2, "20 %"),
        (0.9997, "99.970 %"),
        (1.0, "100 %"),
        (1e-9, "0.000000 %"),
    ],
)
def test_shares_have_digits_that_mean_something(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.002991, "0.3 %"),
        (0.0001498, "0.015 %"),
        (1.0, "100 %"),
        (0.0, "0 %"),
        (0.95, "95 %"),
        (0.0300, "3 %"),
    ],
)
def test_bounds_are_rounded_up(share: float, text: str) -> None:
    assert percent_up(share) == text


@given(st.floats(0.0, 1.0))
def test_any_share_can_be_said(share: float) -> None:
    assert percent(share).endswith(" %")
    assert percent_up(share).endswith(" %")


def test_counts_and_intervals() -> None:
    assert thousands(20_000) == "20,000"
    assert of(515, 2558) == "515 of 2,558 (20.1 %)"
    assert counted(1, "attempt") == "1 attempt"
    assert counted(1000, "attempt") == "1,000 attempts"
    assert of(0, 0) == "0 of 0 (0 %)"
    assert span(Interval(0.95, 0.00398, 0.00597, "exact")) == "0.40\u20130.60 %"


@pytest.mark.parametrize(
    ("duration", "text"),
    [(0.25, "250 ms"), (3.21, "3.2 s"), (41.2, "41 s"), (900.0, "15 min"), (36_000.0, "10.0 h")],
)
def test_durations_come_in_their_unit(duration: float, text: str) -> None:
    assert seconds(duration) == text
