"""How attempts are started: a closed loop of slots, an open loop of start times, or a replay.

Closed loop: `concurrency` slots, each starting its next attempt when its last one has ended. It
sends less load to a slow target, so its latencies flatter; its failure rate does not depend on it.

Open loop: starts come from the pacer, whatever became of the earlier ones. What is due while the
concurrency limit is reached is recorded as `not-sent`, never forgotten and never sent late in a
burst. The same happens to what became due while this very process was stalled (stopped, suspended,
starved): the target never gets more than `LATEST_NS` worth of it at once.

Replay: given combinations in a given order, in rounds with a pause between them.

While the user pauses the run, no loop starts anything; afterwards all continue as if no time had
passed, so nothing is caught up on and nothing counts as not sent. A signal that stops this process
or the coordinator (SIGSTOP, Ctrl-Z) is a pause, too. The coordinator is watched because a worker
has a process group of its own, which the terminal does not stop.

A failure never stops or slows a loop; only a slot whose attempt ended at once without a connection
waits a little, because it would otherwise spin a core against nobody.

Beside them runs the canary, a known-good server on this machine. Whatever makes it slow is not the
target: it is our event loop, our processor, our ports. So its times and failures are kept apart
from the target's, and are only used to check ourselves.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from time import monotonic_ns

import trio

from stress.engine.messages import Assignment
from stress.engine.worker.attempt import Attempt, AttemptSpec, WorkerContext
from stress.engine.worker.batcher import Batcher
from stress.engine.worker.pacing import SECOND, Start, part_of
from stress.engine.worker.schedule import Draw, draws, replayed
from stress.model.outcome import CANCELLED, NOT_SENT, OK, Stage
from stress.model.plan import Address, Load, Replay
from stress.model.record import Flag, Record

REFUSAL_PAUSE_S = 0.05
LATEST_NS = 500_000_000
"""How late an attempt may start in the open loop. Above the lag of a busy machine, so that this
does not thin out the load; below what a target could tell from a burst."""
STOPPED_NS = 200_000_000
"""A shorter stop is no pause but lag."""
COORDINATOR_LOOK_S = 0.1
CLIENT_STALLED = "the client was stalled when it was due"
NOT_WRITTEN = "rows could not be stored as fast as they came"
SLOTS_PER_SECOND = 2_000
"""How fast all workers together fill their slots: a burst of SYNs would only measure the target's
accept queue."""
REPLAY_PACE_S = 0.1
"""Between two attempts of a replay, which looks at single connections and must not be a load."""
ATTEMPTS_PER_CANARY = 100
SELDOM_S, OFTEN_S = 1.0, 0.1
"""Longest and shortest time between two canaries of one worker."""
_NOT_SENT_ROW = {"outcome": NOT_SENT.name, "stage": Stage.RESOLVE, "bytes_received": 0}
_BLANK = Record(**dict.fromkeys(Record._fields) | _NOT_SENT_ROW)  # type: ignore[arg-type]  # filled in by `record_not_sent`


@dataclass(slots=True)
class LoadRun:
    """This worker's part of the load: makes the attempts, and passes on their rows."""

    assignment: Assignment
    context: WorkerContext
    batcher: Batcher
    kind: type[Attempt] = Attempt
    """What an attempt is: with a dialogue before TLS, or without."""
    left: int | None = field(init=False)
    """Attempts this worker may still start; None: no count limits it."""
    until_ns: int | None = None
    """Monotonic time after which nothing is due any more; None: no duration limits it."""
    warm_until_ns: int = 0
    """Monotonic time before which whatever is due is a warm-up."""
    client: int | None = None
    """The only client that is used now; None: all of them, as they are drawn."""
    segment: int = 0
    """The current segment, in a directed run."""
    stopping: trio.Event = field(default_factory=trio.Event)
    """Nothing more is started: of the segment, or of the run when it is `over`."""
    over: bool = False
    cancelled: bool = False
    """Attempts in flight are not waited for any more."""
    paused_ns: int = 0
    """How long the user paused the run so far; start times move by as much."""
    _paused_since_ns: int | None = None
    _resumed: trio.Event = field(default_factory=trio.Event)
    _idle: trio.lowlevel.ParkingLot = field(default_factory=trio.lowlevel.ParkingLot)
    addresses: list[Address] = field(init=False)
    """A new one is appended."""
    _draws: Iterator[Draw] = field(init=False)
    _ids: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        """Take this worker's part of the count and of the ids, and what to draw from."""
        ours, plan, load = self.assignment, self.assignment.plan, self.assignment.plan.load
        self.addresses = list(plan.addresses)
        if plan.replay is not None and not plan.replay.at_load:
            self._draws = replayed(plan.replay)
        else:
            self._draws = draws(self.addresses, plan.clients, plan.sources, seed=ours.seed)
        self.left = None if load.count is None else self.part_of(load.count)
        self._ids = count(ours.first_id + ours.worker, load.processes)

    def part_of(self, total: int) -> int:
        """Return how many of `total` this worker gets when they are dealt in turn."""
        return part_of(total, self.assignment.worker, self.assignment.plan.load.processes)

    @property
    def paused(self) -> bool:
        """Whether nothing may be started now."""
        return self._paused_since_ns is not None and not self.stopping.is_set()

    def pause(self) -> None:
        """Start nothing for now."""
        if self._paused_since_ns is None:
            self._paused_since_ns, self._resumed = monotonic_ns(), trio.Event()

    def resume(self) -> None:
        """Start again; whatever limits this run by time moves by the length of the pause."""
        if self._paused_since_ns is None:
            return
        paused_ns, self._paused_since_ns = monotonic_ns() - self._paused_since_ns, None
        self._move(paused_ns)
        self._resumed.set()

    def continue_after_stop(self) -> None:
        """Count the time since this process was last awake as a pause. Called on SIGCONT."""
        begin_ns, end_ns = self.batcher.awake_ns, monotonic_ns()
        if end_ns - begin_ns < STOPPED_NS:
            return
        self.batcher.awake_ns = end_ns
        self.context.reactor.extend(end_ns - begin_ns)
        if self._paused_since_ns is None:
            self._move(end_ns - begin_ns)
            self.batcher.pending.stops.append((begin_ns, end_ns))

    async def follow_coordinator(self) -> None:
        """Pause while the coordinator is stopped, until cancelled. Only Linux shows that."""
        begin_ns = None
        while True:
            await trio.sleep(COORDINATOR_LOOK_S)
            stopped = _parent_is_stopped()
            if stopped and not self.paused:
                begin_ns = monotonic_ns()
                self.pause()
            elif begin_ns is not None and not stopped:
                self.resume()
                self.batcher.pending.stops.append((begin_ns, monotonic_ns()))
                begin_ns = None

    def _move(self, by_ns: int) -> None:
        """Let whatever is still to come be later."""
        self.paused_ns += by_ns
        self.warm_until_ns += by_ns
        if self.until_ns is not None:
            self.until_ns += by_ns

    async def wait_while_paused(self) -> None:
        """Wait until the run resumes, or stops, which resumes it, too."""
        while self.paused:
            await self._resumed.wait()

    async def sleep(self, seconds: float) -> None:
        """Sleep so long, or until a stop; at least yield."""
        if seconds <= 0:
            await trio.lowlevel.checkpoint()
            return
        with trio.move_on_after(seconds):
            await self.stopping.wait()

    def next_attempt(self, due_ns: int, segment: int = 0) -> AttemptSpec | None:
        """Return the attempt that is due then; None when the run is over."""
        over = self.until_ns is not None and due_ns >= self.until_ns
        if over or self.left == 0 or self.stopping.is_set():
            return None
        draw = next(self._draws)
        self.left = self.left - 1 if self.left is not None else None
        self.batcher.started += 1
        return AttemptSpec(
            next(self._ids),
            due_ns,
            draw.address,
            self.addresses[draw.address],
            draw.client if self.client is None else self.client,
            draw.source,
            self.assignment.plan.sources[draw.source] if draw.source is not None else None,
            segment,
            Flag.WARM_UP if due_ns < self.warm_until_ns else 0,
            draw.local_port,
        )

    def start(self, spec: AttemptSpec, then: Callable[[Attempt], None] | None = None) -> None:
        """Begin the attempt; its row is stored when it is over, and only then `then` is called.

        When it is we who end it (`cancel`), nothing follows.
        """

        def end(attempt: Attempt) -> None:
            self.batcher.in_flight -= 1
            self.batcher.add(attempt.record, attempt.chain, attempt.staple)
            if not self.batcher.in_flight:
                self._idle.unpark_all()
            if then is not None and not self.cancelled:
                then(attempt)

        self.batcher.in_flight += 1
        self.kind(spec, self.context, end).begin()

    async def wait_until_idle(self) -> None:
        """Wait until no attempt is in flight."""
        while self.batcher.in_flight:
            await self._idle.park()

    def cancel(self) -> None:
        """End what is in flight; the rows say so."""
        self.cancelled = True
        self.context.reactor.cancel()

    def record_not_sent(self, spec: AttemptSpec, why: str | None = None) -> None:
        """Store the row of an attempt that was due and not sent: limit reached, or `why`."""
        offset, now = self.context.unix_offset_ns, monotonic_ns()
        row = _BLANK._replace(
            id=spec.id,
            due_ns=spec.due_ns + offset,
            started_ns=now + offset,
            address=spec.address_index,
            source=spec.source_index,
            client=spec.client,
            total_ns=now - spec.due_ns,
            segment=spec.segment,
            flags=spec.flags | (Flag.LOCAL_PRESSURE if why else 0),
            detail=why,
        )
        self.batcher.add(row, None)


def _parent_is_stopped() -> bool:
    try:
        status = Path(f"/proc/{os.getppid()}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] == "T"


async def closed_loop(run: LoadRun, slots: int) -> None:
    """Keep so many attempts in flight until the run is over.

    A slot starts its next attempt in the very call that ends its last one. A task does so where the
    slot has to wait before (the run is paused, rows are not written, the target refuses), and where
    nothing was read: such attempts may end in the call that began them, one within the other.
    """
    used, all_over, load = slots, trio.Event(), run.assignment.plan.load

    def fill(ended: Attempt | None = None) -> None:
        nonlocal used
        was_idle = ended is not None and not ended.record.bytes_received
        if was_idle or run.paused or run.batcher.is_full:
            nursery.start_soon(fill_later, ended)
            return
        spec = run.next_attempt(monotonic_ns(), run.segment)
        if spec is not None:
            run.start(spec, fill)
            return
        used -= 1
        if not used:
            all_over.set()

    async def fill_later(ended: Attempt | None) -> None:
        if ended is not None and ended.ended_at_once:
            await run.sleep(REFUSAL_PAUSE_S)
        await run.batcher.wait_for_room()
        await run.wait_while_paused()
        fill()

    begin_ns, apart_ns = monotonic_ns(), load.processes * SECOND // SLOTS_PER_SECOND
    async with trio.open_nursery() as nursery:
        for number in range(slots):
            await run.sleep((begin_ns + number * apart_ns - monotonic_ns()) / SECOND)
            fill()
        if slots:
            await all_over.wait()


async def open_loop(run: LoadRun, starts: Iterator[Start], *, begin_ns: int, cap: int) -> None:
    """Start an attempt at each start time until the run is over."""
    begin_ns -= run.paused_ns
    for start in starts:
        due_ns = 0
        # The run may be paused while we wait, and the start time moves.
        while due_ns != (due_ns := begin_ns + start.offset_ns + run.paused_ns):
            await run.sleep((due_ns - monotonic_ns()) / SECOND)
            await run.wait_while_paused()
        spec = run.next_attempt(due_ns, start.segment)
        if spec is None:
            break
        if run.batcher.is_full:
            run.record_not_sent(spec, NOT_WRITTEN)
        elif run.batcher.in_flight >= cap:
            run.record_not_sent(spec)
        elif monotonic_ns() - due_ns > LATEST_NS:
            run.record_not_sent(spec, CLIENT_STALLED)
        else:
            run.start(spec)
    await run.wait_until_idle()


async def replay_rounds(run: LoadRun, replay: Replay) -> None:
    """Try everything in order; the next round begins after the last has ended, and a gap.

    So an outage falls into one of several rounds, and no combination is tried again while
    something on the way still remembers its last connection.
    """
    for number in range(replay.rounds):
        if number:
            await run.sleep(replay.gap_s)
        for _ in range(replay.round_size):
            await run.wait_while_paused()
            spec = run.next_attempt(monotonic_ns())
            if spec is None:
                break
            run.start(spec)
            await run.sleep(REPLAY_PACE_S)
        await run.wait_until_idle()


def canary_interval_s(load: Load) -> float:
    """Return the seconds between two canaries of one worker: about one per cent of the rate."""
    if not load.rate:
        return SELDOM_S
    return min(SELDOM_S, max(OFTEN_S, ATTEMPTS_PER_CANARY * load.processes / load.rate))


async def probe_canary(address: Address, run: LoadRun) -> None:
    """Probe the canary, one attempt at a time, and report its times, until cancelled."""
    every_s = canary_interval_s(run.assignment.plan.load)
    context = replace(run.context, held=None, sessions=None, sampler=None, preamble=None)
    while True:
        await trio.sleep(every_s)
        over = trio.Event()
        spec = AttemptSpec(-1, monotonic_ns(), 0, address, 0, None, None)
        attempt = Attempt(spec, context, lambda _: over.set())  # noqa: B023 - used up before the next
        attempt.begin()
        await over.wait()
        outcome, canaries = attempt.record.outcome, run.batcher.pending.canaries
        if outcome != CANCELLED.name:
            canaries.append(attempt.record.total_ns if outcome == OK.name else None)
