from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.errors import UsageError
from stress.planning.load_shapes import LEVELS, SHORTEST_S, rate_blocks


def test_by_default_five_rates_are_offered_eight_times_for_ten_seconds() -> None:
    segments = rate_blocks(200.0, None, 1)

    assert Counter(segment.rate for segment in segments) == {
        50.0: 8,
        100.0: 8,
        150.0: 8,
        200.0: 8,
        250.0: 8,
    }
    assert {segment.seconds for segment in segments} == {10.0}


def test_the_order_is_drawn_and_every_round_has_each_rate_once() -> None:
    first, again, other = (rate_blocks(100.0, None, seed) for seed in (1, 1, 2))
    rounds = [tuple(each.rate for each in first[begin : begin + 5]) for begin in range(0, 40, 5)]

    assert first == again != other
    assert all(sorted(one) == [100.0 * level for level in LEVELS] for one in rounds)
    assert len(set(rounds)) > 1


@given(st.floats(40.0, 86_400.0), st.floats(0.1, 1e5))
def test_all_segments_together_last_as_long_as_asked(duration_s: float, rate: float) -> None:
    segments = rate_blocks(rate, duration_s, 0)

    assert sum(segment.seconds for segment in segments) == pytest.approx(duration_s)
    assert len(segments) >= 10
    assert segments[0].seconds >= SHORTEST_S - 1e-6


@pytest.mark.parametrize("duration_s", [0.0, 1.0, 39.9])
def test_too_short_a_time_is_explained(duration_s: float) -> None:
    with pytest.raises(UsageError, match="too short"):
        rate_blocks(100.0, duration_s, 0)
