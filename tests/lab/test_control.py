"""Orders and counts survive the way between the processes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.lab import control
from stress.lab.blueprint import (
    Balancing,
    Fault,
    FaultAction,
    FaultCondition,
    Front,
    Identity,
    NodeSpec,
    Pool,
    Process,
    Window,
)

WHENS = st.builds(
    FaultCondition,
    share=st.floats(0, 1),
    window=st.none() | st.builds(Window, st.floats(0, 9), st.floats(0, 9), st.none()),
    best_version=st.none() | st.integers(0, 65_535),
    without_name=st.booleans(),
)
IDENTITIES = st.builds(Identity, st.lists(st.text(), max_size=2).map(tuple), st.none() | st.text())
FAULTS = st.builds(Fault, WHENS, st.sampled_from(FaultAction), st.none() | IDENTITIES)
NODES = st.builds(
    NodeSpec, st.text(), IDENTITIES, st.floats(0.1, 9), st.lists(FAULTS, max_size=2).map(tuple)
)
POOLS = st.builds(
    Pool,
    st.just((Front("::1", 443, 3),)),
    st.sampled_from(Balancing),
    st.lists(NODES, max_size=2).map(tuple),
    st.integers(0, 2**31),
)
PROCESSES = st.builds(Process, st.lists(POOLS, max_size=2).map(tuple))
COUNTS = st.builds(
    control.NodeCounts,
    st.dictionaries(st.text(), st.integers(0, 2**40)),
    st.dictionaries(st.text(), st.integers(0, 2**40)),
    st.none() | st.integers(0, 2**62),
)


@given(PROCESSES)
def test_orders_come_back_as_they_were_and_fit_in_one_line(orders: Process) -> None:
    line = control.to_line(orders)

    assert control.read_process(line) == orders
    assert line.count(b"\n") == 1


@given(COUNTS)
def test_counts_come_back_as_they_were_and_fit_in_one_line(count: control.NodeCounts) -> None:
    line = control.to_line(count)

    assert control.read_counts(line) == count
    assert line.count(b"\n") == 1


def test_what_is_no_count_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        control.read_counts(b'{"served": 3}\n')
