from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from hashlib import sha256

import trio
import trio.testing

from stress.engine.messages import Batch, from_worker, receive
from stress.engine.worker.batcher import LIMIT, MOST_STAPLES, Batcher
from tests.engine.test_messages import RECORD


@contextmanager
def pair() -> Iterator[tuple[trio.SocketStream, Batcher]]:
    ours, theirs = trio.socket.socketpair()
    with ours, theirs:
        yield trio.SocketStream(ours), Batcher(trio.SocketStream(theirs))


async def next_batch(home: trio.SocketStream) -> Batch:
    async with aclosing(receive(home, from_worker)) as messages:
        batch = await anext(messages)
    assert isinstance(batch, Batch)
    return batch


def test_the_certificates_of_a_chain_are_sent_once() -> None:
    async def main() -> tuple[Batch, Batch]:
        with pair() as (home, batcher):
            batcher.add(RECORD, (b"leaf",))
            batcher.add(RECORD, (b"leaf",))
            await batcher.flush()
            first = await next_batch(home)
            batcher.add(RECORD, (b"leaf",))
            await batcher.flush()
            return first, await next_batch(home)

    first, second = trio.run(main)

    assert first.chains == [(b"leaf",)]
    assert len(first.records) == 2
    assert second.chains == []
    assert second.records == [RECORD]


def test_a_full_batcher_holds_the_next_start_back_until_it_was_emptied() -> None:
    async def main() -> list[str]:
        with pair() as (home, batcher):
            for _ in range(LIMIT):
                batcher.add(RECORD, None)
            order: list[str] = []

            async def start_next() -> None:
                await batcher.wait_for_room()
                order.append("started")

            async with trio.open_nursery() as nursery:
                nursery.start_soon(start_next)
                await trio.testing.wait_all_tasks_blocked()
                order.append("waits")
                nursery.start_soon(next_batch, home)
                await batcher.flush()
            return order

    assert trio.run(main) == ["waits", "started"]


def test_an_empty_batch_still_reports_the_workers_load() -> None:
    async def main() -> Batch:
        with pair() as (home, batcher):
            batcher.started, batcher.in_flight = 5, 2
            await batcher.flush()
            return await next_batch(home)

    batch = trio.run(main)

    assert (batch.started, batch.in_flight, batch.records) == (5, 2, [])
    assert batch.cpu_ns > 0


def test_samples_of_our_lag_go_with_the_batch_and_say_that_we_are_awake() -> None:
    async def main() -> tuple[Batch, bool]:
        with pair() as (home, batcher):
            before_ns, batcher.awake_ns = batcher.awake_ns, 0
            batcher.add_lag(7)
            batcher.add_lag(8)
            await batcher.flush()
            return await next_batch(home), batcher.awake_ns >= before_ns

    batch, is_awake = trio.run(main)

    assert batch.lags_ns == [7, 8]
    assert is_awake


def test_a_staple_is_sent_once_and_named_for_each_row_that_got_it() -> None:
    async def main() -> Batch:
        with pair() as (home, batcher):
            for number, staple in enumerate((b"one", b"", b"one", None)):
                batcher.add(RECORD._replace(id=number), None, staple)
            await batcher.flush()
            return await next_batch(home)

    batch = trio.run(main)

    assert batch.staples == [b"one", b""]
    one, none = (sha256(each).digest() for each in batch.staples)
    assert batch.stapled == {0: one, 1: none, 2: one}


def test_a_server_that_makes_up_staples_fills_no_memory() -> None:
    async def main() -> Batch:
        with pair() as (home, batcher):
            for number in range(MOST_STAPLES + 5):
                batcher.add(RECORD._replace(id=number), None, b"%d" % number)
            await batcher.flush()
            return await next_batch(home)

    batch = trio.run(main)

    assert len(batch.staples) == len(batch.stapled) == MOST_STAPLES
