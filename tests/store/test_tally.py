"""Counting by batches counts what counting one by one would."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stress.model.run import Phase
from stress.store.catalog import Treatment
from stress.store.schema import FIRST_BLOCK_NS
from stress.store.tally import MOST_BLOCKS, WHOLE_RUN, Columns, HistogramKey, Row, Tally

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
    assert Columns.of(batch).where([False, True]).rows() == batch[1:]


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

    assert tally.cells == {(0, treatment.value): 1}
    assert (tally.ports.total(), tally.failed_ports.total()) == (ports, failed)
    assert count(Phase.TOTAL, good=True) == total_good
    assert count(Phase.TOTAL, good=False) == total_failed
    assert count(Phase.SERVER, good=False) == server_failed
    assert count(Phase.HANDSHAKE, good=True) == 0


@pytest.mark.slow
@settings(max_examples=30)
@given(st.lists(rows, max_size=5))
def test_batches_make_no_difference(batches: list[list[Row]]) -> None:
    whole = tally_of(*batches)
    single = tally_of(*([one] for batch in batches for one in batch))

    assert whole.block_ns == single.block_ns
    assert whole.cells == single.cells
    assert (whole.first, whole.last) == (single.first, single.last)
    assert (whole.ports, whole.failed_ports) == (single.ports, single.failed_ports)
    assert {key: h.encode() for key, h in whole.latency.blocks()} == {
        key: h.encode() for key, h in single.latency.blocks()
    }


@given(rows)
def test_the_cube_holds_every_row_in_its_block(batch: list[Row]) -> None:
    tally = tally_of(batch)
    expected = Counter((found[3] // tally.block_ns, found[2]) for found in batch)

    assert tally.cells == expected
    assert all(block < MOST_BLOCKS for block, _ in tally.cells)


def test_spans_are_of_starts_not_of_due_times() -> None:
    tally = tally_of([row(1, 0, 500, late=50), row(2, 0, 100, late=7)], [row(3, 0, 540)])

    assert (tally.first[0], tally.last[0]) == (107, 550)


def test_a_due_time_before_the_start_counts_in_the_first_block() -> None:
    assert tally_of([row(1, 0, -3)]).cells == {(0, 0): 1}
