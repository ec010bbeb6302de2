"""One worker process: one Trio loop that opens handshakes and sends home what became of them.

Started by the fleet as `python -m stress.engine.worker FD`; everything else comes over that
socket. It dies with its parent: an end of file on the socket ends it at once.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic_ns
from typing import NoReturn

import trio

from stress.engine.messages import (
    Act,
    Assignment,
    Done,
    Frames,
    Go,
    Halt,
    Join,
    Landed,
    Ready,
    Refused,
    Still,
    Stop,
    ToWorker,
    frame,
    to_worker,
)
from stress.engine.worker import dial
from stress.engine.worker.attempt import WorkerContext
from stress.engine.worker.batcher import Batcher
from stress.engine.worker.canary import interval_s, sing
from stress.engine.worker.holding import Holding
from stress.engine.worker.loops import LoadRun, closed_loop, open_loop, pause
from stress.engine.worker.pacing import SECOND, appointments, shape, share, spacing
from stress.engine.worker.replay import Script, in_rounds
from stress.engine.worker.schedule import AttemptSource, Schedule
from stress.engine.worker.sessions import Sessions
from stress.engine.worker.timestamps import Stamping
from stress.engine.worker.transcript_sampler import Keyed, TranscriptSampler
from stress.errors import StressError
from stress.handshake import Credentials, KeyLog, MachineFactory, stack_for
from stress.model.plan import Plan

READ_BYTES = 65_536
STAMPING_TRIES, STAMPING_PAUSE_S = 100, 0.002
"""How often, and after what pauses, a worker asks whether the kernel has begun to stamp."""


def factories(plan: Plan, key_log: KeyLog | None = None) -> tuple[MachineFactory, ...]:
    """The TLS contexts of the plan's clients, made once for the whole process.

    Args:
        plan: whose clients.
        key_log: where they write their secrets; None: nowhere.

    Raises:
        UsageError: a client cannot be spoken, or the client certificate cannot be used.
    """
    credentials = None
    if plan.client_certificate is not None:
        certificate = Path(plan.client_certificate)
        credentials = Credentials(certificate, Path(plan.client_key or certificate))
    return tuple(
        stack_for(
            client,
            plan.stack,
            server_name=plan.server_name if client.server_name else None,
            credentials=credentials,
            key_log=key_log,
        )
        for client in plan.clients
    )


def witness_of(task: Assignment) -> TranscriptSampler | None:
    """Who keeps evidence in this process; None when the plan wants none."""
    keeping = task.plan.keeping
    if not keeping.per_signature or not keeping.total_bytes:
        return None
    return TranscriptSampler(keeping.per_signature, keeping.total_bytes // task.workers, KeyLog())


def equip(task: Assignment, witness: TranscriptSampler | None) -> WorkerContext:
    """What all attempts of this process share."""
    plan = task.plan
    makers = factories(plan)
    if witness is not None:
        logging = factories(plan, witness.key_log)
        makers = tuple(Keyed(*pair, witness) for pair in zip(makers, logging, strict=True))
    return WorkerContext(
        makers,
        plan.limits,
        dial.Ports(plan.seed, task.worker, task.workers),
        reset=task.reset,
        unix_offset_ns=task.unix_offset_ns,
        preamble=dial.preamble(plan.proxy_protocol),
        witness=witness,
        holding=Holding(plan.load.hold_s, task.reset) if plan.load.hold_s else None,
        sessions=sessions_of(task),
    )


def sessions_of(task: Assignment) -> Sessions | None:
    """What this worker may resume; None when the plan wants full handshakes only."""
    plan = task.plan
    if not plan.resumption:
        return None
    return Sessions(plan.resumption, len(plan.clients), seed=plan.seed * 4099 + task.worker)


def dealer_of(task: Assignment) -> AttemptSource:
    """Who says what the next attempt shall ask."""
    plan = task.plan
    if plan.replay is not None:
        return Script(plan.replay, plan.addresses)
    return Schedule(plan.addresses, plan.clients, plan.sources, seed=plan.seed * 4099 + task.worker)


def flights_of(task: Assignment, outbox: Batcher) -> LoadRun:
    """This worker's part of the plan."""
    plan, load = task.plan, task.plan.load
    outbox.witness = witness_of(task)
    return LoadRun(
        equip(task, outbox.witness),
        dealer_of(task),
        outbox,
        next_id=task.first_id + task.worker,
        workers=task.workers,
        left=None if load.count is None else share(load.count, task.worker, task.workers),
        sources=plan.sources,
    )


async def fly(task: Assignment, flights: LoadRun, start_ns: int) -> None:
    """Do the plan's own load; returns when its last attempt has ended."""
    load = task.plan.load
    if load.duration_s is not None:
        flights.until_ns = start_ns + int(load.duration_s * SECOND)
    flights.warm_until_ns = start_ns + int(load.warm_up_s * SECOND)
    await trio.sleep(max(0, start_ns - monotonic_ns()) / SECOND)
    cap = share(load.concurrency, task.worker, task.workers)
    segments = shape(load)
    if task.plan.replay is not None:
        await in_rounds(flights, task.plan.replay)
    elif segments:
        starts = appointments(segments, points(task))
        await open_loop(flights, starts, begin_ns=start_ns, cap=cap)
    else:
        await closed_loop(flights, cap)


def points(task: Assignment) -> Iterator[float]:
    """This worker's starts as points in the count of all starts."""
    plan = task.plan
    return spacing(plan.load, worker=task.worker, workers=task.workers, seed=plan.seed).points()


async def follow(task: Assignment, flights: LoadRun, acts: trio.MemoryReceiveChannel[Act]) -> None:
    """Do one segment after the other as they are told, and say when each has landed."""
    async for act in acts:
        prepare(task, flights, act)
        if act.segment.slots is None:
            await offer(task, flights, act)
        else:
            await keep_in_flight(task, flights, act, act.segment.slots)
        await flights.outbox.flush()
        await flights.outbox.say(Landed(act.number))


def prepare(task: Assignment, flights: LoadRun, act: Act) -> None:
    """Ask what this segment wants to have asked."""
    flights.segment, flights.client = act.number, act.segment.client
    sessions, share_now = flights.equipment.sessions, act.segment.resumption
    if sessions is not None:
        sessions.share = task.plan.resumption if share_now is None else share_now
    if not flights.over:  # the last segment may have been halted
        flights.stopping = trio.Event()


async def offer(task: Assignment, flights: LoadRun, act: Act) -> None:
    """Do this worker's part of a segment of the open loop."""
    load = replace(task.plan.load, segments=(act.segment,))
    dealt = spacing(load, worker=task.worker, workers=task.workers, seed=act.number).points()
    starts = (start._replace(segment=act.number) for start in appointments((act.segment,), dealt))
    cap = share(load.concurrency, task.worker, task.workers)
    await open_loop(flights, starts, begin_ns=act.start_ns, cap=cap)


async def keep_in_flight(task: Assignment, flights: LoadRun, act: Act, slots: int) -> None:
    """Do this worker's part of a segment of the closed loop."""
    await pause(flights, (act.start_ns - monotonic_ns()) / SECOND)
    flights.until_ns = act.start_ns + int(act.segment.seconds * SECOND)
    await closed_loop(flights, share(slots, task.worker, task.workers))
    flights.until_ns = None


async def orders(home: trio.SocketStream) -> AsyncIterator[ToWorker]:
    """What the fleet says, one message at a time; ends with the parent."""
    frames = Frames()
    while data := await home.receive_some(READ_BYTES):
        for body in frames.feed(data):
            yield to_worker.decode(body)


async def obey(
    words: AsyncIterator[ToWorker],
    flights: LoadRun,
    drain: trio.CancelScope,
    acts: trio.MemorySendChannel[Act],
) -> None:
    """Follow what the fleet says during the run."""
    async for word in words:
        if isinstance(word, Stop):
            flights.over = True
            flights.stopping.set()
            flights.go_on()
            drain.deadline = min(drain.deadline, trio.current_time() + word.drain_s)
            acts.close()
        elif isinstance(word, Still):
            (flights.stand if word.on else flights.go_on)()
        elif isinstance(word, Join):
            flights.schedule.join(word.address)
        elif isinstance(word, Halt):
            if word.number == flights.segment:
                flights.stopping.set()
        elif isinstance(word, Act):
            with suppress(trio.ClosedResourceError):  # a signal came in between
                await acts.send(word)
    leave()


def leave() -> NoReturn:
    """End at once: the parent is gone, and nobody is left to tell."""
    os._exit(os.EX_UNAVAILABLE)


async def serve(home: trio.SocketStream) -> None:
    """Take the assignment, do it, send everything home."""
    words = orders(home)
    task = await anext(words, None)
    if not isinstance(task, Assignment):
        leave()
    outbox = Batcher(home)
    try:
        flights = flights_of(task, outbox)
    except StressError as error:
        await home.send_all(frame(Refused(error.message, error.hint)))
        return
    with closing(Stamping()) as stamping:
        await stamped(stamping)
        await home.send_all(frame(Ready(os.getpid())))
        await work(task, flights, words)
    await outbox.say(Done())


async def stamped(stamping: Stamping) -> None:
    """Wait until the kernel stamps what arrives; not long, for it may never."""
    for _ in range(STAMPING_TRIES):
        if not stamping.asked or stamping.works():
            return
        await trio.sleep(STAMPING_PAUSE_S)


async def work(task: Assignment, flights: LoadRun, words: AsyncIterator[ToWorker]) -> None:
    """Wait for the start, do the assignment, and send home what became of it."""
    outbox = flights.outbox
    go = await anext(words, None)
    if isinstance(go, Stop):  # before anything was sent
        return
    if not isinstance(go, Go):
        leave()
    send_act, acts = trio.open_memory_channel[Act](1)
    async with trio.open_nursery() as service:
        drain = trio.CancelScope()
        service.start_soon(outbox.report)
        service.start_soon(outbox.watch_lag)
        service.start_soon(flights.equipment.deadlines.watch)
        holding = flights.equipment.holding
        if holding is not None:
            service.start_soon(holding.let_go)
        if task.canary is not None:
            every_s = interval_s(task.plan.load)
            service.start_soon(sing, task.canary, flights.equipment, outbox, every_s)
        service.start_soon(obey, words, flights, drain, send_act)
        with drain:
            if task.directed:
                await follow(task, flights, acts)
            else:
                await fly(task, flights, go.start_ns)
        service.cancel_scope.cancel()
    await outbox.flush()
    if holding is not None:
        holding.close()


def main(argv: list[str]) -> None:
    """Run this process on the socket whose file descriptor the fleet passed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the fleet says when to stop
    home = socket.socket(fileno=int(argv[1]))
    trio.run(_serve_on, home)


async def _serve_on(home: socket.socket) -> None:
    home.settimeout(0)
    try:
        await serve(trio.SocketStream(trio.socket.from_stdlib_socket(home)))
    except* trio.BrokenResourceError:
        leave()


if __name__ == "__main__":
    main(sys.argv)
