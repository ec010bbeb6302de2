"""Runs one load test: starts the workers, judges and stores what they send, decides when to stop.

The coordinator opens no connections. It judges, writes and counts in one thread: while the sink
writes, the workers' sockets fill up and they wait. That is the back-pressure, and the reason that
a slow disk slows the run instead of losing rows.

A run ends in one of four ways: the plan is done; a signal (attempts in flight get a few seconds,
then they are `cancelled`; a second signal gives them none); a reason to stop (a goal is reached, or
the target refuses everything), where attempts in flight may finish, because the slow ones are the
failing ones; or rows cannot be stored, and no more connections are opened.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import current_thread, main_thread
from time import monotonic_ns, time_ns

import trio

from stress.engine import messages
from stress.engine.checks.refusals import CircuitBreaker
from stress.engine.checks.run_validity import RunValidity
from stress.engine.messages import from_worker, receive
from stress.engine.recorder import Recorder
from stress.engine.worker_pool import WorkerHandle, WorkerPool
from stress.errors import RecordError, UsageError
from stress.host.clocks import now
from stress.model.observer import LoadController, Observer, Sink
from stress.model.outcome import Side
from stress.model.plan import Address, Plan
from stress.model.run import End, Progress, RunEnd

_SECOND = 1_000_000_000
TICK_S = 0.2
COMMIT_S = 0.5
MOST_UNCOMMITTED = 2_000
"""Rows at risk. With the delays of a batch and a tick, it is also never more than a second's."""
LEAD_NS = 50_000_000
"""Between the message and the first start, so that every worker has received it."""
COOL_DOWN_NS = 1_000_000_000
"""Between two segments of a controlled run, so that the target's queues are empty again."""
RATE_WINDOW_NS = 3 * _SECOND
QUIET_NS = _SECOND
"""Without any outcome for this long, none are only waiting for their batch."""

Resolve = Callable[[], Awaitable[Sequence[Address]]]
Begin = Callable[[], int | None]
"""Waits, in a thread, until the run may begin; the monotonic time of its start. None: never."""


@dataclass(slots=True)
class Pauses:
    """The times when the user paused the run, or a signal stopped it. All times are Unix time."""

    _since_ns: int | None = None
    _over: list[tuple[int, int]] = field(default_factory=list)
    _stops: list[tuple[int, int]] = field(default_factory=list)
    """By a signal; where several processes report one, it counts once."""

    def follow(self, now_ns: int, *, wish: bool) -> bool:
        """Pause or resume as wished; returns whether that changed anything."""
        if wish == (self._since_ns is not None):
            return False
        if self._since_ns is None:
            self._since_ns = now_ns
        else:
            self._over.append((self._since_ns, now_ns))
            self._since_ns = None
        return True

    def add_stop(self, begin_ns: int, end_ns: int) -> None:
        """Add what a worker reported, joined with what overlaps it."""
        apart = [(b, e) for b, e in self._stops if e < begin_ns or b > end_ns]
        same = [stop for stop in self._stops if stop not in apart] + [(begin_ns, end_ns)]
        joined = (min(begin for begin, _ in same), max(end for _, end in same))
        self._stops = sorted([*apart, joined])

    def total_ns(self, now_ns: int) -> int:
        """Return how long the run was paused so far, in all."""
        current = 0 if self._since_ns is None else now_ns - self._since_ns
        return sum(end - begin for begin, end in self._over + self._stops) + current

    def sentences(self) -> tuple[str, ...]:
        """Describe each pause that is over, for the report."""
        sentences = []
        told = [(*pause, "paused by the user (p)") for pause in self._over]
        told += [(*stop, "stopped by a signal (SIGSTOP or Ctrl-Z)") for stop in self._stops]
        for begin, end, how in sorted(told):
            since, until = (datetime.fromtimestamp(at_ns // _SECOND, UTC) for at_ns in (begin, end))
            sentences.append(
                f"{how} from {since:%H:%M:%S} to {until:%H:%M:%S} UTC: no connections were opened"
                f" for {end // _SECOND - begin // _SECOND} s"
            )
        return tuple(sentences)


class RateMeter:
    """How many attempts end a second, over the last few seconds. Times are monotonic nanoseconds.

    Outcomes arrive in batches, so the rate is counted from one batch to another: between the last
    batch and now attempts ended, too, that nobody has reported yet.
    """

    def __init__(self) -> None:
        self._batches: deque[tuple[int, int]] = deque()

    def add(self, now_ns: int, ended: int) -> None:
        """A batch arrived; so many attempts have ended by now."""
        self._batches.append((now_ns, ended))
        while len(self._batches) > 2 and now_ns - self._batches[1][0] >= RATE_WINDOW_NS:
            self._batches.popleft()

    def rate(self, now_ns: int) -> float:
        """Attempts a second; without news for longer than a batch takes, it falls."""
        if not self._batches:
            return 0.0
        (first_ns, before), (last_ns, ended) = self._batches[0], self._batches[-1]
        until_ns = last_ns if now_ns - last_ns <= QUIET_NS else now_ns
        if now_ns - last_ns > RATE_WINDOW_NS or until_ns <= first_ns:
            return 0.0
        return (ended - before) * _SECOND / (until_ns - first_ns)


@dataclass(slots=True, eq=False)
class Coordinator:
    """One run; see `run` for what it is given."""

    plan: Plan
    sink: Sink
    observers: Sequence[Observer] = ()
    controller: LoadController | None = None
    resolve: Resolve | None = None
    first_id: int = 0
    canary: Address | None = None
    begin: Begin | None = None
    _pauses: Pauses = field(default_factory=Pauses)
    _pool: WorkerPool = field(default_factory=WorkerPool)
    _meter: RateMeter = field(default_factory=RateMeter)
    _circuit_breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    _recorder: Recorder = field(init=False)
    _validity: RunValidity = field(init=False)
    _end: End = End.COMPLETED
    _failure: RecordError | None = None
    _begun_ns: int = 0
    _committed_ns: int = 0
    _uncommitted: int = 0
    _unix_offset_ns: int = field(default_factory=lambda: time_ns() - monotonic_ns())
    _segment: int = 0
    """Number of the current segment, in a controlled run."""

    def __post_init__(self) -> None:
        """Prepare to judge and to store what the workers send."""
        self._recorder, self._validity = Recorder(self.plan, self.sink), RunValidity(self.plan)
        if self.controller is not None:
            self.observers = [*self.observers, self.controller]

    async def run(self) -> RunEnd:
        """Run the plan.

        Raises:
            UsageError: a worker cannot run it (nothing has been sent).
        """
        for index, address in enumerate(self.plan.addresses):
            self.sink.add_address(index, address)
        assignments = [
            messages.Assignment(
                self.plan,
                number,
                self._unix_offset_ns,
                directed=self.controller is not None,
                first_id=self.first_id,
                canary=self.canary,
            )
            for number in range(self.plan.load.processes)
        ]
        async with trio.open_nursery() as service:
            service.start_soon(self._handle_signals)
            try:
                await self._pool.start(assignments)
                async with trio.open_nursery() as receiving:
                    for worker in self._pool.workers:
                        receiving.start_soon(self._receive, worker)
                    rejected = await self._pool.wait_until_ready()
                    # A signal may have come before all of them could be sent a stop.
                    start_ns = monotonic_ns() + LEAD_NS
                    if rejected is None and self.begin is not None:
                        agreed = await trio.to_thread.run_sync(self.begin, abandon_on_cancel=True)
                        start_ns = max(agreed or 0, monotonic_ns() + LEAD_NS)
                        if agreed is None:
                            rejected = messages.Rejected("the start was called off", None)
                    if rejected is None and self._end is End.COMPLETED:
                        self._begun_ns = start_ns - LEAD_NS
                        self._meter.add(self._begun_ns, 0)
                        await self._pool.broadcast(messages.StartRun(start_ns))
                        for task in (self._tick, self._look_up_again, self._conduct):
                            service.start_soon(task)
                    else:
                        await self._pool.broadcast(messages.StopRun(0.0))
            finally:
                await self._pool.shut_down()
            service.cancel_scope.cancel()
        if rejected is not None:
            raise UsageError(rejected.message, rejected.hint)
        return self._ending()

    # -- what the workers send -----------------------------------------------------------------

    async def _receive(self, worker: WorkerHandle) -> None:
        async with aclosing(receive(worker.stream, from_worker)) as received:
            async for message in received:
                worker.update(message)
                if isinstance(message, messages.Batch):
                    self._validity.add_worker_load(worker.number, message.lags_ns, message.cpu_ns)
                    self._validity.canaries.add(message.canaries)
                    for begin_ns, end_ns in message.stops:
                        offset_ns = self._unix_offset_ns
                        self._pauses.add_stop(begin_ns + offset_ns, end_ns + offset_ns)
                    if self.controller is not None:
                        self.controller.on_canary(message.canaries)
                    self._keep(message)
                if worker.done:  # not when it exits: that is bounded in `shut_down`
                    break
        if worker.has_died:
            self._validity.note(
                f"worker {worker.number} died: its {worker.in_flight:,} attempts in flight are"
                " lost, and its remaining attempts were not started"
            )
        worker.disconnect()

    def _keep(self, batch: messages.Batch) -> None:
        """Store a batch; when that fails, no more connections are opened."""
        try:
            records = self._recorder.add(batch)
        except RecordError as error:
            self._fail(error)
            return
        if records:
            self._meter.add(monotonic_ns(), self._recorder.ended)
        self._validity.add_records(records)
        for observer in self.observers:
            observer.on_records(records)
        self._uncommitted += len(records)
        self._commit_when_due()

    def _commit_when_due(self) -> None:
        """Also between two ticks: a coordinator that is behind has many batches to store."""
        late = monotonic_ns() - self._committed_ns >= COMMIT_S * _SECOND
        if late or self._uncommitted >= MOST_UNCOMMITTED:
            self._commit()

    def _commit(self) -> None:
        self._committed_ns, self._uncommitted = monotonic_ns(), 0
        try:
            self.sink.commit(self._pool.started)
        except RecordError as error:
            self._fail(error)

    def _fail(self, error: RecordError) -> None:
        if self._failure is None:
            self._failure = error
            self._end = End.STOPPED
            self._validity.note(error.message)

    # -- background tasks -------------------------------------------------------------------

    async def _handle_signals(self) -> None:
        """First signal: stop and drain. Second: stop now."""
        if current_thread() is not main_thread():
            return
        drain_s = self.plan.limits.drain_s
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            async for _ in signals:
                self._end = End.INTERRUPTED
                await self._pool.broadcast(messages.StopRun(drain_s))
                drain_s = 0.0

    async def _tick(self) -> None:
        """Commit, show progress, and stop where there is a reason; several times a second."""
        while self._failure is None:
            await trio.sleep(TICK_S)
            self._validity.clock_steps.sample(now())
            self._commit_when_due()
            await self._ask_whether_to_stop()
            wish = self._end is End.COMPLETED and any(o.wants_pause() for o in self.observers)
            if self._pauses.follow(self._now_ns, wish=wish):
                await self._pool.broadcast(messages.SetPaused(wish))
        await self._pool.broadcast(messages.StopRun(0.0))

    async def _ask_whether_to_stop(self) -> None:
        progress = self._progress()
        reasons = [observer.on_progress(progress) for observer in self.observers]
        reason = next((reason for reason in reasons if reason), None)
        if reason is None and self.plan.load.stop_on_refusal:
            reason = self._circuit_breaker.reason_to_stop(progress)
            if reason is not None and self.controller is not None:
                # In a search it is only the step that ends.
                await self._pool.broadcast(messages.EndSegment(self._segment))
                reason = None
        if reason is not None and self._end is End.COMPLETED:
            self._end = End.STOPPED
            self._validity.note(reason)
            await self._pool.broadcast(messages.StopRun(self._patience_s))

    @property
    def _patience_s(self) -> float:
        """Long enough for every attempt in flight to finish."""
        return self.plan.limits.attempt_s + 1

    async def _conduct(self) -> None:
        """Run one segment after the other, each when all workers are done with the last one."""
        controller = self.controller
        if controller is None:
            return
        longest_s = self.plan.load.duration_s
        while self._end is End.COMPLETED and (segment := controller.next_segment()) is not None:
            needed_s = self._progress().elapsed_s + segment.seconds + COOL_DOWN_NS / _SECOND
            if longest_s is not None and needed_s > longest_s:
                self._end = End.STOPPED
                self._validity.note(
                    f"the search was stopped: its next step of {segment.seconds:g} s would have"
                    f" exceeded --max-duration ({longest_s:g} s)"
                )
                break
            self._circuit_breaker.reset()
            await self._pool.broadcast(
                messages.RunSegment(segment, self._segment, monotonic_ns() + COOL_DOWN_NS)
            )
            for worker in self._pool.workers:
                await worker.wait_for_segment(self._segment)
            self._segment += 1
        await self._pool.broadcast(messages.StopRun(self._patience_s))

    async def _look_up_again(self) -> None:
        """Resolve the name again when its TTL has passed; new addresses are included."""
        if self.resolve is None or self.plan.resolve_again_s is None:
            return
        addresses = list(self.plan.addresses)
        while True:
            await trio.sleep(self.plan.resolve_again_s)
            for address in await self.resolve():
                if address not in addresses:
                    self.sink.add_address(len(addresses), address)
                    addresses.append(address)
                    self._validity.note(
                        f"{address} was added: the name was resolved again and had a new address"
                    )
                    await self._pool.broadcast(messages.AddAddress(address))

    # -- results -----------------------------------------------------------------

    def _progress(self) -> Progress:
        now_ns, sides, load = monotonic_ns(), self._recorder.sides, self.plan.load
        return Progress(
            elapsed_s=(now_ns - self._begun_ns) / 1e9,
            total=load.count,
            duration_s=load.duration_s,
            started=self._pool.started,
            ended=self._recorder.ended,
            failed=sides[Side.TARGET],
            ours=sides[Side.OURS],
            not_sent=sides[Side.NOT_SENT],
            chains=self._recorder.chains,
            in_flight=self._pool.in_flight,
            rate=self._meter.rate(now_ns),
            lag_ns=self._validity.last_lag_ns,
            stood_s=self._pauses.total_ns(self._now_ns) / 1e9,
        )

    def _ending(self) -> RunEnd:
        if self._failure is None:
            self._commit()
        self._pauses.follow(self._now_ns, wish=False)
        for sentence in self._pauses.sentences():
            self._validity.note(sentence)
        self._validity.check(self._recorder.sides, self._recorder.ended, self._recorder.chains)
        all_died = all(worker.has_died for worker in self._pool.workers)
        return RunEnd(
            end=self._end,
            # Like all times of the run: setting the wall clock meanwhile changes no duration.
            ended_ns=self._now_ns,
            started=self._pool.started,
            reasons=tuple(self._validity.reasons),
            invalid=self._failure is not None or all_died or self._validity.invalid,
            lag_p99_ns=self._validity.lag_p99_ns,
            stood_ns=self._pauses.total_ns(self._now_ns),
        )

    @property
    def _now_ns(self) -> int:
        return monotonic_ns() + self._unix_offset_ns


def run(
    plan: Plan,
    sink: Sink,
    observers: Sequence[Observer] = (),
    *,
    controller: LoadController | None = None,
    resolve: Resolve | None = None,
    first_id: int = 0,
    canary: Address | None = None,
    begin: Begin | None = None,
) -> RunEnd:
    """Run the plan with worker processes, feeding the sink; blocks until the run is over.

    Args:
        plan: what to do.
        sink: stores the records; called from this thread only.
        observers: watch the run; each may stop it, or pause it where no controller is given.
        controller: chooses the load segment by segment, instead of the plan's own load.
        resolve: resolves the target's addresses again (only called when the plan says so).
        first_id: the lowest id of an attempt; above all ids of a run that is resumed.
        canary: a known-good server on this machine, which the same workers test now and then.
        begin: called when all workers are ready, if the start is agreed upon with other machines.

    Raises:
        UsageError: the plan cannot be done; nothing has been sent.
    """
    coordinator = Coordinator(plan, sink, observers, controller, resolve, first_id, canary, begin)
    try:
        return trio.run(coordinator.run)
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt):  # Ctrl-C before our own handler stood
            raise KeyboardInterrupt from None
        raise
