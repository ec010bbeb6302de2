from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest
import trio

from stress.engine.worker import timestamps
from stress.engine.worker.timestamps import RECEIVED, FlightTimer, WireEvent
from stress.host.clocks import Moment, enable_kernel_stamps, now


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        with client, accepted:
            yield client, accepted


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps received TCP segments")
def test_the_kernels_stamp_lies_between_our_send_and_our_read(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    async def main() -> tuple[Moment, WireEvent]:
        async with timestamps.stamping() as works:
            assert works
            client, server = pair
            assert enable_kernel_stamps(client)
            before = now()
            server.sendall(b"flight")
            return before, timestamps.read(client)

    before, (what, data, stamp, real, mono) = trio.run(main)

    assert (what, data) == (RECEIVED, b"flight")
    assert stamp is not None
    assert before.real <= stamp <= real
    assert before.mono <= mono


def test_a_socket_that_was_not_asked_gives_no_stamp(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    client, server = pair
    server.sendall(b"x")

    assert timestamps.read(client)[2] is None


def test_the_end_of_file_reads_as_no_bytes(pair: tuple[socket.socket, socket.socket]) -> None:
    client, server = pair
    server.close()

    assert timestamps.read(client)[:2] == (RECEIVED, b"")


def test_round_trips_add_up_and_our_own_lag_is_kept_apart() -> None:
    watch = FlightTimer()

    watch.sent(1_000, 1_000)
    watch.arrived(1_400, 1_900, 1_900)
    watch.sent(2_000, 2_000)
    watch.arrived(2_300, 2_350, 2_350)
    watch.end_round_trip()

    assert watch.server_ns == 400 + 300
    assert watch.lag_ns == 500 + 50
    assert not watch.user_space


def test_the_last_part_of_an_answer_decides() -> None:
    watch = FlightTimer()

    watch.sent(0, 0)
    watch.arrived(100, 110, 110)
    watch.arrived(250, 260, 260)
    watch.end_round_trip()

    assert watch.server_ns == 250


@pytest.mark.parametrize(
    ("stamp", "why"),
    [(None, "the kernel gave none"), (999, "before the send"), (5_001, "after the read")],
)
def test_an_impossible_stamp_falls_back_to_the_monotonic_clock(stamp: int | None, why: str) -> None:
    """As when the wall clock was set between the two."""
    watch = FlightTimer()

    watch.sent(1_000, 70)
    watch.arrived(stamp, 5_000, 90)
    watch.end_round_trip()

    assert watch.server_ns == 20, why
    assert watch.user_space


def test_what_comes_unasked_counts_for_nobody() -> None:
    watch = FlightTimer()

    watch.arrived(5, 9, 9)

    assert (watch.server_ns, watch.lag_ns) == (0, 0)
