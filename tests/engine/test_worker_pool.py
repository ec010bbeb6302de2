from __future__ import annotations

import trio

from stress.engine.messages import (
    Assignment,
    Batch,
    FromWorker,
    Ready,
    Rejected,
    SegmentDone,
    StartRun,
    WorkerDone,
)
from stress.engine.worker_pool import WorkerHandle, WorkerPool
from stress.model.target import Address
from tests.engine.conftest import plan_for

PLAN = plan_for(Address("127.0.0.1", 1), b"", count=3)


def member() -> WorkerHandle:
    return WorkerHandle(None, None, 0)  # type: ignore[arg-type]  # what it says is read, nothing is sent


def after(*words: FromWorker) -> WorkerHandle:
    one = member()
    for word in words:
        one.update(word)
    return one


def test_a_worker_is_followed_by_its_own_words() -> None:
    one = after(Ready(1), Batch([], [], 7, 3, [], 0), SegmentDone(2))

    assert one.ready.is_set()
    assert (one.started, one.in_flight) == (7, 3)
    assert one.has_died


def test_a_farewell_and_a_refusal_are_no_death() -> None:
    assert not after(Ready(1), WorkerDone()).has_died
    assert not after(Rejected("cannot", None)).has_died


def test_nobody_waits_for_a_segment_of_the_dead() -> None:
    async def main() -> None:
        one = member()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.wait_for_segment, 5)
            await trio.lowlevel.checkpoint()
            one.disconnect()

    trio.run(main)


def test_a_crew_starts_is_heard_and_leaves_no_process() -> None:
    async def main() -> tuple[list[FromWorker], list[int | None]]:
        pool, words = WorkerPool(), list[FromWorker]()

        async def collect(one: WorkerHandle) -> None:
            words.extend([message async for message in one.messages()])

        await pool.start([Assignment(PLAN, number, 2, 0, reset=True) for number in range(2)])
        async with trio.open_nursery() as nursery:
            for one in pool.workers:
                nursery.start_soon(collect, one)
            await pool.wait_until_ready()
            await pool.broadcast(StartRun(0))
        with trio.fail_after(60):  # they leave by themselves, however busy the machine is
            for one in pool.workers:
                await one.process.wait()
        await pool.shut_down()
        return words, [one.process.returncode for one in pool.workers]

    words, codes = trio.run(main)

    assert sum(isinstance(word, WorkerDone) for word in words) == 2
    assert sum(len(word.records) for word in words if isinstance(word, Batch)) == 3
    assert codes == [0, 0]
