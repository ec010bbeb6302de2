from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from time import monotonic_ns

import pytest
import trio

from stress.engine.messages import Assignment, Batch, from_worker, receive
from stress.engine.worker import dial
from stress.engine.worker.attempt import WorkerContext
from stress.engine.worker.batcher import Batcher
from stress.engine.worker.loops import (
    CLIENT_STALLED,
    LATEST_NS,
    NOT_WRITTEN,
    LoadRun,
    closed_loop,
    open_loop,
)
from stress.engine.worker.pacing import SECOND, even_points, start_times
from stress.handshake import stack_for
from stress.model.plan import Address, Client, Limits, Segment
from stress.model.record import Flag, Record
from tests.engine.conftest import HOST, Serve, plan_for, silent, speak
from tests.stacks import main_stack

GENERIC = Client("generic")


def run_loop(
    address: Address,
    loop: Callable[[LoadRun], Awaitable[None]],
    *,
    left: int | None,
    limits: Limits,
    kind: type[Batcher] = Batcher,
) -> list[Record]:
    """Run a loop to its end, and read what its batcher sent."""

    async def main() -> list[Record]:
        ours, theirs = trio.socket.socketpair()
        batcher = kind(trio.SocketStream(theirs))
        factory = stack_for(GENERIC, main_stack(), server_name=HOST)
        tools = WorkerContext((factory,), limits, dial.Ports(1), reset=True, unix_offset_ns=0)
        plan = plan_for(address, b"", count=left and 2 * left, processes=2)
        load_run = LoadRun(Assignment(plan, 0, 0, first_id=1), tools, batcher)
        with ours, theirs:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(tools.reactor.run)
                await loop(load_run)
                nursery.cancel_scope.cancel()
            assert batcher.in_flight == 0
            await batcher.flush()
            theirs.close()
            return await read_records(ours)

    return trio.run(main)


async def read_records(home: trio.socket.SocketType) -> list[Record]:
    records = []
    async for batch in receive(trio.SocketStream(home), from_worker):
        assert isinstance(batch, Batch)
        assert batch.started == len(batch.records)
        records += batch.records
    return records


def test_a_closed_loop_makes_exactly_the_attempts_it_was_given(
    serve: Serve, tls: ssl.SSLContext
) -> None:
    address = serve(speak(tls))

    records = run_loop(address, lambda load_run: closed_loop(load_run, 5), left=23, limits=Limits())

    assert Counter(record.outcome for record in records) == {"ok": 23}
    assert sorted(record.id for record in records) == [1 + 2 * step for step in range(23)]


def test_failures_neither_stop_nor_thin_out_a_closed_loop(serve: Serve) -> None:
    limits = Limits(attempt_s=0.05)

    records = run_loop(
        serve(silent), lambda load_run: closed_loop(load_run, 4), left=12, limits=limits
    )

    assert Counter(record.outcome for record in records) == {"timeout-handshake": 12}


def test_a_loop_of_refusals_does_not_spin() -> None:
    """Four rounds of two slots with 50 ms between: a spinning loop would need almost none."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        address = Address(*deaf.getsockname())
        before = monotonic_ns()

        records = run_loop(
            address, lambda load_run: closed_loop(load_run, 2), left=8, limits=Limits()
        )

    assert Counter(record.outcome for record in records) == {"refused": 8}
    assert monotonic_ns() - before > 3 * 50_000_000


def test_an_open_loop_starts_at_its_appointments(serve: Serve, tls: ssl.SSLContext) -> None:
    address = serve(speak(tls))

    records = run_loop(address, paced(rate=200, cap=50), left=20, limits=Limits())

    due = sorted(record.due_ns for record in records)
    assert [each - due[0] for each in due] == [int(step * SECOND / 200) for step in range(20)]
    assert all(record.started_ns >= record.due_ns for record in records)
    assert Counter(record.outcome for record in records) == {"ok": 20}


def test_what_is_due_while_the_cap_is_full_is_recorded_as_not_sent(serve: Serve) -> None:
    """Two places, ten appointments within the time that the first two need to fail."""
    records = run_loop(serve(silent), paced(rate=100, cap=2), left=10, limits=Limits(attempt_s=0.3))

    outcomes = Counter(record.outcome for record in records)
    assert outcomes == {"timeout-handshake": 2, "not-sent": 8}
    unsent = [record for record in records if record.outcome == "not-sent"]
    assert all(record.local_port is None and record.connect_ns is None for record in unsent)


def test_what_was_due_while_we_stood_still_is_not_sent_in_a_burst(
    serve: Serve, tls: ssl.SSLContext
) -> None:
    """The loop wakes up two seconds late: half a second's worth may be made up for."""
    loop = paced(rate=100, cap=100, since_ns=2 * SECOND)

    records = run_loop(serve(speak(tls)), loop, left=205, limits=Limits())

    unsent = [record for record in records if record.outcome == "not-sent"]
    assert len(records) == 205
    assert 150 <= len(unsent) < 205
    assert {record.detail for record in unsent} == {CLIENT_STALLED}
    sent = [record for record in records if record.outcome != "not-sent"]
    assert all(record.started_ns - record.due_ns <= LATEST_NS + 50_000_000 for record in sent)


class Behind(Batcher):
    """One whose rows are written too slowly."""

    @property
    def is_full(self) -> bool:
        """Always."""
        return True


def test_what_our_own_writing_held_back_is_not_blamed_on_the_target(serve: Serve) -> None:
    """There is room under the cap: it was the disk that could not keep up."""
    loop = paced(rate=100, cap=100)

    records = run_loop(serve(silent), loop, left=5, limits=Limits(), kind=Behind)

    assert {(record.outcome, record.detail) for record in records} == {("not-sent", NOT_WRITTEN)}
    assert all(record.flags & Flag.LOCAL_PRESSURE for record in records)


def paced(*, rate: float, cap: int, since_ns: int = 0) -> Callable[[LoadRun], Awaitable[None]]:
    """An open loop that begins when it is called, or so long before."""

    def loop(load_run: LoadRun) -> Awaitable[None]:
        starts = start_times((Segment(rate, 60),), even_points(0, 1))
        begin_ns = monotonic_ns() - since_ns
        return open_loop(load_run, starts, begin_ns=begin_ns, cap=cap)

    return loop


@pytest.mark.parametrize("left", [None, 1_000_000])
def test_a_stop_ends_the_starting_and_lets_attempts_in_flight_finish(
    serve: Serve, tls: ssl.SSLContext, left: int | None
) -> None:
    address = serve(speak(tls))

    async def stopping(load_run: LoadRun) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(closed_loop, load_run, 3)
            while load_run.batcher.started < 6:
                await trio.lowlevel.checkpoint()
            load_run.stopping.set()

    records = run_loop(address, stopping, left=left, limits=Limits())

    assert len(records) >= 6
    assert {record.outcome for record in records} == {"ok"}
