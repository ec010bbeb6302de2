"""Counting in batches equals counting one by one; latencies stay bounded in number and memory."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stress.measure import Histogram
from stress.model.run import MOST_BLOCKS, Phase
from stress.store.catalog import FAILURES, Treatment
from stress.store.schema import FIRST_BLOCK_NS
from stress.store.tally import (
    LATENCY_MOST_BLOCKS,
    WHOLE_RUN,
    Columns,
    HistogramKey,
    Latency,
    Tally,
)

Row = tuple[Any, ...]
SECOND = FIRST_BLOCK_NS
TREATMENTS = list(Treatment)


def row(arrival: int, attribute: int, due: int, port: int | None = 1, late: int = 0) -> Row:
    return (arrival, 0, attribute, due, late, port, 1000, 2000, None, 4000, 5000, 6)


rows = st.lists(
    st.builds(
        row,
        st.just(0),
        st.integers(0, len(TREATMENTS) - 1),
        st.integers(0, 5000 * SECOND),
        st.none() | st.integers(1, 5),
        st.integers(0, 100),
    ),
    min_size=1,
    max_size=30,
)


def tally_of(*batches: list[Row]) -> Tally:
    tally = Tally(TREATMENTS)
    for batch in batches:
        tally.add(Columns.of(batch))
    return tally


def test_columns_turn_rows_round_and_back() -> None:
    batch = [row(1, 0, 5), row(2, 1, 6)]

    assert Columns.of(batch).rows() == batch


@pytest.mark.parametrize(
    ("treatment", "ports", "failed", "total_good", "total_failed", "server_failed"),
    [
        (Treatment.GOOD, 1, 0, 1, 0, 0),
        (Treatment.FAILED, 1, 1, 0, 1, 1),
        (Treatment.GOOD_WARMING, 1, 0, 0, 0, 0),
        (Treatment.FAILED_WARMING, 1, 1, 0, 0, 0),
        (Treatment.WAITED, 0, 0, 0, 1, 0),
        (Treatment.LEFT_OUT, 0, 0, 0, 0, 0),
    ],
)
def test_each_treatment_is_counted_where_it_belongs(
    treatment: Treatment,
    ports: int,
    failed: int,
    total_good: int,
    total_failed: int,
    server_failed: int,
) -> None:
    tally = tally_of([row(1, treatment.value, 0)])
    whole = tally.latency.whole()

    def count(phase: Phase, *, good: bool) -> int:
        return whole[HistogramKey(phase, good, WHOLE_RUN)].count

    assert tally.take_cells() == [[0, treatment.value, 1]]
    assert (tally.ports.total(), tally.failed_ports.total()) == (ports, failed)
    assert count(Phase.TOTAL, good=True) == total_good
    assert count(Phase.TOTAL, good=False) == total_failed
    assert count(Phase.SERVER, good=False) == server_failed
    assert count(Phase.HANDSHAKE, good=True) == 0


NUMBER = st.integers(-5, 130_000_000_000)
MAYBE = st.none() | NUMBER
ANY_ROW = st.tuples(
    *(st.just(0), st.just(0), st.integers(0, len(TREATMENTS) - 1)),
    *(st.integers(-3, 3000 * SECOND), st.integers(0, 9), st.none() | st.integers(1, 9)),
    *(MAYBE, MAYBE, MAYBE, NUMBER, MAYBE, st.integers(0, 9)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ANY_ROW, min_size=1, max_size=30))
def test_a_batch_is_counted_as_by_hand(batch: list[Row]) -> None:
    tally = tally_of(batch)

    width = SECOND
    while max(due for _, _, _, due, *_ in batch) // width >= MOST_BLOCKS:
        width *= 2
    assert tally.block_ns == width
    assert {(b, g): n for b, g, n in tally.take_cells()} == Counter(
        (max(0, due) // width, group) for _, _, group, due, *_ in batch
    )
    starts = {group: [r[3] + r[4] for r in batch if r[2] == group] for _, _, group, *_ in batch}
    for group, those in starts.items():
        assert (tally.first[group], tally.last[group]) == (min(those), max(those))
    counted = {*TREATMENTS} - {Treatment.LEFT_OUT, Treatment.WAITED}
    assert tally.ports == Counter(r[5] for r in batch if r[2] in counted and r[5] is not None)
    assert tally.failed_ports == Counter(
        r[5] for r in batch if r[2] in FAILURES and r[5] is not None
    )
    whole = tally.latency.whole()
    for place, phase in ((6, Phase.CONNECT), (9, Phase.TOTAL), (10, Phase.LAG)):
        for treatment in (Treatment.GOOD, Treatment.FAILED):
            waited = {Treatment.WAITED} if place == 9 and treatment is Treatment.FAILED else set()
            expected = Histogram()
            expected.record_many([r[place] for r in batch if r[2] in {treatment, *waited}])
            found = whole[HistogramKey(phase, treatment is Treatment.GOOD, WHOLE_RUN)]
            assert list(found.bins()) == list(expected.bins())
            assert found.clamped == expected.clamped


@pytest.mark.slow
@settings(max_examples=30)
@given(st.lists(rows, max_size=5))
def test_batches_make_no_difference(batches: list[list[Row]]) -> None:
    whole = tally_of(*batches)
    single = tally_of(*([one] for batch in batches for one in batch))

    assert whole.block_ns == single.block_ns
    assert whole.take_cells() == single.take_cells()
    assert (whole.first, whole.last) == (single.first, single.last)
    assert (whole.ports, whole.failed_ports) == (single.ports, single.failed_ports)
    assert {key: h.encode() for key, h in whole.latency.blocks()} == {
        key: h.encode() for key, h in single.latency.blocks()
    }


@given(rows)
def test_the_cube_holds_every_row_in_its_block(batch: list[Row]) -> None:
    tally = tally_of(batch)
    expected = Counter((found[3] // tally.block_ns, found[2]) for found in batch)

    cells = tally.take_cells()
    assert cells == sorted([*key, count] for key, count in expected.items())
    assert all(block < MOST_BLOCKS for block, *_ in cells)
    assert not tally.take_cells()


def test_spans_are_of_starts_not_of_due_times() -> None:
    tally = tally_of([row(1, 0, 500, late=50), row(2, 0, 100, late=7)], [row(3, 0, 540)])

    assert (tally.first[0], tally.last[0]) == (107, 550)


def test_a_due_time_before_the_start_counts_in_the_first_block() -> None:
    assert tally_of([row(1, 0, -3)]).take_cells() == [[0, 0, 1]]


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
