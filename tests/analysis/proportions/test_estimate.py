from collections.abc import Callable

import pytest

from stress.analysis.proportions.estimate import BlockCounts, estimate
from stress.model.run import Cell, Cube, End

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("end", "method"),
    [
        (End.COMPLETED, "exact"),
        (End.STOPPED, "anytime"),
        (End.INTERRUPTED, "anytime"),
        (End.UNFINISHED, "anytime"),
    ],
)
def test_the_end_decides_the_interval(cell: Callable[..., Cell], end: End, method: str) -> None:
    found = estimate(Cube(SECOND, (cell(990), cell(10, outcome="reset"))), end)

    assert found.interval.method == method
    assert found.interval.low < 0.01 < found.interval.high


def test_clustered_failures_widen_it(cell: Callable[..., Cell]) -> None:
    cells = [cell(100, block=block) for block in range(60)]
    found = estimate(Cube(SECOND, (*cells, cell(80, block=30, outcome="reset"))), End.COMPLETED)

    assert found.interval.method == "blocks"
    assert found.effect > 10
    assert found.episodes is not None
    assert found.episodes.count == 1


def test_what_was_cut_off_does_not_hide_the_slow_failures(cell: Callable[..., Cell]) -> None:
    """Timeouts take ten seconds: those due in the last ten are all among the cancelled."""
    cells = [cell(90, block=block) for block in range(30)]
    slow = [cell(10, block=b, outcome="timeout-handshake") for b in range(20)]
    cut = [cell(10, block=block, outcome="cancelled") for block in range(20, 30)]
    found = estimate(Cube(SECOND, (*cells, *slow, *cut)), End.INTERRUPTED)

    assert (found.failures, found.attempts) == (200, 2000)
    assert found.interval.low < 0.1 < found.interval.high


def test_where_too_little_is_resolved_the_interval_holds_whatever_became_of_the_rest(
    cell: Callable[..., Cell],
) -> None:
    """Half of the servers are silent: what answered is good, what was cut off would have failed."""
    cells = (cell(41), cell(41, outcome="cancelled"))

    found = estimate(Cube(SECOND, cells), End.INTERRUPTED)

    assert (found.failures, found.attempts, found.unresolved) == (0, 0, 41)
    assert found.interval.low == 0.0
    assert found.interval.high > 0.5


def test_a_run_that_died_claims_nothing_for_what_left_no_record(cell: Callable[..., Cell]) -> None:
    found = estimate(Cube(SECOND, (cell(40),)), End.UNFINISHED, unrecorded=40)

    assert (found.attempts, found.unresolved) == (0, 40)
    assert found.interval.high > 0.5


def test_nothing_is_estimated_from_nothing() -> None:
    found = estimate(Cube(SECOND, ()), End.COMPLETED)

    assert (found.interval.low, found.interval.high) == (0.0, 1.0)


def test_clean_time_counts_from_the_last_failure() -> None:
    assert BlockCounts((5,) * 10, (0, 0, 1, 0, 0, 0, 0, 0, 0, 0), SECOND).clean_s == 7.0
    assert BlockCounts((5,) * 10, (0,) * 10, SECOND).clean_s == 10.0
