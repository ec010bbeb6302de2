from __future__ import annotations

import socket
import ssl
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from stress.engine.coordinator import run
from stress.model.plan import Close, Combination, Replay, Role
from stress.model.run import End
from tests.engine.conftest import Book, Serve, plan_for, speak


def combination(address: int, port: int | None) -> Combination:
    return Combination(Role.FAILED, address, 0, None, port)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.mark.slow
def test_the_same_ports_are_dialled_again_in_rounds_with_a_pause(
    serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    """The row with the id n tells what became of the n-th try."""
    address, ports = serve(speak(tls)), [free_port(), free_port()]
    order = (combination(0, ports[0]), combination(0, ports[1])) * 3
    plan = replace(
        plan_for(address, pki[1], count=6, concurrency=2),
        close=Close.RST,
        replay=Replay("lab", order, 3, 0.3, ("reset",), 1.0),
    )
    book = Book()
    ending = run(plan, book)

    rows = sorted(book.records)
    assert ending.end is End.COMPLETED
    assert [row.local_port for row in rows] == ports * 3
    assert book.outcomes == Counter(ok=6)
    rounds = [max(row.started_ns for row in rows[at : at + 2]) for at in (0, 2, 4)]
    assert all(later - sooner >= 0.3e9 for sooner, later in pairwise(rounds))


@pytest.mark.slow
def test_a_busy_port_is_our_own_affair(
    serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    address = serve(speak(tls))
    with socket.create_server(("", 0)) as taken:
        order = (combination(0, taken.getsockname()[1]), combination(0, None))
        plan = replace(
            plan_for(address, pki[1], count=2, concurrency=2),
            replay=Replay("lab", order, 1, 0.0, ("reset",), 1.0),
        )
        book = Book()
        run(plan, book)

    assert {row.id: row.outcome for row in book.records} == {0: "local-ports", 1: "ok"}
