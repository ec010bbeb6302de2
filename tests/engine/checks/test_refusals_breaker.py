from __future__ import annotations

import pytest

from stress.engine.checks.refusals import CircuitBreaker
from stress.model.run import Progress


def at(second: float, ended: int, failed: int) -> Progress:
    return Progress(second, None, 60, ended, ended, failed, 0, 0, 1, 0, 0.0, 0)


def judge(*story: tuple[float, int, int]) -> list[str | None]:
    refusals = CircuitBreaker()
    return [refusals.reason_to_stop(at(*moment)) for moment in story]


def test_a_target_that_worked_and_then_refuses_everything_stops_the_run() -> None:
    words = judge((0, 0, 0), (1, 100, 0), (2, 200, 0), (7.1, 400, 200), (8, 600, 400))

    assert words[:4] == [None] * 4
    assert words[4] is not None
    assert "began to refuse everything (200 of the last 200" in words[4]


@pytest.mark.parametrize(
    ("story", "why"),
    [
        ([(0, 0, 0), (6, 500, 500), (12, 1000, 1000)], "it never worked"),
        ([(0, 0, 0), (1, 100, 0), (6.5, 140, 40)], "too few ended lately"),
        ([(0, 0, 0), (1, 100, 0), (6.5, 600, 250)], "half of it still works"),
        ([(0, 0, 0), (5, 500, 5), (10, 1000, 10)], "a rare failing fraction is what we look for"),
    ],
)
def test_other_stories_do_not(story: list[tuple[float, int, int]], why: str) -> None:
    assert judge(*story)[-1] is None, why


def test_another_load_begins_with_a_clean_sheet() -> None:
    """The step of a search that was refused says nothing of the next, gentler one."""
    refusals = CircuitBreaker()
    refusals.reason_to_stop(at(0, 0, 0))
    refusals.reason_to_stop(at(1, 100, 0))
    refused = refusals.reason_to_stop(at(2, 300, 200))

    refusals.reset()

    assert refused is None
    assert refusals.reason_to_stop(at(2.2, 300, 200)) is None
    assert refusals.reason_to_stop(at(3, 400, 200)) is None
    assert refusals.reason_to_stop(at(3.2, 500, 300)) is None
