"""Latencies by blocks: bounded in number and memory, nothing lost on the way."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.measure import Histogram
from stress.model.run import Phase
from stress.store.schema import FIRST_BLOCK_NS
from stress.store.tally import LATENCY_MOST_BLOCKS, WHOLE_RUN, HistogramKey, Latency

SECOND = FIRST_BLOCK_NS
MS = 1_000_000


def add(latency: Latency, due_ns: int, *durations_ns: int, good: bool = True) -> None:
    block = latency.block_of(due_ns)
    latency.add(Phase.SERVER, durations_ns, good=good, block=block)


def counts(latency: Latency) -> dict[tuple[bool, int], int]:
    """Values by ending and block."""
    return {(key.good, key.block): histogram.count for key, histogram in latency.blocks()}


def test_each_block_and_ending_has_its_own() -> None:
    latency = Latency()
    add(latency, 0, MS, 2 * MS)
    add(latency, SECOND - 1, 3 * MS)
    add(latency, SECOND, 4 * MS, good=False)

    assert counts(latency) == {(True, 0): 3, (False, 1): 1}


def test_a_straggler_finds_its_block_at_rest() -> None:
    latency = Latency()
    for block in range(10):
        add(latency, block * SECOND, MS)
    add(latency, 0, 30_000 * MS)
    add(latency, 11 * SECOND, MS)

    assert counts(latency)[True, 0] == 2
    assert len(latency._open) <= 2


def test_the_whole_run_is_the_sum_and_has_the_empty_ones_too() -> None:
    latency = Latency()
    for block in range(5):
        add(latency, block * SECOND, MS, 200_000 * MS)
    whole = latency.whole()

    assert len(whole) == 2 * len(Phase)
    assert whole[HistogramKey(Phase.SERVER, good=True, block=WHOLE_RUN)].count == 10
    assert whole[HistogramKey(Phase.SERVER, good=True, block=WHOLE_RUN)].clamped == 5
    assert whole[HistogramKey(Phase.LAG, good=False, block=WHOLE_RUN)].count == 0


def test_a_time_before_the_start_counts_in_the_first_block() -> None:
    assert Latency().block_of(-5) == 0


def test_widening_opens_one_pair_of_blocks_at_a_time() -> None:
    """All at once, they once took more memory than the whole run did otherwise."""
    latency = Latency()
    many = [(1 << 20) + step * 1_000_000 for step in range(2000)]
    for block in range(LATENCY_MOST_BLOCKS):
        add(latency, block * SECOND, *many)

    tracemalloc.start()
    try:
        add(latency, LATENCY_MOST_BLOCKS * SECOND, MS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert latency.block_ns == 2 * SECOND
    assert counts(latency)[True, 0] == 2 * len(many)
    assert peak < 1_500_000


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 10**14), st.integers(0, 10**10)), max_size=30))
def test_blocks_stay_few_and_keep_every_value(values: list[tuple[int, int]]) -> None:
    latency = Latency()
    expected = Histogram()
    for due_ns, duration_ns in values:
        add(latency, due_ns, duration_ns)
        expected.record(duration_ns)
    whole = latency.whole()[HistogramKey(Phase.SERVER, good=True, block=WHOLE_RUN)]

    assert all(0 <= key.block < LATENCY_MOST_BLOCKS for key, _ in latency.blocks())
    assert list(whole.bins()) == list(expected.bins())
    for due_ns, _ in values:
        assert (True, due_ns // latency.block_ns) in counts(latency)
