from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from stress.analysis.latency import retries, retry_steps
from stress.measure import Histogram
from stress.model.run import Cell, HistogramRow, Phase, Run
from stress.report.summary import summarize

MILLISECOND = 1_000_000
SECOND = 1000 * MILLISECOND
QUICK = [MILLISECOND] * 1000
AGAIN = [SECOND + 2 * MILLISECOND] * 10 + [3 * SECOND + 100 * MILLISECOND] * 4


def histogram(values_ns: Sequence[int]) -> Histogram:
    counted = Histogram()
    counted.record_many(values_ns)
    return counted


@pytest.mark.parametrize(
    ("values_ns", "steps"),
    [
        (QUICK + AGAIN, {1: 10, 3: 4}),
        ([*QUICK, *AGAIN, *[7 * SECOND] * 3], {1: 10, 3: 4, 7: 3}),
        (QUICK + [2 * SECOND + MILLISECOND] * 5, {2: 5}),
        (QUICK, {}),
        (QUICK + [SECOND] * 2, {}),  # too few to say
        (QUICK + [SECOND + 500 * MILLISECOND] * 50, {}),  # off the steps
        (QUICK + [600 * MILLISECOND + i * 10 * MILLISECOND for i in range(100)], {}),  # a slope
        ([SECOND] * 100, {}),  # a long way is no loss
        ([], {}),
    ],
)
def test_repeated_syns_show_as_steps(values_ns: list[int], steps: dict[int, int]) -> None:
    assert retry_steps(histogram(values_ns)) == steps


def test_without_a_histogram_nothing_is_said() -> None:
    assert retry_steps(None) == {}
    assert retries([]) is None


def test_the_report_says_it_with_what_it_means(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    histogram_row: Callable[..., HistogramRow],
) -> None:
    row = histogram_row(Phase.CONNECT, QUICK + AGAIN)

    summary = summarize(recorded([cell(1014)], histograms=[row]))

    (told,) = [one for one in summary.validity.reasons if "SYN" in one]
    assert "10 after 1 s, 4 after 3 s" in told
    assert summary.validity.valid
