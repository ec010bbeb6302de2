from collections.abc import Callable

import pytest

from stress.analysis.latency import FAILING_TOTAL, NOTHING, latency, merged
from stress.model.run import HistogramRow, Phase


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


def test_the_uncorrected_is_told_only_where_it_differs(
    histogram_row: Callable[..., HistogramRow],
) -> None:
    total = histogram_row(Phase.TOTAL, [5_000_000] * 9)
    same, other = (histogram_row(Phase.ATTEMPT, [ns] * 9) for ns in (5_000_000, 1_000_000))

    assert "attempt" not in latency([total, same])
    assert "attempt" not in latency([total])
    assert latency([total, other])["attempt"].p50 == pytest.approx(1000, rel=0.01)
