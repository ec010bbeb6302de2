"""The figures are the server's: whatever else is in flight, and whenever the server stands still.

The servers' times are planted, and long against what a busy machine adds, so that the tests hold
wherever they run. What other tools report for the same is in docs/benchmarks.md.
"""

from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import monotonic

import pytest

from stress.engine import coordinator
from stress.model.plan import Address, Limits, Plan
from stress.model.record import Record
from tests.engine.conftest import Behaviour, Book, Serve, plan_for, speak

pytestmark = pytest.mark.alone

ANSWER_S = 0.1
STALL_S = 1.0


def slow(context: ssl.SSLContext) -> Behaviour:
    """A server that takes its time over each handshake, and has time for all of them."""
    answer = speak(context)

    def behaviour(connection: socket.socket) -> None:
        connection.recv(1, socket.MSG_PEEK)  # only from the hello on does it take its time
        threading.Event().wait(ANSWER_S)
        answer(connection)

    return behaviour


def stalling(context: ssl.SSLContext) -> Behaviour:
    """A quick server that stands still for a second, two seconds after its first connection."""
    answer, first = speak(context), threading.Event()
    begun: list[float] = []

    def behaviour(connection: socket.socket) -> None:
        if not first.is_set():
            begun.append(monotonic())
            first.set()
        since = monotonic() - begun[0]
        if 2.0 <= since < 2.0 + STALL_S:
            threading.Event().wait(2.0 + STALL_S - since)
        answer(connection)

    return behaviour


def good(plan: Plan) -> list[Record]:
    book = Book()
    coordinator.run(plan, book)
    return [record for record in book.records if record.outcome == "ok"]


def percentile_s(records: list[Record], share: float) -> float:
    totals = sorted(record.total_ns for record in records)
    return totals[int(share * len(totals))] / 1e9


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("in_flight", [1, 50])
def test_the_servers_time_does_not_depend_on_what_else_is_in_flight(
    in_flight: int, serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    """The others wait at a listener that nobody ever accepts from: they cost the server nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as hole:
        plan = plan_for(serve(slow(tls)), pki[1], count=40, concurrency=1)
        if in_flight > 1:
            dark = Address(*hole.getsockname()[:2])
            plan = replace(
                plan,
                addresses=(*plan.addresses, *[dark] * 9),
                load=replace(plan.load, count=in_flight, concurrency=in_flight),
                limits=Limits(attempt_s=4.0),
            )
        records = good(plan)

    times_s = [record.server_ns / 1e9 for record in records if record.server_ns is not None]
    assert len(times_s) >= 5
    assert median(times_s) == pytest.approx(ANSWER_S, rel=0.2)


@pytest.mark.long
@pytest.mark.slow
def test_an_open_loop_shows_a_stall_that_a_closed_loop_hides(
    serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    """Users keep coming while a server stands still; a tool that waits for it asks only once."""
    opened = plan_for(serve(stalling(tls)), pki[1], count=250, concurrency=250, rate=50.0)
    closed = plan_for(serve(stalling(tls)), pki[1], duration_s=5.0, count=None, concurrency=1)

    came, asked = good(opened), good(closed)

    assert percentile_s(came, 0.95) > 0.5 * STALL_S
    caught = [record for record in asked if record.total_ns > 0.5 * STALL_S * 1e9]
    assert len(caught) <= 2
    assert len([record for record in came if record.total_ns > 0.5 * STALL_S * 1e9]) >= 20
