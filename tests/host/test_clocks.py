from __future__ import annotations

import socket
import sys

import pytest

from stress.host.clocks import ClockSteps, Moment, enable_kernel_stamps, now


@pytest.mark.parametrize(
    ("steps_ns", "largest_ns"),
    [
        ([0, 1_000_000, -1_000_000], 0),
        ([0, 10**9], 10**9),
        ([0, 10**9, 0], 10**9),
        ([0, 0, -(2 * 10**9)], -(2 * 10**9)),
    ],
)
def test_a_wall_clock_that_is_set_is_seen_and_one_that_is_slewed_is_not(
    steps_ns: list[int], largest_ns: int
) -> None:
    steps = ClockSteps()

    for number, offset_ns in enumerate(steps_ns):
        elapsed_ns = number * 10**8
        steps.sample(Moment(1_700_000_000 * 10**9 + elapsed_ns + offset_ns, elapsed_ns))

    assert steps.largest_ns == largest_ns


def test_both_clocks_go_forward() -> None:
    first, second = now(), now()

    assert second.mono >= first.mono


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps received segments")
def test_the_kernel_stamps_a_socket_but_not_a_closed_one() -> None:
    with socket.socket() as sock:
        assert enable_kernel_stamps(sock)
    assert not enable_kernel_stamps(sock)
