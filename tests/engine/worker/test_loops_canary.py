from __future__ import annotations

import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from stress.engine import coordinator
from stress.engine.worker.loops import canary_interval_s
from stress.model.plan import Address, Limits, Load
from tests.engine.conftest import Book, Serve, plan_for, silent, speak


@pytest.mark.parametrize(
    ("rate", "processes", "seconds"),
    [(None, 2, 1.0), (50.0, 2, 1.0), (500.0, 1, 0.2), (500.0, 2, 0.4), (10_000.0, 2, 0.1)],
)
def test_a_canary_is_one_of_a_hundred_within_bounds(
    rate: float | None, processes: int, seconds: float
) -> None:
    assert canary_interval_s(Load(rate=rate, processes=processes)) == pytest.approx(seconds)


@pytest.mark.slow
def test_canaries_are_in_no_count_of_the_target(
    serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    probes: list[None] = []
    greet = speak(tls)

    def count(connection: socket.socket) -> None:
        probes.append(None)
        greet(connection)

    plan = plan_for(serve(silent), pki[1], count=40, concurrency=40, rate=20.0)
    book = Book()

    ending = coordinator.run(replace(plan, limits=Limits(attempt_s=0.5)), book, canary=serve(count))

    assert probes
    assert (len(book.records), ending.started) == (40, 40)
    assert "ok" not in book.outcomes
    assert not book.chains


@pytest.mark.slow
def test_a_canary_that_cannot_be_reached_says_nothing(
    serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    plan = plan_for(serve(speak(tls)), pki[1], count=40, concurrency=40, rate=20.0)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))

        ending = coordinator.run(plan, Book(), canary=Address(*deaf.getsockname()))

    assert not [reason for reason in ending.reasons if "known-good server" in reason]
