"""The two ways of starting attempts: a closed loop of slots, an open loop of appointments.

Closed loop: `concurrency` slots, each starting its next attempt when its last one has ended. It
asks a slow target less, so its latencies flatter; its failing share does not depend on that.

Open loop: starts come from the pacer, whatever became of the earlier ones. What is due while the
cap is full is recorded as `not-sent`, never forgotten and never sent late in a burst. The same
happens to what became due while this very process stood still (stopped, suspended, starved): the
target never gets more than `LATEST_NS` worth of it at once.

When the user lets the run stand still, neither loop starts anything; afterwards both go on as if
that time had not been, so nothing is made up for and nothing counts as not sent.

A failure never stops or slows either; only a slot whose attempt ended at once without a connection
pauses, because it would otherwise spin a core against nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic_ns

import trio

from stress.engine.worker.attempt import Attempt, AttemptSpec, WorkerContext
from stress.engine.worker.batcher import Batcher
from stress.engine.worker.pacing import SECOND, Start
from stress.engine.worker.schedule import AttemptSource
from stress.model.outcome import NOT_SENT, Stage
from stress.model.record import Flag, Record

REFUSAL_PAUSE_S = 0.05
LATEST_NS = 500_000_000
"""How late an attempt may start in the open loop. Above the lag of a busy machine, so that this
does not thin out the load; below what a target could tell from a burst."""
STOOD_STILL = "we stood still when it was due"
NOT_WRITTEN = "our rows could not be written as fast as they came"
SLOTS_PER_SECOND = 2_000
"""How fast all workers together fill their slots: a burst of SYNs would only measure the target's
accept queue."""


@dataclass(slots=True)
class LoadRun:
    """Draws jobs while the assignment lasts, flies them, and keeps what became of them."""

    equipment: WorkerContext
    schedule: AttemptSource
    outbox: Batcher
    next_id: int
    workers: int
    left: int | None
    """Attempts this worker may still start; None: no count limits it."""
    until_ns: int | None = None
    """Monotonic time after which nothing is due any more; None: no duration limits it."""
    warm_until_ns: int = 0
    """Monotonic time before which whatever is due is a warm-up."""
    sources: tuple[str, ...] = ()
    client: int | None = None
    """The only client that asks now; None: all of them, as they are dealt."""
    segment: int = 0
    """The segment that goes on, in a directed run."""
    stopping: trio.Event = field(default_factory=trio.Event)
    """Nothing more is started: of the segment, or of the run when it is `over`."""
    over: bool = False
    stood_ns: int = 0
    """How long the user let the run stand still so far; appointments come so much later."""
    _still_since_ns: int | None = None
    _awake: trio.Event = field(default_factory=trio.Event)

    @property
    def still(self) -> bool:
        """Whether nothing may be started just now."""
        return self._still_since_ns is not None and not self.stopping.is_set()

    def stand(self) -> None:
        """Start nothing for now."""
        if self._still_since_ns is None:
            self._still_since_ns, self._awake = monotonic_ns(), trio.Event()

    def go_on(self) -> None:
        """Start again; what ends or bounds this assignment by time moves by the time stood."""
        if self._still_since_ns is None:
            return
        stood_ns, self._still_since_ns = monotonic_ns() - self._still_since_ns, None
        self.stood_ns += stood_ns
        self.warm_until_ns += stood_ns
        if self.until_ns is not None:
            self.until_ns += stood_ns
        self._awake.set()

    async def turn(self) -> None:
        """Wait while the run stands still; a stop is heard, too, when it comes with `go_on`."""
        while self.still:
            await self._awake.wait()

    def job(self, due_ns: int, segment: int = 0) -> AttemptSpec | None:
        """The job that is due then; None when the assignment is over."""
        over = self.until_ns is not None and due_ns >= self.until_ns
        if over or self.left == 0 or self.stopping.is_set():
            return None
        draw = self.schedule.draw()
        number, self.next_id = self.next_id, self.next_id + self.workers
        self.left = self.left - 1 if self.left is not None else None
        self.outbox.started += 1
        return AttemptSpec(
            number,
            due_ns,
            draw.address,
            self.schedule.addresses[draw.address],
            draw.client if self.client is None else self.client,
            draw.source,
            self.sources[draw.source] if draw.source is not None else None,
            segment,
            Flag.WARM_UP if due_ns < self.warm_until_ns else 0,
            draw.local_port,
        )

    async def fly(self, job: AttemptSpec) -> Attempt:
        """Make the attempt; its row is kept even when we are cancelled in the middle."""
        attempt = Attempt(job, self.equipment)
        self.outbox.in_flight += 1
        try:
            record = await attempt.run()
        except trio.Cancelled:
            self.outbox.add(attempt.cancelled(), None)
            raise
        finally:
            self.outbox.in_flight -= 1
        self.outbox.add(record, attempt.chain, attempt.staple)
        return attempt

    def leave(self, job: AttemptSpec, why: str | None = None) -> None:
        """Keep the row of an attempt that was due and could not be sent: the cap full, or `why`."""
        offset, now = self.equipment.unix_offset_ns, monotonic_ns()
        blank = dict.fromkeys(Record._fields)
        told = blank | {
            "id": job.id,
            "due_ns": job.due_ns + offset,
            "started_ns": now + offset,
            "address": job.address_index,
            "source": job.source_index,
            "client": job.client,
            "outcome": NOT_SENT.name,
            "stage": Stage.RESOLVE,
            "total_ns": now - job.due_ns,
            "bytes_received": 0,
            "segment": job.segment,
            "flags": job.flags | (Flag.LOCAL_PRESSURE if why else 0),
            "detail": why,
        }
        self.outbox.add(Record(**told), None)  # type: ignore[arg-type]  # a row of mixed types


async def closed_loop(flights: LoadRun, slots: int) -> None:
    """Keep so many attempts in flight until the assignment is over."""
    async with trio.open_nursery() as nursery:
        for number in range(slots):
            nursery.start_soon(_slot, flights, number * flights.workers / SLOTS_PER_SECOND)


async def _slot(flights: LoadRun, delay_s: float) -> None:
    await pause(flights, delay_s)
    while (job := await _next(flights)) is not None:
        attempt = await flights.fly(job)
        if attempt.ended_at_once:
            await pause(flights, REFUSAL_PAUSE_S)
        if flights.outbox.is_full:
            await flights.outbox.room()


async def _next(flights: LoadRun) -> AttemptSpec | None:
    await flights.turn()
    return flights.job(monotonic_ns(), flights.segment)


async def open_loop(flights: LoadRun, starts: Iterator[Start], *, begin_ns: int, cap: int) -> None:
    """Start an attempt at each appointment until the assignment is over."""
    begin_ns -= flights.stood_ns
    async with trio.open_nursery() as nursery:
        for start in starts:
            due_ns = await _due(flights, begin_ns + start.offset_ns)
            job = flights.job(due_ns, start.segment)
            if job is None:
                return
            if flights.outbox.is_full:
                flights.leave(job, NOT_WRITTEN)
            elif len(nursery.child_tasks) >= cap:
                flights.leave(job)
            elif monotonic_ns() - due_ns > LATEST_NS:
                flights.leave(job, STOOD_STILL)
            else:
                nursery.start_soon(flights.fly, job)


async def _due(flights: LoadRun, appointment_ns: int) -> int:
    """Wait for an appointment, however often the run stands still meanwhile; gives its time."""
    while True:
        due_ns = appointment_ns + flights.stood_ns
        await pause(flights, (due_ns - monotonic_ns()) / SECOND)
        if not flights.still:
            return due_ns
        await flights.turn()


async def pause(flights: LoadRun, seconds: float) -> None:
    """Sleep so long, or until a stop is asked for; at least yield."""
    if seconds <= 0:
        await trio.lowlevel.checkpoint()
        return
    with trio.move_on_after(seconds):
        await flights.stopping.wait()
