from __future__ import annotations

import random
from collections import Counter
from statistics import median

import pytest

from stress.analysis.backends import least_share, richness


def test_all_that_came_often_are_all_there_are() -> None:
    found = richness([50] * 12)

    assert (found.seen, found.estimate, found.high) == (12, 12, 12)


def test_nothing_says_nothing() -> None:
    assert (richness([]).seen, richness([]).high) == (0, None)


def test_where_all_came_once_there_may_be_any_number() -> None:
    assert richness([1] * 9).high is None


def test_chao_s_estimate_adds_what_came_once_and_twice() -> None:
    """S + (n - 1)/n f1 (f1 - 1) / (2 (f2 + 1)), by hand: 6 + 13/14 * 3 * 2 / (2 * 2)."""
    assert richness([1, 1, 1, 2, 4, 5]).estimate == pytest.approx(6 + 13 / 14 * 1.5)


@pytest.mark.parametrize("draws", [59, 600, 10_000])
def test_one_with_the_least_share_would_have_been_seen(draws: int) -> None:
    share = least_share(draws)

    assert (1 - share) ** draws == pytest.approx(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("servers", [1, 3, 12, 50, 200])
@pytest.mark.parametrize("uneven", [1.0, 4.0])
def test_the_interval_holds_the_number_of_servers(servers: int, uneven: float) -> None:
    """In 93% of the farms at least, and it is no wider than their number."""
    chance = random.Random(servers)
    covered, widths = 0, []
    for _ in range(200):
        weights = [uneven ** chance.random() for _ in range(servers)]
        draws = chance.choices(range(servers), weights, k=max(60, 4 * servers))
        found = richness(Counter(draws).values())
        assert found.high is not None
        covered += found.seen <= servers <= found.high
        widths.append(found.high - found.seen)

    assert covered >= 0.93 * 200
    assert median(widths) <= servers
