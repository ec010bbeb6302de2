"""Windows, conditions that need the ClientHello, and messages that survive the pipe."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.lab.blueprint import (
    Balancing,
    Fault,
    FaultAction,
    Front,
    Identity,
    NodeCounts,
    NodeSpec,
    Pool,
    Process,
    Window,
    to_line,
)

ONCE = Window(2.0, 1.0)
AGAIN = Window(2.0, 1.0, 5.0)


@pytest.mark.parametrize(
    ("window", "at_s", "holds"),
    [
        (ONCE, 2.0, True),
        (ONCE, 2.9, True),
        (ONCE, 1.9, False),
        (ONCE, 3.0, False),
        (ONCE, 7.5, False),
        (AGAIN, 7.5, True),
        (AGAIN, 8.5, False),
        (AGAIN, 0.0, False),
        (Window(4.0, 1.0, 3.0), 1.5, False),
    ],
)
def test_a_window_holds_from_its_start_to_before_its_end(
    window: Window, at_s: float, holds: bool
) -> None:
    assert window.holds(at_s) is holds


@pytest.mark.parametrize(
    ("fault", "needed"),
    [
        (Fault(FaultAction.RESET, best_version=0x0303), True),
        (Fault(FaultAction.RESET, hello_over=0), True),
        (Fault(FaultAction.RESET, without_name=True), True),
        (Fault(FaultAction.RESET), False),
        (Fault(FaultAction.RESET, share=0.5, window=ONCE, over_per_s=3.0), False),
    ],
)
def test_only_conditions_on_the_client_need_its_hello(fault: Fault, needed: bool) -> None:
    assert fault.needs_hello is needed


IDENTITIES = st.builds(Identity, st.lists(st.text(), max_size=2).map(tuple), st.none() | st.text())
FAULTS = st.builds(
    Fault,
    st.sampled_from(FaultAction),
    st.none() | IDENTITIES,
    share=st.floats(0, 1),
    window=st.none() | st.builds(Window, st.floats(0, 9), st.floats(0, 9), st.none()),
    best_version=st.none() | st.integers(0, 65_535),
    without_name=st.booleans(),
)
NODES = st.builds(
    NodeSpec, st.text(), IDENTITIES, st.floats(0.1, 9), st.lists(FAULTS, max_size=2).map(tuple)
)
POOLS = st.builds(
    Pool,
    st.lists(NODES, max_size=2).map(tuple),
    st.just(Front("::1", 128, 443, 3)),
    st.sampled_from(Balancing),
    st.integers(0, 2**31),
)
PROCESSES = st.builds(Process, st.lists(POOLS, max_size=2).map(tuple))
COUNTS = st.builds(
    NodeCounts,
    st.dictionaries(st.text(), st.integers(0, 2**40)),
    st.dictionaries(st.text(), st.integers(0, 2**40)),
    st.none() | st.integers(0, 2**62),
)


@given(PROCESSES)
def test_orders_come_back_as_they_were_and_fit_in_one_line(orders: Process) -> None:
    line = to_line(orders)

    assert msgspec.json.decode(line, type=Process) == orders
    assert line.count(b"\n") == 1


@given(COUNTS)
def test_counts_come_back_as_they_were_and_fit_in_one_line(count: NodeCounts) -> None:
    line = to_line(count)

    assert msgspec.json.decode(line, type=NodeCounts) == count
    assert line.count(b"\n") == 1


def test_what_is_no_count_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"served": 3}\n', type=NodeCounts)
