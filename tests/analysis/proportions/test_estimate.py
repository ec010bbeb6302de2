from collections.abc import Callable

import pytest

from stress.analysis.proportions.estimate import (
    BlockCounts,
    block_counts,
    closed_prefix,
    episodes,
    estimate,
)
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
    assert found.worth.effect > 10
    assert found.episodes is not None
    assert found.episodes.count == 1
    assert found.too_few == 1


def test_what_was_cut_off_does_not_hide_the_slow_failures(cell: Callable[..., Cell]) -> None:
    """Timeouts take ten seconds: those due in the last ten are all among the cancelled."""
    cells = [cell(90, block=block) for block in range(30)]
    slow = [cell(10, block=b, outcome="timeout-handshake") for b in range(20)]
    cut = [cell(10, block=block, outcome="cancelled") for block in range(20, 30)]
    found = estimate(Cube(SECOND, (*cells, *slow, *cut)), End.INTERRUPTED)

    assert (found.failures, found.attempts) == (200, 2000)
    assert found.interval.low < 0.1 < found.interval.high


def test_with_many_unresolved_attempts_the_interval_covers_every_way_they_could_end(
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


def test_a_cube_is_counted_by_block(cell: Callable[..., Cell]) -> None:
    line = block_counts(
        [cell(5), cell(2, block=2, outcome="reset"), cell(9, block=3, outcome="cancelled")], SECOND
    )

    assert line.attempts == (5, 0, 2)
    assert line.failures == (0, 0, 2)


def test_the_prefix_ends_where_something_was_cut_off(cell: Callable[..., Cell]) -> None:
    assert closed_prefix([cell(5), cell(1, block=7, outcome="cancelled")]) == 7
    assert closed_prefix([cell(5), cell(0, block=7, outcome="cancelled")]) is None


def test_episodes_are_separated_by_quiet() -> None:
    failures = [0] * 60
    for block in (10, 11, 14, 30):
        failures[block] = 5
    found = episodes(BlockCounts((10,) * 60, tuple(failures), SECOND))

    assert (found.count, found.longest_s, found.outside) == (2, 5.0, 540)
    assert episodes(BlockCounts((10,), (0,), SECOND)).count == 0
