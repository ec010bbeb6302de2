"""How far away what answers is, by the modes of the time to connect."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from stress.analysis.causes.causes import explain
from stress.analysis.recording import modes
from stress.analysis.recording import record as read
from stress.analysis.tally import count
from stress.model.claims import Claim, FailureCount
from stress.model.record import Flag, Record
from stress.model.run import Cell, Run
from tests.analysis.conftest import BEGUN, SECOND


def around(*peaks: tuple[float, int], spread: float = 0.06) -> NDArray[np.float64]:
    """Times in microseconds, log-normal about each peak (milliseconds, how many)."""
    random = np.random.default_rng(7)
    parts = [random.lognormal(np.log(at * 1e3), spread, many) for at, many in peaks]
    return np.concatenate(parts)


@pytest.mark.parametrize(
    ("peaks", "spread", "found"),
    [
        ([(10, 500), (40, 100)], 0.06, 2),
        ([(10, 300), (20, 300), (80, 300)], 0.06, 3),
        ([(10, 600)], 0.3, 1),
        ([(10, 600)], 0.8, 1),  # a long tail is no second mode
        ([(10, 500), (12, 500)], 0.15, 1),  # they overlap
        ([(0.05, 500), (0.5, 500)], 0.06, 1),  # both are at our own door
        ([(10, 500), (40, 8)], 0.06, 1),  # a few stragglers
        ([(10, 500), (1000, 100)], 0.06, 1),  # a SYN was sent again
    ],
)
def test_peaks_that_stand_apart_are_modes(
    peaks: Sequence[tuple[float, int]], spread: float, found: int
) -> None:
    took = around(*peaks, spread=spread)

    codes, values = modes(took)

    assert len(values) == found
    assert len(codes) == len(took)
    if found > 1:
        right = np.repeat(np.arange(found), [many for _, many in peaks])
        assert np.mean(codes == right) > 0.99


def test_too_few_times_have_no_modes() -> None:
    codes, values = modes(around((10, 40), (40, 40)))

    assert values == ()
    assert set(codes.tolist()) == {-1}
    assert modes(np.full(500, np.nan))[1] == ()


def claims(
    make: Callable[..., Record],
    cell: Callable[..., Cell],
    recorded: Callable[..., Run],
    fails: Callable[[int, bool], bool],
    **far_ones: object,
) -> tuple[Claim, ...]:
    """A run of 600 in which every third connection opens after 40 ms instead of 10."""
    took = {far: around(((40.0 if far else 10.0), 600)) for far in (True, False)}
    records = []
    for number in range(600):
        far, at = number % 3 == 0, BEGUN + number * SECOND // 30
        outcome = "reset" if fails(number, far) else "ok"
        times = {"connect_ns": int(took[far][number] * 1e3), "due_ns": at, "started_ns": at}
        records.append(make(number, outcome=outcome, **times, **(far_ones if far else {})))
    cells = [cell(1, block=(one.due_ns - BEGUN) // SECOND, outcome=one.outcome) for one in records]
    run = recorded(cells, records=records)
    return explain(read(run), count(cells)).failing


def test_failures_at_one_distance_suggest_what_is_there(
    record: Callable[..., Record], cell: Callable[..., Cell], recorded: Callable[..., Run]
) -> None:
    (claim,) = claims(record, cell, recorded, lambda number, far: far and number % 2 == 0)

    (condition,) = claim.conditions
    assert (condition.dimension, condition.text) == ("connect_mode", "about 39 ms")
    assert (claim.inside.failures, claim.inside.attempts) == (100, 200)
    assert claim.elsewhere == FailureCount(0, 400)
    assert claim.grade == "suggested"


def test_failures_at_any_distance_suggest_nothing(
    record: Callable[..., Record], cell: Callable[..., Cell], recorded: Callable[..., Run]
) -> None:
    assert claims(record, cell, recorded, lambda number, _: number % 7 == 0) == ()


@pytest.mark.parametrize("ours", [{"flags": Flag.LOCAL_PRESSURE}, {"tcp_retransmits": 1}])
def test_what_is_our_lag_or_a_lost_packet_is_no_distance(
    record: Callable[..., Record],
    cell: Callable[..., Cell],
    recorded: Callable[..., Run],
    ours: dict[str, int],
) -> None:
    found = claims(record, cell, recorded, lambda number, far: far and number % 2 == 0, **ours)

    assert found == ()
