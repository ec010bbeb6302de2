"""The live rate is right though outcomes arrive in batches."""

import pytest

from stress.engine.coordinator import RateMeter

MS = 1_000_000


def metered(batches: list[tuple[int, int]], now_ms: int) -> float:
    meter = RateMeter()
    for at_ms, ended in batches:
        meter.add(at_ms * MS, ended)
    return meter.rate(now_ms * MS)


@pytest.mark.parametrize("every_ms", [50, 200, 700])
@pytest.mark.parametrize("late_ms", [0, 150, 650])
def test_it_does_not_depend_on_when_a_batch_comes(every_ms: int, late_ms: int) -> None:
    batches = [(at, at // 10) for at in range(0, 8_001, every_ms)]

    assert metered(batches, batches[-1][0] + late_ms) == pytest.approx(100, rel=0.02)


def test_only_the_last_seconds_count() -> None:
    slow = [(at, at // 100) for at in range(0, 10_000, 200)]
    fast = [(10_000 + at, 100 + at) for at in range(0, 6_001, 200)]

    assert metered(slow + fast, 16_000) == pytest.approx(1000, rel=0.01)


def test_it_falls_when_nothing_ends_any_more() -> None:
    batches = [(at, at // 10) for at in range(0, 3_001, 200)]

    assert metered(batches, 5_500) < 70
    assert metered(batches, 7_000) == 0


def test_before_the_first_outcome_it_is_zero() -> None:
    assert metered([], 100) == 0
    assert metered([(0, 0)], 200) == 0
    assert metered([(0, 0), (250, 25)], 300) == pytest.approx(100)
