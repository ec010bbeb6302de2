from __future__ import annotations

from dataclasses import replace

import trio

from stress.engine.messages import (
    Assignment,
    Batch,
    FromWorker,
    Ready,
    Rejected,
    SegmentDone,
    StartRun,
    StopRun,
    WorkerDone,
    from_worker,
    receive,
)
from stress.engine.worker_pool import WorkerHandle, WorkerPool
from stress.model.plan import Address
from tests.engine.conftest import plan_for

PLAN = plan_for(Address("127.0.0.1", 1), b"", count=3, processes=2)


def worker() -> WorkerHandle:
    return WorkerHandle(None, None, 0)  # type: ignore[arg-type]  # its messages are read, nothing is sent


def after(*messages: FromWorker) -> WorkerHandle:
    one = worker()
    for message in messages:
        one.update(message)
    return one


def test_a_worker_is_known_by_its_messages() -> None:
    one = after(Ready(), Batch([], [], 7, 3, [], 0), SegmentDone(2))

    assert one.ready.is_set()
    assert (one.started, one.in_flight) == (7, 3)
    assert one.has_died


def test_finishing_and_rejecting_are_no_death() -> None:
    assert not after(Ready(), WorkerDone()).has_died
    assert not after(Rejected("cannot", None)).has_died


def test_nobody_waits_for_a_segment_of_a_dead_worker() -> None:
    async def main() -> None:
        one = worker()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.wait_for_segment, 5)
            await trio.lowlevel.checkpoint()
            one.disconnect()

    trio.run(main)


def test_a_pool_starts_sends_its_rows_and_leaves_no_process() -> None:
    async def main() -> tuple[list[FromWorker], list[int | None]]:
        pool, messages = WorkerPool(), list[FromWorker]()

        async def collect(one: WorkerHandle) -> None:
            async for message in receive(one.stream, from_worker):
                one.update(message)
                messages.append(message)

        await pool.start([Assignment(PLAN, number, 0) for number in range(2)])
        async with trio.open_nursery() as nursery:
            for one in pool.workers:
                nursery.start_soon(collect, one)
            assert await pool.wait_until_ready() is None
            await pool.broadcast(StartRun(0))
        with trio.fail_after(60):  # they leave by themselves, however busy the machine is
            for one in pool.workers:
                await one.process.wait()
        await pool.shut_down()
        return messages, [one.process.returncode for one in pool.workers]

    messages, codes = trio.run(main)

    assert sum(isinstance(message, WorkerDone) for message in messages) == 2
    assert sum(len(message.records) for message in messages if isinstance(message, Batch)) == 3
    assert codes == [0, 0]


def test_a_stop_waits_while_an_assignment_is_on_its_way() -> None:
    """It is larger than a socket's buffer, and a worker needs a while before it reads."""
    many = tuple(Address("127.0.0.1", port, "node" * 15) for port in range(1, 20_000))

    async def main() -> int:
        pool = WorkerPool()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pool.start, [Assignment(replace(PLAN, addresses=many), 0, 0)])
            while not pool.workers:
                await trio.lowlevel.checkpoint()
            await pool.broadcast(StopRun(0.0))
        await pool.shut_down()
        return len(pool.workers)

    assert trio.run(main) == 1
