from __future__ import annotations

from dataclasses import replace
from itertools import chain, islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.engine.worker.pacing import (
    SECOND,
    even_points,
    part_of,
    points_of,
    shape,
    start_times,
    starts_in,
    time_of,
)
from stress.model.plan import Arrivals, Load, Segment

SEGMENTS = st.builds(
    Segment,
    rate=st.floats(0.5, 5_000),
    seconds=st.floats(0.1, 100),
    to=st.one_of(st.none(), st.floats(0.5, 5_000)),
)


def starts(load: Load, workers: int = 1, seed: int = 1) -> list[int]:
    """The starts of all workers together, in nanoseconds."""
    load = replace(load, processes=workers)
    dealt = (
        start_times(shape(load), points_of(load, worker, seed=seed)) for worker in range(workers)
    )
    return sorted(start.offset_ns for start in chain.from_iterable(dealt))


@given(rate=st.floats(1, 5_000), workers=st.integers(1, 8))
def test_the_workers_of_an_even_rate_share_one_raster(rate: float, workers: int) -> None:
    load = Load(rate=rate, duration_s=2.0, arrivals=Arrivals.CONSTANT)

    merged = starts(load, workers)

    assert merged[0] == 0
    assert all(abs(b - a - SECOND / rate) <= 2 for a, b in pairwise(merged))
    assert abs(len(merged) - 2 * rate) <= 1


def test_an_even_raster_does_not_drift_over_ten_million_starts() -> None:
    """The start is computed from its index; a running sum would be off by seconds."""
    points = even_points(0, 1)
    at = next(islice(points, 10_000_000, None))

    assert time_of(Segment(3_333.0, 1e6), at) == pytest.approx(10_000_000 / 3_333, abs=1e-6)


@pytest.mark.parametrize("workers", [1, 2, 7])
@pytest.mark.parametrize("rate", [5.0, 50.0, 333.3, 2_000.0])
def test_random_starts_hold_the_rate_exactly(rate: float, workers: int) -> None:
    """Never above what was asked: a Poisson process of 500/s would be 1.4% off in 10 s."""
    merged = starts(Load(rate=rate, duration_s=10.0), workers)

    assert abs(len(merged) - 10 * rate) <= max(0.01 * 10 * rate, workers)


def test_random_gaps_are_as_wide_as_they_are_spread() -> None:
    """An exponential gap's standard deviation equals its mean; a raster's is 0."""
    merged = starts(Load(rate=1_000, duration_s=20.0))
    gaps = [later - earlier for earlier, later in pairwise(merged)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5

    assert deviation / mean == pytest.approx(1, rel=0.05)


def test_the_same_seed_makes_the_same_starts() -> None:
    load = Load(rate=50.0, duration_s=2.0)

    assert starts(load, 2, seed=3) == starts(load, 2, seed=3)
    assert starts(load, 2, seed=3) != starts(load, 2, seed=4)


@given(segment=SEGMENTS, part=st.floats(0, 1))
def test_reach_undoes_the_integral_of_the_rate(segment: Segment, part: float) -> None:
    at = part * segment.seconds
    last = segment.rate if segment.to is None else segment.to
    count = segment.rate * at + (last - segment.rate) / segment.seconds * at * at / 2

    assert time_of(segment, count) == pytest.approx(at, abs=1e-6, rel=1e-6)


@given(segments=st.lists(SEGMENTS, min_size=1, max_size=4), worker=st.integers(0, 3))
def test_appointments_ascend_and_stay_within_their_segment(
    segments: list[Segment], worker: int
) -> None:
    dealt = list(islice(start_times(segments, even_points(worker, 4)), 3_000))

    edges = [0]
    for segment in segments:
        edges.append(edges[-1] + int(segment.seconds * SECOND))
    assert all(a.offset_ns <= b.offset_ns for a, b in pairwise(dealt))
    for start in dealt:
        assert edges[start.segment] <= start.offset_ns <= edges[start.segment + 1] + 1_000


def test_a_ramp_deals_the_area_under_it() -> None:
    """From 100/s to 300/s in 10 s: 2,000 starts, a quarter and a bit of them in the first half."""
    ramp = Segment(100, 10, to=300)
    load = Load(segments=(ramp,), arrivals=Arrivals.CONSTANT)

    merged = starts(load)

    assert starts_in(ramp) == 2_000
    assert len(merged) == 2_000
    assert sum(at < 5 * SECOND for at in merged) == 750


def test_a_step_and_a_burst_are_segments_in_turn() -> None:
    load = Load(segments=(Segment(10, 1), Segment(1_000, 0.1), Segment(10, 1)))

    dealt = list(start_times(shape(load), even_points(0, 1)))

    assert [sum(start.segment == number for start in dealt) for number in range(3)] == [10, 100, 10]


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (Load(count=100), ()),
        (Load(count=100, rate=50.0), (Segment(50.0, 1e9),)),
        (Load(count=None, duration_s=3.0, rate=5.0), (Segment(5.0, 3.0),)),
        (Load(segments=(Segment(1, 2),), rate=5.0), (Segment(1, 2),)),
    ],
)
def test_the_load_says_its_shape(load: Load, expected: tuple[Segment, ...]) -> None:
    assert shape(load) == expected


@pytest.mark.parametrize(
    ("arrivals", "is_even"), [(Arrivals.CONSTANT, True), (Arrivals.POISSON, False)]
)
def test_the_load_chooses_the_spacing(arrivals: Arrivals, is_even: bool) -> None:
    points = points_of(Load(rate=5.0, arrivals=arrivals), 0, seed=0)

    assert ([*islice(points, 9)] == [*range(9)]) is is_even


@given(total_=st.integers(0, 10_000), workers=st.integers(1, 64))
def test_shares_add_up_and_differ_by_at_most_one(total_: int, workers: int) -> None:
    shares = [part_of(total_, worker, workers) for worker in range(workers)]

    assert sum(shares) == total_
    assert max(shares) - min(shares) <= 1
