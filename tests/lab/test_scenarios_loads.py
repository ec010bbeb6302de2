"""Farms with a limit: it is where the scenario says it is."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack

import pytest

from stress.lab.farm import Farm, start
from tests.lab.client import Kind, Seen, handshakes
from tests.lab.test_node_session import HELLO

pytestmark = [pytest.mark.alone, pytest.mark.slow]


def timed(farm: Farm, count: int, at_once: int) -> tuple[list[Seen], float]:
    """The answers, and how many a second there were in a closed loop."""
    began = time.monotonic()
    seen = handshakes(farm.addresses, count, at_once=at_once)
    return seen, count / (time.monotonic() - began)


@pytest.mark.parametrize("name", ["overload", "slow-signer"])
def test_a_closed_loop_never_exceeds_the_known_limit(name: str) -> None:
    """How near it comes depends on how busy this machine is; the limiter itself is exact."""
    with start(name) as farm:
        seen, rate = timed(farm, 300, at_once=64)
    limit = farm.scenario.limit_per_s

    assert {one.outcome for one in seen} == {"ok"}
    assert limit is not None
    assert rate < 1.05 * limit


def test_a_full_accept_queue_leaves_clients_waiting_and_recovers() -> None:
    """More clients at once than queue and acceptor can take: some do not get in in time."""
    with start("overload") as farm:
        seen = handshakes(farm.addresses, 300, Kind(timeout_s=0.4), at_once=300)
        (later,) = handshakes(farm.addresses, 1)
    outcomes = {one.outcome for one in seen}

    assert "timeout" in outcomes <= {"ok", "timeout"}
    assert later.outcome == "ok"


def test_the_limiter_lets_its_rate_pass_and_resets_the_rest() -> None:
    """All hellos are there before one is answered, so that no machine is too slow for the limit."""
    with start("rate-limiter") as farm, ExitStack() as stack:
        began = time.monotonic()
        connections = [
            stack.enter_context(socket.create_connection((one.ip, one.port), timeout=20))
            for one in farm.addresses * 400
        ]
        for connection in connections:
            connection.sendall(HELLO)
        answered = sum(map(is_answered, connections))
        took_s = time.monotonic() - began
        faulted = sum(farm.faulted().values())

    assert answered + faulted == 400
    assert 50 <= answered <= 200 * (took_s + 0.25)


def is_answered(connection: socket.socket) -> bool:
    """Whether the hello was answered; False when it was reset."""
    try:
        return connection.recv(1) != b""
    except ConnectionResetError:
        return False
