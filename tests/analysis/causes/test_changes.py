from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import pytest

from stress.analysis.causes.changes import (
    Instant,
    Series,
    lockout,
    onset,
    passed_first,
    period,
    rhythm,
    round_robin,
    series,
    time_profile,
)
from stress.model.claims import Shape

SECOND = 1_000_000_000


def even(*shares: tuple[int, float], attempts: int = 100) -> Series:
    """Blocks with these shares, as (how many blocks, share)."""
    failures = np.concatenate([np.full(count, share * attempts) for count, share in shares])
    return Series(np.full(len(failures), float(attempts)), failures, 1)


@pytest.mark.parametrize(
    ("shares", "shape", "hot"),
    [
        (((60, 0.02),), Shape.CONSTANT, []),
        (((30, 0.0), (30, 0.1)), Shape.BEGAN, [(30, 60)]),
        (((30, 0.1), (30, 0.0)), Shape.ENDED, [(0, 30)]),
        (((30, 0.0), (10, 0.2), (20, 0.0)), Shape.WINDOW, [(30, 40)]),
        (
            ((10, 0.0), (5, 0.3), (30, 0.0), (5, 0.3), (10, 0.0)),
            Shape.BURSTS,
            [(10, 15), (45, 50)],
        ),
        (((40, 1.0),), Shape.CONSTANT, []),
        (((40, 0.0),), Shape.CONSTANT, []),
    ],
)
def test_time_is_cut_where_the_failure_rate_changes(
    shares: tuple[tuple[int, float], ...], shape: Shape, hot: list[tuple[int, int]]
) -> None:
    found = time_profile(even(*shares))

    assert found.shape is shape
    assert [(found.pieces[one].begin, found.pieces[one].end) for one in found.hot] == hot


def test_a_stray_failure_between_two_bursts_does_not_join_them() -> None:
    counted = even((20, 0.0), (5, 0.3), (40, 0.0), (5, 0.3), (20, 0.0))
    counted.failures[40] = 1.0
    found = time_profile(counted)

    assert [(found.pieces[one].begin, found.pieces[one].end) for one in found.hot] == [
        (20, 25),
        (65, 70),
    ]


def test_a_mild_burst_next_to_a_severe_one_is_hot() -> None:
    found = time_profile(even((20, 0.0), (20, 0.02), (20, 0.0), (20, 0.6), (20, 0.0)))

    assert len(found.hot) == 2


@pytest.mark.parametrize("edge", [0.01, 0.05, 0.1])
def test_a_block_cut_in_the_middle_belongs_to_the_window(edge: float) -> None:
    found = time_profile(even((29, 0.0), (1, edge), (10, 0.2), (1, edge), (19, 0.0)))

    assert [found.pieces[one].failures for one in found.hot] == [pytest.approx(200 + 200 * edge)]
    assert found.shape is Shape.WINDOW


def test_bursts_at_equal_distances_have_a_rhythm() -> None:
    burst, quiet = (2, 0.4), (8, 0.0)
    uneven = even(quiet, burst, quiet, burst, (40, 0.0), burst, quiet)

    assert rhythm(time_profile(even(quiet, burst, quiet, burst, quiet, burst, quiet))) == 10.0
    assert rhythm(time_profile(uneven)) is None
    assert rhythm(time_profile(even(quiet, burst, quiet))) is None


@pytest.mark.slow
def test_chance_is_not_cut() -> None:
    random = np.random.default_rng(21)
    cut = 0
    for length in (5, 20, 60, 300) * 25:
        failures = random.binomial(200, 0.01, size=length).astype(float)
        cut += time_profile(Series(np.full(length, 200.0), failures, 1)).shape is not Shape.CONSTANT

    assert cut <= 2


def test_many_blocks_are_joined_to_few() -> None:
    blocks = np.arange(1000, dtype=np.int64)
    counted = series(blocks, np.full(1000, 10), np.where(blocks >= 600, 5, 0))
    found = time_profile(counted)

    assert counted.width == 3
    assert len(counted) == 334
    assert found.shape is Shape.BEGAN
    assert found.pieces[1].begin == 600
    assert found.pieces[1].share == 0.5


def test_no_attempts_have_a_constant_profile() -> None:
    nothing = np.zeros(0, dtype=np.int64)

    assert time_profile(series(nothing, nothing, nothing)).shape is Shape.CONSTANT
    assert onset(series(nothing, nothing, nothing)) is None


def test_the_instant_of_a_change_has_an_interval() -> None:
    assert onset(even((30, 0.0), (30, 0.1))) == Instant(30, 30, 30)
    assert onset(even((1, 0.5))) is None
    assert onset(even((10, 0.0))) is None


@pytest.mark.slow
def test_the_interval_covers_the_instant() -> None:
    random = np.random.default_rng(22)
    covered = 0
    for _ in range(200):
        rates = np.where(np.arange(100) >= 60, 0.02, 0.003)
        found = onset(Series(np.full(100, 100.0), random.binomial(100, rates).astype(float), 1))
        assert found is not None
        covered += found.low <= 60 <= found.high

    assert covered >= 184


@pytest.mark.parametrize("length", [2, 8, 12, 100])
def test_every_nth_connection_is_found(length: int) -> None:
    found = round_robin([length * n + 3 for n in range(40)], 1 / length if length > 2 else 0.49)

    assert found is not None
    assert found.cycle == length


def test_jitter_in_the_order_does_not_hide_it() -> None:
    random = np.random.default_rng(61)
    starts = [8 * n + int(random.integers(0, 2)) for n in range(60)]
    found = round_robin(starts, 0.125)

    assert found is not None
    assert found.cycle
    assert found.cycle % 8 == 0


@pytest.mark.slow
def test_chance_shows_no_cycle() -> None:
    random = np.random.default_rng(62)
    found = [
        round_robin(np.sort(random.choice(20_000, 60, replace=False)).tolist(), 0.003)
        for _ in range(40)
    ]

    assert sum(one is not None for one in found) <= 2


def test_too_few_failures_show_no_cycle() -> None:
    assert round_robin([8, 16, 24], 0.1) is None
    assert round_robin(list(range(50)), 0.9) is None


def test_failures_at_fixed_times_have_a_period() -> None:
    found = period(np.arange(7, 600, 30), 600, SECOND)

    assert found is not None
    assert found.seconds is not None
    ratio = 30.0 / found.seconds
    assert ratio == pytest.approx(round(ratio), abs=0.05)


@pytest.mark.slow
def test_chance_has_no_period() -> None:
    random = np.random.default_rng(63)
    found = 0
    for _ in range(30):
        failing = np.flatnonzero(random.binomial(50, 0.002, size=600))
        found += period(failing, 600, SECOND) is not None

    assert found <= 1
    assert period(np.arange(5), 5, SECOND) is None


def test_a_cycle_of_our_own_workers_is_not_the_balancers() -> None:
    """With two processes every second start is the same worker's."""
    starts = [2 * index for index in range(60)]

    assert round_robin(starts, 0.1, workers=1) is not None
    assert round_robin(starts, 0.1, workers=2) is None


def starts(*seconds: float) -> list[int]:
    return [round(one * 1e9) for one in seconds]


@pytest.mark.parametrize("spacing", [0.02, 0.0005])
def test_from_the_last_good_attempt_on_nothing_gets_through(spacing: float) -> None:
    """Forty of the first fifty succeed, within a second or within a hundredth of it."""
    good = starts(*(place * spacing for place in range(50) if place % 5))
    failed = starts(*(place * spacing for place in range(800) if place >= 50 or not place % 5))
    found = lockout(good, failed, len(failed))

    assert found is not None
    assert (found.since_ns, found.good, found.before, found.after) == (max(good), 40, 50, 750)


@pytest.mark.parametrize(
    ("good", "failed"),
    [
        ([], range(1000)),
        (range(1000), []),
        (range(5), range(5, 10)),
        (range(0, 1000, 50), range(1, 1000, 2)),
        (range(0, 400, 2), range(1, 400, 2)),
    ],
    ids=["all fail", "none fails", "ten attempts", "chance", "half"],
)
def test_otherwise_nobody_is_locked_out(good: Sequence[int], failed: Sequence[int]) -> None:
    assert lockout(starts(*good), starts(*failed), len(failed)) is None


def failing_after(*portions: int) -> list[int]:
    """Start indices of failures: so many attempts pass, then as many fail, and so on in turn."""
    ends = [0, *accumulate(portions)]
    return [one for turn in range(1, len(portions), 2) for one in range(ends[turn], ends[turn + 1])]


@pytest.mark.parametrize(
    ("portions", "attempts", "passed"),
    [
        pytest.param((100, *(1, 2) * 200), 700, 100, id="a bucket that is refilled"),
        pytest.param((100, 700), 800, 100, id="locked out"),
        pytest.param((150, 100, 151, 99, 150, 100), 850, 150, id="a window of ten seconds"),
        pytest.param((90, 60, 150, 100, 149, 100), 750, 90, id="it begins within a window"),
        pytest.param((150, 100, 40, 60, 210, 20), 1_000, 0, id="others reach the limit"),
        pytest.param((40, 268, 1, 12, 5, 130, 23, 521), 1_000, 40, id="refused ones count too"),
        pytest.param((150, 60), 1_000, 0, id="a restart"),
        pytest.param((150, 30, 50, 30, 120, 30), 600, 0, id="several restarts"),
        pytest.param((600, 200), 800, 0, id="late, so at a time"),
        pytest.param((3, 1, 5, 1, 2, 1, 8, 1), 30, 0, id="chance"),
        pytest.param((), 1_000, 0, id="nothing failed"),
    ],
)
def test_a_limit_of_our_load_lets_so_many_pass_at_first_or_in_equal_portions(
    portions: tuple[int, ...], attempts: int, passed: int
) -> None:
    met = failing_after(*portions)

    assert passed_first(met, attempts, len(met)) == passed


def test_what_follows_our_arrivals_is_a_limit_of_our_load() -> None:
    met = failing_after(150, 100, 40, 60, 210, 20)

    assert passed_first(met, 1_000, len(met), follow=True) == 150


def test_of_a_sample_only_the_first_failure_is_known() -> None:
    assert passed_first(range(100, 150), 1_000, 600) == 100
