from collections.abc import Callable

import numpy as np
import pytest

from stress.analysis.latency import latency_changes
from stress.model.run import HistogramRow, Phase

Make = Callable[..., HistogramRow]


def rows(
    make: Make, random: np.random.Generator, scale: float, slow: float = 0.0
) -> list[HistogramRow]:
    """Twenty blocks; with `slow` some whole blocks are ten times slower."""
    found = []
    for block in range(20):
        factor = 10.0 if random.random() < slow else 1.0
        values = (random.gamma(4.0, 250_000.0 * scale * factor, size=300)).astype(int)
        found.append(make(Phase.SERVER, values.tolist(), block=block))
    return found


def test_a_latency_change_is_found_with_its_size(histogram_row: Make) -> None:
    random = np.random.default_rng(81)
    found = latency_changes(rows(histogram_row, random, 1.0), rows(histogram_row, random, 1.5))
    p50 = next(one for one in found if one.percentile == 50.0)

    assert p50.worse
    assert p50.low_us * 0.9 < 0.5 * 918.0 < p50.high_us * 1.1
    assert "p50 of server" in p50.sentence


@pytest.mark.slow
def test_slow_blocks_are_not_a_latency_change(histogram_row: Make) -> None:
    random = np.random.default_rng(82)
    worse = 0
    for _ in range(12):
        before = rows(histogram_row, random, 1.0, slow=0.1)
        worse += any(
            one.worse for one in latency_changes(before, rows(histogram_row, random, 1.0, slow=0.1))
        )

    assert worse <= 2


def test_too_few_blocks_are_not_compared(histogram_row: Make) -> None:
    few = [histogram_row(Phase.SERVER, [1000] * 5000, block=block) for block in range(4)]
    whole = [histogram_row(Phase.SERVER, [1000] * 5000)]

    assert latency_changes(few, few) == ()
    assert latency_changes(whole, whole) == ()
    assert latency_changes([], []) == ()
