from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from stress.analysis.latency import (
    FAILING_TOTAL,
    NOTHING,
    before_tls,
    latency,
    merged,
    retries,
    retry_steps,
)
from stress.measure import Histogram
from stress.model.record import Flag, Record
from stress.model.run import Cell, HistogramRow, Phase, Run
from stress.report.summary import summarize


def test_good_and_failing_attempts_are_apart(histogram_row: Callable[..., HistogramRow]) -> None:
    found = latency(
        [
            histogram_row(Phase.SERVER, [1_000_000] * 99 + [50_000_000]),
            histogram_row(Phase.TOTAL, [10_000_000_000], good=False),
        ]
    )

    assert found["server"].p50 == pytest.approx(1000, rel=0.01)
    assert found["server"].max == pytest.approx(50_000, rel=0.01)
    assert found["connect"] == NOTHING
    assert found["total"] == NOTHING
    assert found[FAILING_TOTAL].p99 == pytest.approx(10_000_000, rel=0.01)


def test_without_a_whole_histogram_the_blocks_are_put_together(
    histogram_row: Callable[..., HistogramRow],
) -> None:
    rows = [histogram_row(Phase.LAG, [1000 * n] * 10, block=n) for n in (1, 2, 3)]

    assert latency(rows)["lag"].p50 == 2.0
    assert FAILING_TOTAL not in latency(rows)


def test_nothing_recorded_is_nothing() -> None:
    assert merged([]) is None
    assert set(latency([]).values()) == {NOTHING}


def test_the_uncorrected_latency_is_shown_only_where_it_differs(
    histogram_row: Callable[..., HistogramRow],
) -> None:
    total = histogram_row(Phase.TOTAL, [5_000_000] * 9)
    same, other = (histogram_row(Phase.ATTEMPT, [ns] * 9) for ns in (5_000_000, 1_000_000))

    assert "attempt" not in latency([total, same])
    assert "attempt" not in latency([total])
    assert latency([total, other])["attempt"].p50 == pytest.approx(1000, rel=0.01)


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


def test_without_a_histogram_there_are_no_retries() -> None:
    assert retry_steps(None) == {}
    assert retries([]) is None


def test_the_report_explains_retries(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    histogram_row: Callable[..., HistogramRow],
) -> None:
    row = histogram_row(Phase.CONNECT, QUICK + AGAIN)

    summary = summarize(recorded([cell(1014)], histograms=[row]))

    (told,) = [one for one in summary.validity.reasons if "SYN" in one]
    assert "10 after 1 s, 4 after 3 s" in told
    assert summary.validity.valid


def test_what_came_before_tls_has_a_line_where_there_was_anything(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    record: Callable[..., Record],
) -> None:
    """Of good attempts after the warm-up; a failure that waited for its go-ahead is none."""
    asked = [record(n, outcome="ok", starttls_ns=n * MILLISECOND) for n in range(1, 100)]
    cold = record(100, outcome="ok", starttls_ns=SECOND, flags=Flag.WARM_UP)
    late = record(101, starttls_ns=9 * SECOND)

    found = summarize(recorded([cell(100)], records=[*asked, cold, late])).latency

    assert found["starttls"].p50 == pytest.approx(50_000, rel=0.01)
    assert found["starttls"].max == pytest.approx(99_000, rel=0.01)
    assert "proxy" not in found
    assert set(before_tls([record(1, outcome="ok", proxy_ns=1)])) == {"proxy"}
    assert before_tls([record(1, outcome="ok")]) == {}
