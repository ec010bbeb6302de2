from __future__ import annotations

import os
import signal
import ssl
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from stress.engine import coordinator
from stress.engine.coordinator import Pauses
from stress.model.observer import Observer
from stress.model.plan import Arrivals, Load, Plan
from stress.model.run import End, Progress, RunEnd
from tests.engine.conftest import Book, Serve, plan_for, speak

SECOND = 1_000_000_000


def test_a_wish_that_stays_is_followed_once() -> None:
    pauses = Pauses()

    assert not pauses.follow(0, wish=False)
    assert pauses.follow(10 * SECOND, wish=True)
    assert not pauses.follow(12 * SECOND, wish=True)
    assert pauses.total_ns(15 * SECOND) == 5 * SECOND
    assert pauses.sentences() == ()


def test_each_pause_is_told_with_its_times() -> None:
    pauses = Pauses()
    for moment, wish in ((10, True), (70, False), (100, True), (103, False)):
        pauses.follow(moment * SECOND, wish=wish)

    assert pauses.total_ns(500 * SECOND) == 63 * SECOND
    assert pauses.sentences() == (
        "paused by the user (p) from 00:00:10 to 00:01:10 UTC: no connections were opened for 60 s",
        "paused by the user (p) from 00:01:40 to 00:01:43 UTC: no connections were opened for 3 s",
    )


def test_a_stop_that_several_workers_report_counts_once() -> None:
    pauses = Pauses()
    for begin, end in ((10, 12), (30, 31), (11, 13)):
        pauses.add_stop(begin * SECOND, end * SECOND)

    assert pauses.total_ns(40 * SECOND) == 4 * SECOND
    how = "stopped by a signal (SIGSTOP or Ctrl-Z) from"
    assert pauses.sentences() == (
        f"{how} 00:00:10 to 00:00:13 UTC: no connections were opened for 3 s",
        f"{how} 00:00:30 to 00:00:31 UTC: no connections were opened for 1 s",
    )


class Finger(Observer):
    """Wishes for a pause of a second, from when the first attempts have ended."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self._then, self._since_s, self.latest_s = then, float("inf"), 0.0
        self.seen: list[Progress] = []

    def on_progress(self, progress: Progress) -> None:
        self.latest_s = progress.elapsed_s
        self.seen.append(progress)
        if progress.ended and self._since_s == float("inf"):
            self._since_s = progress.elapsed_s
        if progress.stood_s > 0.5:
            self._then()

    def wants_pause(self) -> bool:
        return self._since_s <= self.latest_s < self._since_s + 1.0


def run(plan: Plan, finger: Finger) -> tuple[Book, RunEnd]:
    book = Book()
    return book, coordinator.run(plan, book, [finger])


LOADS = {
    "open loop": Load(
        count=None, duration_s=1.5, rate=40.0, processes=2, arrivals=Arrivals.CONSTANT
    ),
    "closed loop": Load(count=None, duration_s=1.5, concurrency=4, processes=2),
}


@pytest.mark.slow
@pytest.mark.parametrize("load", LOADS.values(), ids=list(LOADS))
def test_a_pause_starts_nothing_and_nothing_is_made_up_for(
    load: Load, serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    finger = Finger()

    book, ending = run(replace(plan_for(serve(speak(tls)), pki[1]), load=load), finger)

    due = sorted(record.due_ns for record in book.records)
    longest = max(after - before for before, after in pairwise(due))
    assert ending.end is End.COMPLETED
    assert set(book.outcomes) == {"ok"}
    assert ending.stood_ns > 0.8 * SECOND
    assert longest > 0.7 * ending.stood_ns
    assert any("paused by the user (p) from" in reason for reason in ending.reasons)
    assert finger.seen[-1].stood_s == pytest.approx(ending.stood_ns / SECOND, abs=0.5)
    if load.rate:
        assert len(due) == 60
        assert due[-1] - due[0] - longest == pytest.approx(58 * SECOND / 40, abs=SECOND / 2)


@pytest.mark.slow
def test_a_signal_during_a_pause_ends_the_run(
    serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    finger = Finger(lambda: os.kill(os.getpid(), signal.SIGINT))
    load = Load(count=None, duration_s=60.0, rate=40.0, processes=2)

    book, ending = run(replace(plan_for(serve(speak(tls)), pki[1]), load=load), finger)

    assert ending.end is End.INTERRUPTED
    assert finger.latest_s < 20
    assert ending.started == len(book.records)
    assert any("paused by the user" in reason for reason in ending.reasons)
