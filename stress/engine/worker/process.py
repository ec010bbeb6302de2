"""One worker process: one Trio loop that opens connections and sends home what became of them.

The coordinator starts it with the number of a socket, and everything else comes over that socket.
The worker never outlives the coordinator: an end of file on the socket ends it.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from threading import current_thread, main_thread
from time import monotonic_ns
from typing import NoReturn

import trio

from stress.engine import messages
from stress.engine.messages import ToWorker, receive, to_worker
from stress.engine.worker import dial, loops
from stress.engine.worker.attempt import Attempt, WorkerContext
from stress.engine.worker.batcher import Batcher
from stress.engine.worker.dialogue_attempt import DialogueAttempt, openings
from stress.engine.worker.held_connections import HeldConnections
from stress.engine.worker.identify import HeaderQuestion
from stress.engine.worker.loops import LoadRun
from stress.engine.worker.pacing import SECOND, points_of, shape, start_times
from stress.engine.worker.schedule import Sessions
from stress.engine.worker.tickets import TicketSampler
from stress.engine.worker.timestamps import stamping
from stress.engine.worker.transcript_sampler import KeyLogSwitch, TranscriptSampler
from stress.errors import StressError
from stress.handshake import KeyLog, factories
from stress.model.plan import Close, Stack


async def serve(stream: trio.SocketStream) -> None:
    """Receive the assignment, run it, and send everything home."""
    commands = receive(stream, to_worker)
    assignment = await anext(commands, None)
    if not isinstance(assignment, messages.Assignment):
        exit_now()
    batcher = Batcher(stream)
    try:
        run = make_load_run(assignment, batcher)
    except StressError as error:
        await batcher.send(messages.Rejected(error.message, error.hint))
        return
    async with stamping():
        await batcher.send(messages.Ready())
        start = await anext(commands, None)
        if isinstance(start, messages.StartRun):
            await run_assignment(run, start.start_ns, commands)
        elif not isinstance(start, messages.StopRun):
            exit_now()
    await batcher.send(messages.WorkerDone())


def exit_now() -> NoReturn:
    """End at once: the coordinator is gone, and nobody is left to report to."""
    os._exit(os.EX_UNAVAILABLE)


def make_load_run(assignment: messages.Assignment, batcher: Batcher) -> LoadRun:
    """Make this worker's part of the load, and everything its attempts share.

    Raises:
        UsageError: the stack cannot speak a client, or the client certificate cannot be used.
    """
    plan, load, worker = assignment.plan, assignment.plan.load, assignment.worker
    workers, reset = load.processes, plan.close is Close.RST
    makers, keeping = factories(plan), plan.keeping
    keeps = keeping.per_signature and keeping.total_bytes
    question = HeaderQuestion.of(plan)
    # One name for each connection is enough.
    reads = plan.ticket_names is not False and question is None
    if keeps or reads:
        key_log = KeyLog()
        if keeps:
            total_bytes = keeping.total_bytes // workers
            batcher.sampler = TranscriptSampler(keeping.per_signature, total_bytes, key_log)
        shown = (plan.stack_of(client) is Stack.OPENSSL for client in plan.clients)
        makers = tuple(
            KeyLogSwitch(plain, logged, batcher.sampler, shows)
            for plain, logged, shows in zip(makers, factories(plan, key_log), shown, strict=True)
        )
    context = WorkerContext(
        makers,
        plan.limits,
        dial.Ports(plan.seed, worker, workers),
        reset=reset,
        unix_offset_ns=assignment.unix_offset_ns,
        preamble=dial.preamble(plan.proxy_protocol),
        proxy=plan.proxy.address if plan.proxy else None,
        dialogues=openings(plan),
        sampler=batcher.sampler,
        tickets=TicketSampler(assignment.seed, plan.ticket_names is True) if reads else None,
        question=question,
        held=HeldConnections(load.hold_s, reset) if load.hold_s else None,
        sessions=Sessions(plan.resumption, len(plan.clients), seed=assignment.seed)
        if plan.resumption
        else None,
    )
    kind = DialogueAttempt if context.dialogues else Attempt
    return LoadRun(assignment, context, batcher, kind)


async def run_assignment(run: LoadRun, start_ns: int, commands: AsyncIterator[ToWorker]) -> None:
    """Run the load while the coordinator's commands are followed; then send the last batch."""
    batcher, held, canary = run.batcher, run.context.held, run.assignment.canary
    send_segment, segments = trio.open_memory_channel[messages.RunSegment](1)
    if current_thread() is main_thread():
        signal.signal(signal.SIGCONT, lambda *_: run.continue_after_stop())
    async with trio.open_nursery() as service:
        drain = trio.CancelScope()
        service.start_soon(run.follow_coordinator)
        service.start_soon(batcher.send_batches)
        service.start_soon(run.context.reactor.run, batcher.add_lag)
        if held is not None:
            service.start_soon(held.watch)
        if canary is not None:
            service.start_soon(loops.probe_canary, canary, run)
        service.start_soon(follow_commands, commands, run, drain, send_segment)
        with drain:
            if run.assignment.directed:
                await run_segments(run, segments)
            else:
                await run_load(run, start_ns)
        run.cancel()
        service.cancel_scope.cancel()
    await batcher.flush()
    if held is not None:
        held.close()


async def follow_commands(
    commands: AsyncIterator[ToWorker],
    run: LoadRun,
    drain: trio.CancelScope,
    segments: trio.MemorySendChannel[messages.RunSegment],
) -> None:
    """Follow the coordinator's commands during the run."""
    async for message in commands:
        if isinstance(message, messages.StopRun):
            run.over = True
            run.stopping.set()
            run.resume()
            drain.deadline = min(drain.deadline, trio.current_time() + message.drain_s)
            segments.close()
        elif isinstance(message, messages.SetPaused):
            (run.pause if message.paused else run.resume)()
        elif isinstance(message, messages.AddAddress):
            run.addresses.append(message.address)
        elif isinstance(message, messages.EndSegment):
            if message.number == run.segment:
                run.stopping.set()
        elif isinstance(message, messages.RunSegment):
            with suppress(trio.ClosedResourceError):  # a signal came in between
                await segments.send(message)
    exit_now()


async def run_load(run: LoadRun, start_ns: int) -> None:
    """Run the plan's own load; returns when its last attempt has ended."""
    plan, worker = run.assignment.plan, run.assignment.worker
    load, segments = plan.load, shape(plan.load)
    if load.duration_s is not None:
        run.until_ns = start_ns + int(load.duration_s * SECOND)
    run.warm_until_ns = start_ns + int(load.warm_up_s * SECOND)
    await trio.sleep(max(0, start_ns - monotonic_ns()) / SECOND)
    if plan.replay is not None and not plan.replay.at_load:
        await loops.replay_rounds(run, plan.replay)
    elif segments:
        starts = start_times(segments, points_of(load, worker, seed=plan.seed))
        await loops.open_loop(run, starts, begin_ns=start_ns, cap=run.part_of(load.concurrency))
    else:
        await loops.closed_loop(run, run.part_of(load.concurrency))


async def run_segments(
    run: LoadRun, segments: trio.MemoryReceiveChannel[messages.RunSegment]
) -> None:
    """Run one segment after the other as they are received, and report when each is done."""
    plan, sessions = run.assignment.plan, run.context.sessions
    async for message in segments:
        segment, number, start_ns = message.segment, message.number, message.start_ns
        run.segment, run.client = number, segment.client
        if isinstance(sessions, Sessions):
            ours = plan.resumption if segment.resumption is None else segment.resumption
            sessions.resumption = ours
        if not run.over:  # the last segment may have been ended early
            run.stopping = trio.Event()
        if segment.slots is None:
            load = replace(plan.load, segments=(segment,))
            points = points_of(load, run.assignment.worker, seed=number)
            starts = start_times((segment,), points, first=number)
            await loops.open_loop(run, starts, begin_ns=start_ns, cap=run.part_of(load.concurrency))
        else:
            await run.sleep((start_ns - monotonic_ns()) / SECOND)
            run.until_ns = start_ns + int(segment.seconds * SECOND)
            await loops.closed_loop(run, run.part_of(segment.slots))
            run.until_ns = None
        await run.batcher.flush()
        await run.batcher.send(messages.SegmentDone(number))


def main(argv: list[str]) -> None:
    """Run this process on the socket whose file descriptor the coordinator passed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator says when to stop
    gc.freeze()  # what was imported stays: neither meanwhile nor at the end look it through
    home = trio.socket.from_stdlib_socket(socket.socket(fileno=int(argv[1])))
    try:
        trio.run(serve, trio.SocketStream(home))
    except* trio.BrokenResourceError:
        exit_now()
    gc.freeze()


if __name__ == "__main__":
    main(sys.argv)
