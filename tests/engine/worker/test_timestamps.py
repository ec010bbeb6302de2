from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest
import trio

from stress.engine.worker import timestamps
from stress.engine.worker.timestamps import Arrival, FlightTimer
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
    async def main() -> tuple[Moment, Arrival]:
        async with timestamps.stamping() as works:
            assert works
            client, server = pair
            assert enable_kernel_stamps(client)
            before = now()
            server.sendall(b"flight")
            return before, timestamps.read(client)

    before, arrival = trio.run(main)

    assert arrival.data == b"flight"
    assert arrival.stamp is not None
    assert before.real <= arrival.stamp <= arrival.read.real


def test_a_socket_that_was_not_asked_gives_no_stamp(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    client, server = pair
    server.sendall(b"x")

    assert timestamps.read(client).stamp is None


def test_the_end_of_file_reads_as_no_bytes(pair: tuple[socket.socket, socket.socket]) -> None:
    client, server = pair
    server.close()

    assert timestamps.read(client).data == b""


def at(real: int, mono: int | None = None) -> Moment:
    return Moment(real, real if mono is None else mono)


def test_round_trips_add_up_and_our_own_lag_is_kept_apart() -> None:
    watch = FlightTimer()

    watch.sent(at(1_000))
    watch.arrived(Arrival(b"a", 1_400, at(1_900)))
    watch.sent(at(2_000))
    watch.arrived(Arrival(b"b", 2_300, at(2_350)))
    watch.end_round_trip()

    assert watch.server_ns == 400 + 300
    assert watch.lag_ns == 500 + 50
    assert not watch.user_space


def test_the_last_part_of_an_answer_decides() -> None:
    watch = FlightTimer()

    watch.sent(at(0))
    watch.arrived(Arrival(b"first", 100, at(110)))
    watch.arrived(Arrival(b"last", 250, at(260)))
    watch.end_round_trip()

    assert watch.server_ns == 250


@pytest.mark.parametrize(
    ("stamp", "why"),
    [(None, "the kernel gave none"), (999, "before the send"), (5_001, "after the read")],
)
def test_an_impossible_stamp_falls_back_to_the_monotonic_clock(stamp: int | None, why: str) -> None:
    """As when the wall clock was set between the two."""
    watch = FlightTimer()

    watch.sent(at(1_000, mono=70))
    watch.arrived(Arrival(b"a", stamp, at(5_000, mono=90)))
    watch.end_round_trip()

    assert watch.server_ns == 20, why
    assert watch.user_space


def test_what_comes_unasked_counts_for_nobody() -> None:
    watch = FlightTimer()

    watch.arrived(Arrival(b"early", 5, at(9)))

    assert (watch.server_ns, watch.lag_ns) == (0, 0)
