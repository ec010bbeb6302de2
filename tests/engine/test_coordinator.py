from __future__ import annotations

import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from stress.engine import coordinator
from stress.engine.messages import Batch
from stress.errors import UsageError
from stress.model.observer import LoadController
from stress.model.plan import Address, Arrivals, Client, Limits, Load, Segment
from stress.model.record import Record
from stress.model.run import End, Progress
from tests.engine.conftest import Book, Serve, Watch, leave, plan_for, silent, speak

pytestmark = pytest.mark.slow

UNSPEAKABLE = Client("unspeakable", groups=(0xFEFE,))


def test_two_workers_make_exactly_the_planned_attempts(
    serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    book = Book()

    ending = coordinator.run(
        plan_for(serve(speak(tls)), pki[1], count=61, concurrency=8, processes=2), book
    )

    assert ending.end is End.COMPLETED
    assert (ending.started, book.started) == (61, 61)
    assert book.outcomes == {"ok": 61}
    assert sorted(record.id for record in book.records) == list(range(61))
    assert len(book.chains) == 1
    assert not ending.invalid


REFUSED = {"id": 0, "outcome": "refused", "due_ns": 0, "started_ns": 0, "flags": 0, "total_ns": 1}


class Risk(Book):
    """Notes how many rows were not committed, whenever some are added."""

    def __init__(self) -> None:
        super().__init__()
        self.committed, self.most = 0, 0

    def add_records(self, records: Sequence[Record]) -> None:
        self.most = max(self.most, len(self.records) - self.committed)
        super().add_records(records)

    def commit(self, started: int) -> None:
        super().commit(started)
        self.committed = len(self.records)


def test_few_rows_wait_for_a_commit() -> None:
    """As few as the limit says, however long the next tick takes."""
    risk, refused = Risk(), Record(**dict.fromkeys(Record._fields) | REFUSED)  # type: ignore[arg-type]  # nothing else is read
    one = coordinator.Coordinator(plan_for(Address("127.0.0.1", 1), b""), risk)

    for _ in range(12):
        one._keep(Batch(records=[refused] * 900))

    assert risk.most < coordinator.MOST_UNCOMMITTED
    assert 12 * 900 - risk.committed < coordinator.MOST_UNCOMMITTED


def test_a_duration_ends_the_run(
    serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    book = Book()
    load = Load(count=None, duration_s=0.5, rate=40.0, processes=2, arrivals=Arrivals.CONSTANT)

    ending = coordinator.run(replace(plan_for(serve(speak(tls)), pki[1]), load=load), book)

    assert ending.started == len(book.records) == 20
    due = sorted(record.due_ns for record in book.records)
    assert due[-1] - due[0] == pytest.approx(19 * 25_000_000, abs=10)


def test_a_record_that_cannot_be_kept_stops_the_dialling(
    serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    plan = plan_for(serve(speak(tls)), pki[1], count=None, duration_s=60, concurrency=2)

    ending = coordinator.run(plan, Book(fail_after=1))

    assert ending.end is End.STOPPED
    assert ending.invalid
    assert "the disk is full" in ending.reasons


def test_what_a_stack_cannot_speak_is_told_before_anything_is_sent(
    serve: Serve, pki: tuple[Path, bytes]
) -> None:
    book = Book()
    plan = plan_for(serve(silent), pki[1], count=5)

    with pytest.raises(UsageError, match="groups"):
        coordinator.run(replace(plan, clients=(UNSPEAKABLE,)), book)

    assert book.records == []


def test_the_death_of_a_worker_is_counted_and_named(serve: Serve, pki: tuple[Path, bytes]) -> None:
    """The other worker goes on with its part."""
    book = Book()
    plan = plan_for(serve(silent), pki[1], count=40, concurrency=8, processes=2)
    plan = replace(plan, limits=Limits(attempt_s=0.5))
    killed: list[int] = []

    def kill_one(progress: Progress) -> None:
        if progress.in_flight and not killed:
            victims = subprocess.run(
                ["pgrep", "-P", str(os.getpid()), "-f", "stress.engine.worker.process"],
                capture_output=True, text=True, check=True,
            ).stdout.split()  # fmt: skip
            killed.append(int(victims[0]))
            os.kill(killed[0], signal.SIGKILL)

    ending = coordinator.run(plan, book, [Watch(kill_one)])

    assert any("worker" in reason and "died" in reason for reason in ending.reasons)
    assert book.outcomes["timeout-handshake"] >= 20
    assert ending.started - len(book.records) <= 4
    assert not ending.invalid


def test_new_addresses_of_the_name_are_added(
    serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    book = Book()
    second = serve(speak(tls))
    plan = plan_for(serve(speak(tls)), pki[1], count=None, duration_s=1.5, rate=60.0)

    async def resolve() -> Sequence[Address]:
        return [*plan.addresses, second]

    ending = coordinator.run(replace(plan, resolve_again_s=0.3), book, resolve=resolve)

    assert book.addresses == [*plan.addresses, second]
    assert {record.address for record in book.records} == {0, 1}
    assert any("was added" in reason for reason in ending.reasons)


def test_progress_is_told_while_it_runs(
    serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    told: list[Progress] = []

    def watch(progress: Progress) -> None:
        told.append(progress)

    plan = plan_for(serve(speak(tls)), pki[1], count=None, duration_s=1, rate=50.0)

    coordinator.run(plan, Book(), [Watch(watch)])

    assert len(told) > 2
    ended = [progress.ended for progress in told]
    assert ended == sorted(ended)
    assert told[-1].chains == 1


SCRIPT = """
import sys
from pathlib import Path
from stress.engine import coordinator
from stress.model.plan import Address
from tests.engine.conftest import Book, Watch, plan_for
book = Book()
plan = plan_for(Address("127.0.0.1", int(sys.argv[1])), Path(sys.argv[2]).read_bytes(),
                count=None, duration_s=60, concurrency=4, processes=2)
ready = []
def watch(progress):
    if progress.in_flight >= 4 and not ready:
        ready.append(1)
        print("flying", flush=True)
ending = coordinator.run(plan, book, [Watch(watch)])
print(ending.end.value, ending.started, len(book.records), dict(book.outcomes))
"""


@pytest.fixture
def running(
    serve: Serve, pki: tuple[Path, bytes], tmp_path: Path, repository: Path
) -> Callable[[], subprocess.Popen[str]]:
    """A run against a silent server, in a process of its own, with attempts in flight."""
    root = tmp_path / "root.der"
    root.write_bytes(pki[1])
    address = serve(silent)

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(address.port), str(root)],
            stdout=subprocess.PIPE, text=True, cwd=repository,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "flying\n"
        return process

    return start


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_drains_and_loses_nothing(
    running: Callable[[], subprocess.Popen[str]], number: signal.Signals
) -> None:
    """What is in flight gets 3 s, then it is `cancelled`: every attempt that began has its row."""
    with running() as process:
        begun = monotonic()
        process.send_signal(number)
        output, _ = process.communicate(timeout=20)

    assert output.strip() == "interrupted 4 4 {'cancelled': 4}"
    assert 2.5 < monotonic() - begun < 6


def test_a_second_signal_does_not_wait(running: Callable[[], subprocess.Popen[str]]) -> None:
    with running() as process:
        process.send_signal(signal.SIGINT)
        begun = monotonic()
        threading.Timer(0.3, process.send_signal, [signal.SIGINT]).start()
        output, _ = process.communicate(timeout=20)

    assert output.startswith("interrupted 4 4")
    assert monotonic() - begun < 2


def test_no_worker_survives_its_parent(running: Callable[[], subprocess.Popen[str]]) -> None:
    with running() as process:
        workers = [
            int(word)
            for word in subprocess.run(
                ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
            ).stdout.split()
        ]
        process.kill()
        process.communicate(timeout=10)
        begun = monotonic()
        while any(Path(f"/proc/{worker}").exists() for worker in workers):
            select.select([], [], [], 0.01)  # leave them the processor
            assert monotonic() - begun < 20, "a worker outlived its parent"

    assert len(workers) == 2


def test_a_reason_to_stop_lets_what_is_in_flight_end_by_itself(
    serve: Serve, pki: tuple[Path, bytes]
) -> None:
    """The slow attempts are the failing ones: a stop that drops them flatters the target."""
    book = Book()
    plan = plan_for(serve(silent), pki[1], count=None, duration_s=60, concurrency=4)
    plan = replace(plan, limits=Limits(attempt_s=0.8))

    ending = coordinator.run(
        plan, book, [Watch(lambda progress: "seen enough" if progress.in_flight else None)]
    )

    assert ending.end is End.STOPPED
    assert "seen enough" in ending.reasons
    assert book.outcomes == {"timeout-handshake": 4}


class Staircase(LoadController):
    """Three steps, if nothing else is said."""

    def __init__(self, *steps: Segment) -> None:
        self.left = list(steps) or [Segment(20, 0.5), Segment(40, 0.5), Segment(60, 0.5)]
        self.seen: Counter[int] = Counter()
        self.seen_at_turn: list[int] = []

    def on_records(self, records: Sequence[Record]) -> None:
        self.seen.update(record.segment for record in records)

    def on_canary(self, totals_ns: Sequence[int | None]) -> None:
        """No canary is asked."""
        assert not totals_ns

    def next_segment(self) -> Segment | None:
        self.seen_at_turn.append(self.seen.total())
        return self.left.pop(0) if self.left else None


@pytest.mark.long
def test_a_controller_is_asked_when_every_attempt_of_its_segment_has_ended(
    serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    book, stairs = Book(), Staircase()
    load = Load(count=None, concurrency=50, processes=2, arrivals=Arrivals.CONSTANT)
    plan = replace(plan_for(serve(speak(tls)), pki[1]), load=load)

    ending = coordinator.run(plan, book, controller=stairs)

    assert ending.end is End.COMPLETED
    assert stairs.seen == {0: 10, 1: 20, 2: 30}
    assert stairs.seen_at_turn == [0, 10, 30, 60]
    assert book.outcomes == {"ok": 60}


def test_a_segment_may_be_a_closed_loop_of_one_client(
    serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    """As in a sweep: one kind of client after the other, with so many always in flight."""
    book = Book()
    both = (Client("generic"), Client("again"))
    stairs = Staircase(Segment(0, 0.5, slots=3, client=1), Segment(40, 0.5, client=0))
    load = Load(count=None, concurrency=50, processes=2, arrivals=Arrivals.CONSTANT)
    plan = replace(plan_for(serve(speak(tls)), pki[1]), load=load, clients=both)

    coordinator.run(plan, book, controller=stairs)

    assert {(record.segment, record.client) for record in book.records} == {(0, 1), (1, 0)}
    closed = sorted(record.due_ns for record in book.records if record.segment == 0)
    assert len(closed) > 3
    assert closed[-1] - closed[0] < 600_000_000
    assert stairs.seen[1] == 20


@pytest.mark.long
def test_a_refusing_target_ends_the_step_of_a_search_and_not_the_run(
    serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    """It works, then refuses everything: a minute of that would tell no more than a second."""
    book, broken = Book(), threading.Event()

    def fickle(connection: socket.socket) -> None:
        (leave if broken.is_set() else speak(tls))(connection)

    class Breaking(Staircase):
        def next_segment(self) -> Segment | None:
            if self.seen:
                broken.set()
            return super().next_segment()

    stairs = Breaking(Segment(60, 1.5), Segment(60, 60), Segment(20, 0.5))
    even = Arrivals.CONSTANT
    load = Load(None, concurrency=50, processes=2, arrivals=even, stop_on_refusal=True)
    plan = replace(plan_for(serve(fickle), pki[1]), load=load)

    ending = coordinator.run(plan, book, controller=stairs)

    assert ending.end is End.COMPLETED
    assert not any("refuse" in reason for reason in ending.reasons)
    assert stairs.seen[0] == 90
    assert 50 <= stairs.seen[1] < 3_000, "the second step was to last for a minute"
    assert stairs.seen[2] == 10


def test_a_search_begins_no_step_that_its_time_does_not_allow(
    serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    book, stairs = Book(), Staircase(Segment(20, 0.5), Segment(20, 0.5), Segment(40, 60.0))
    load = Load(count=None, duration_s=20.0, arrivals=Arrivals.CONSTANT)
    plan = replace(plan_for(serve(speak(tls)), pki[1]), load=load)

    ending = coordinator.run(plan, book, controller=stairs)

    assert ending.end is End.STOPPED
    assert stairs.seen == {0: 10, 1: 10}
    assert any(
        "step of 60 s would have exceeded --max-duration (20 s)" in r for r in ending.reasons
    )
