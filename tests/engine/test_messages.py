from __future__ import annotations

from itertools import pairwise
from typing import TypeVar

import trio
from hypothesis import given
from hypothesis import strategies as st
from msgspec.msgpack import Decoder
from trio.testing import memory_stream_one_way_pair, wait_all_tasks_blocked

from stress.engine.messages import (
    AddAddress,
    Assignment,
    Batch,
    FromWorker,
    Ready,
    Rejected,
    RunSegment,
    SegmentDone,
    StartRun,
    StopRun,
    ToWorker,
    WorkerDone,
    frame,
    from_worker,
    receive,
    to_worker,
)
from stress.model.plan import Address, Client, Limits, Load, Plan, Segment, Target, Trust
from stress.model.record import Record

Message = TypeVar("Message")
PLAN = Plan(
    Target("lab.test", 8443),
    (Address("127.0.0.1", 8443, "blue"), Address("::1", 8443)),
    (Client("generic", cipher_suites=(0x1301,), alpn=("h2",)),),
    Load(rate=12.5),
    Limits(attempt_s=3),
    Trust(anchors=(b"\x30\x00",), pins=(bytes(32),)),
    server_name="lab.test",
)
RECORD = Record(
    7, 1, 2, 0, None, 40_001, 0, "ok", 5, bytes(32), 0x0304, 0x1301, 29, "h2", False,
    10, 20, 30, 40, 5, 4096, 0, 1, "detail",
)  # fmt: skip
BLANK = RECORD._replace(
    local_port=None, chain=None, tls_version=None, cipher=None, key_group=None, alpn=None,
    resumed=None, connect_ns=None, server_ns=None, handshake_ns=None, lag_ns=None, detail=None,
)  # fmt: skip


def received(data: bytes, cuts: list[int], decoder: Decoder[Message]) -> list[Message]:
    """The messages in data that arrives in pieces."""
    edges = [0, *sorted(cut % len(data) for cut in cuts), len(data)]

    async def main() -> list[Message]:
        sender, receiver = memory_stream_one_way_pair()
        pieces = receive(receiver, decoder)
        found: list[Message] = []
        async with trio.open_nursery() as nursery:

            async def collect() -> None:
                found.extend([message async for message in pieces])

            nursery.start_soon(collect)
            for start, end in pairwise(edges):
                await sender.send_all(data[start:end])
                await wait_all_tasks_blocked()
            await sender.aclose()
        return found

    return trio.run(main)


@given(cuts=st.lists(st.integers(0, 10_000), max_size=12))
def test_messages_of_a_worker_survive_any_fragmentation(cuts: list[int]) -> None:
    messages: list[FromWorker] = [
        Ready(),
        Batch([RECORD, BLANK], [(b"leaf", b"intermediate")], 9, 3, [5, 6], 77),
        SegmentDone(4),
        Rejected("cannot speak 3DES", None),
        WorkerDone(),
    ]

    sent = b"".join(frame(message) for message in messages)

    assert received(sent, cuts, from_worker) == messages


@given(cuts=st.lists(st.integers(0, 10_000), max_size=12))
def test_messages_of_the_coordinator_survive_any_fragmentation(cuts: list[int]) -> None:
    messages: list[ToWorker] = [
        Assignment(PLAN, 1, -5),
        StartRun(123),
        RunSegment(Segment(10, 5, to=20), 3, 99),
        AddAddress(Address("127.0.0.9", 443)),
        StopRun(3.0),
    ]

    sent = b"".join(frame(message) for message in messages)

    assert received(sent, cuts, to_worker) == messages
