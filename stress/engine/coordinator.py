"""One run from the first worker to the last: what they send is judged, kept, and watched.

The parent dials nothing. It judges, writes and counts, in one thread: while the sink writes, the
workers' sockets fill up and they wait. That is the back-pressure, and the reason that a slow disk
slows the run instead of losing rows.

A run ends in one of four ways: the plan is done; a signal (what is in flight gets a few seconds,
then it is `cancelled`; a second signal gives it none); a reason to stop (a goal is reached, the
target refuses everything), where what is in flight may end by itself, because the slow attempts are
the failing ones; or the record cannot be kept, and the dialling stops at once.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import current_thread, main_thread
from time import monotonic_ns, time_ns

import trio

from stress.engine.checks.circuit_breaker import CircuitBreaker
from stress.engine.checks.run_validity import RunValidity
from stress.engine.messages import Act, Assignment, Batch, FromWorker, Go, Halt, Join, Still, Stop
from stress.engine.recorder import Recorder
from stress.engine.worker_pool import Member, WorkerPool
from stress.errors import RecordError, UsageError
from stress.model.outcome import Side
from stress.model.plan import Close, Plan
from stress.model.record import Record
from stress.model.run import End, Progress, RunEnd
from stress.model.sink import LoadController, Sink
from stress.model.target import Address

# When a run stood still because its user wanted it to: how often, how long, and in which words.

_SECOND = 1_000_000_000


@dataclass(slots=True)
class Pauses:
    """Follows a wish that comes and goes. All times are Unix time, in nanoseconds."""

    _since_ns: int | None = None
    _over: list[tuple[int, int]] = field(default_factory=list)

    @property
    def on(self) -> bool:
        """Whether the run stands still just now."""
        return self._since_ns is not None

    def follow(self, now_ns: int, *, wish: bool) -> bool:
        """Take the wish over; gives whether that changed anything."""
        if wish == self.on:
            return False
        if self._since_ns is None:
            self._since_ns = now_ns
        else:
            self._over.append((self._since_ns, now_ns))
            self._since_ns = None
        return True

    def total_ns(self, now_ns: int) -> int:
        """How long it stood still so far, in all."""
        going_on = 0 if self._since_ns is None else now_ns - self._since_ns
        return sum(end - begin for begin, end in self._over) + going_on

    def sentences(self) -> tuple[str, ...]:
        """Each pause that is over, for the reader of the report."""
        return tuple(
            f"paused by the user (p) from {_clock(begin)} to {_clock(end)} UTC: nothing was dialled"
            f" in these {end // _SECOND - begin // _SECOND} s"
            for begin, end in self._over
        )


def _clock(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns / _SECOND, UTC):%H:%M:%S}"


TICK_S = 0.2
COMMIT_S = 0.5
LEAD_NS = 50_000_000
"""Between the word and the first start, so that every worker has heard it."""
COOL_DOWN_NS = 1_000_000_000
"""Between two segments of a conducted run: the target's queues shall be empty again."""
RATE_WINDOW_S = 3.0

Watch = Callable[[Progress], str | None]
"""Is told where the run stands; answers with the reason to stop it, or None to go on."""
Resolve = Callable[[], Awaitable[Sequence[Address]]]
Hear = Callable[[Sequence[Record]], None]
"""Is shown the records as they were kept."""
Wish = Callable[[], bool]
"""Whether the user wants the run to stand still just now."""


class Coordinator:
    """One run."""

    def __init__(
        self,
        plan: Plan,
        sink: Sink,
        watch: Watch | None,
        resolve: Resolve | None,
        conductor: LoadController | None,
        hear: Hear | None,
        first_id: int,
        canary: Address | None,
        still: Wish | None,
    ) -> None:
        self._plan, self._sink = plan, sink
        self._watch, self._resolve, self._conductor = watch, resolve, conductor
        self._show = hear
        self._first_id = first_id
        self._canary = canary
        self._still, self._pauses = still, Pauses()
        self._crew = WorkerPool()
        self._recorder = Recorder(plan, sink)
        self._health = RunValidity(plan)
        self._refusals = CircuitBreaker()
        self._addresses = list(plan.addresses)
        self._end = End.COMPLETED
        self._failure: RecordError | None = None
        self._begun_ns = 0
        self._unix_offset_ns = time_ns() - monotonic_ns()
        self._segment = 0
        """Number of the segment that goes on, in a conducted run."""
        self._recent: deque[tuple[int, int]] = deque()

    async def run(self) -> RunEnd:
        """Do the plan.

        Raises:
            UsageError: a worker cannot do it (nothing has been sent).
        """
        for index, address in enumerate(self._addresses):
            self._sink.add_address(index, address)
        async with trio.open_nursery() as service:
            service.start_soon(self._obey_signals)
            try:
                await self._crew.enlist(self._assignments())
                async with trio.open_nursery() as hearing:
                    for member in self._crew.members:
                        hearing.start_soon(self._hear, member)
                    await self._crew.assemble()
                    self._begun_ns = monotonic_ns()
                    # A signal may have come while not all of them were there to be told.
                    begins = self._end is End.COMPLETED
                    go = Go(self._begun_ns + LEAD_NS)
                    await self._crew.tell(go if begins else Stop(0.0))
                    service.start_soon(self._tick)
                    service.start_soon(self._look_up_again)
                    service.start_soon(self._conduct)
            finally:
                await self._crew.see_off()
            service.cancel_scope.cancel()
        return self._ending()

    def _assignments(self) -> list[Assignment]:
        workers = self._plan.load.processes
        reset, directed = self._plan.close is Close.RST, self._conductor is not None
        return [
            Assignment(
                self._plan,
                number,
                workers,
                self._unix_offset_ns,
                reset=reset,
                directed=directed,
                first_id=self._first_id,
                canary=self._canary,
            )
            for number in range(workers)
        ]

    # -- what the workers send -----------------------------------------------------------------

    async def _hear(self, member: Member) -> None:
        await self._crew.hear(member, self._understand)
        if member.has_died:
            self._health.lost_worker(member.number, member.in_flight)
        member.leave()

    def _understand(self, member: Member, word: FromWorker) -> None:
        if isinstance(word, Batch):
            self._health.heard(member.number, word.lags_ns, word.cpu_ns)
            self._health.sang(word.canaries)
            if self._conductor is not None:
                self._conductor.sang(word.canaries)
            self._keep(word)

    def _keep(self, batch: Batch) -> None:
        """Pass a batch on; when it cannot be kept, the run stops dialling."""
        try:
            records = self._recorder.take(batch.records, batch.chains, batch.staples, batch.stapled)
            self._recorder.keep(batch.transcripts)
        except RecordError as error:
            self._fail(error)
            return
        self._health.saw(records)
        if self._conductor is not None:
            self._conductor.take(records)
        if self._show is not None:
            self._show(records)

    def _commit(self) -> None:
        try:
            self._sink.commit(self._crew.started)
        except RecordError as error:
            self._fail(error)

    def _fail(self, error: RecordError) -> None:
        if self._failure is None:
            self._failure = error
            self._end = End.STOPPED
            self._health.note(error.message)

    # -- what goes on beside -------------------------------------------------------------------

    async def _obey_signals(self) -> None:
        """First signal: stop and drain. Second: stop now."""
        if current_thread() is not main_thread():
            return
        drain_s = self._plan.limits.drain_s
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            async for _ in signals:
                self._end = End.INTERRUPTED
                await self._crew.tell(Stop(drain_s))
                drain_s = 0.0

    async def _tick(self) -> None:
        """Commit, show progress, and stop where there is a reason; several times a second."""
        committed = trio.current_time()
        while self._failure is None:
            await trio.sleep(TICK_S)
            self._health.look()
            if trio.current_time() - committed >= COMMIT_S:
                committed = trio.current_time()
                self._commit()
            await self._ask_whether_to_stop()
            await self._ask_whether_to_stand()
        await self._crew.tell(Stop(0.0))

    async def _ask_whether_to_stand(self) -> None:
        wish = self._still is not None and self._still() and self._end is End.COMPLETED
        if self._pauses.follow(self._now_ns, wish=wish):
            await self._crew.tell(Still(wish))

    async def _ask_whether_to_stop(self) -> None:
        progress = self._progress()
        reason = self._watch(progress) if self._watch is not None else None
        if reason is None and self._plan.load.stop_on_refusal:
            reason = await self._spare(self._refusals.judge(progress))
        if reason is not None and self._end is End.COMPLETED:
            self._end = End.STOPPED
            self._health.note(reason)
            await self._crew.tell(Stop(self._patience_s))

    async def _spare(self, refusal: str | None) -> str | None:
        """Leave a target alone that refuses everything: in a search it is the step that ends."""
        if refusal is None or self._conductor is None:
            return refusal
        await self._crew.tell(Halt(self._segment))
        return None

    @property
    def _patience_s(self) -> float:
        """Long enough for every attempt in flight to end by itself."""
        return self._plan.limits.attempt_s + 1

    async def _conduct(self) -> None:
        """One segment after the other, each when the last one has landed everywhere."""
        conductor = self._conductor
        if conductor is None:
            return
        while self._end is End.COMPLETED and (segment := conductor.next()) is not None:
            self._refusals.begin()
            await self._crew.tell(Act(segment, self._segment, monotonic_ns() + COOL_DOWN_NS))
            for member in self._crew.members:
                await member.landed_at(self._segment)
            self._segment += 1
        await self._crew.tell(Stop(self._patience_s))

    async def _look_up_again(self) -> None:
        """Resolve the name when its answer has aged; new addresses join."""
        if self._resolve is None or self._plan.resolve_again_s is None:
            return
        while True:
            await trio.sleep(self._plan.resolve_again_s)
            for address in await self._resolve():
                if address not in self._addresses:
                    self._sink.add_address(len(self._addresses), address)
                    self._addresses.append(address)
                    self._health.joined(address)
                    await self._crew.tell(Join(address))

    # -- what there is to tell -----------------------------------------------------------------

    def _progress(self) -> Progress:
        now, sides, load = monotonic_ns(), self._recorder.sides, self._plan.load
        self._recent.append((now, self._recorder.ended))
        while now - self._recent[0][0] > RATE_WINDOW_S * 1e9:
            self._recent.popleft()
        before, ended = self._recent[0]
        return Progress(
            elapsed_s=(now - self._begun_ns) / 1e9,
            total=load.count,
            duration_s=load.duration_s,
            started=self._crew.started,
            ended=self._recorder.ended,
            failed=sides[Side.TARGET],
            ours=sides[Side.OURS],
            not_sent=sides[Side.NOT_SENT],
            chains=self._recorder.chains,
            in_flight=self._crew.in_flight,
            rate=(self._recorder.ended - ended) / max(1e-9, (now - before) / 1e9),
            lag_ns=self._health.last_lag_ns,
            stood_s=self._pauses.total_ns(self._now_ns) / 1e9,
        )

    def _ending(self) -> RunEnd:
        if self._failure is None:
            self._commit()
        self._pauses.follow(self._now_ns, wish=False)
        for sentence in self._pauses.sentences():
            self._health.note(sentence)
        self._health.check(self._recorder.sides, self._recorder.ended, self._recorder.chains)
        nobody = all(member.has_died for member in self._crew.members)
        return RunEnd(
            end=self._end,
            # As all times of the run: a clock that is set meanwhile changes no duration.
            ended_ns=self._now_ns,
            started=self._crew.started,
            reasons=self._health.reasons,
            invalid=self._failure is not None or nobody or self._health.invalid,
            lag_p99_ns=self._health.lag_p99_ns,
            stood_ns=self._pauses.total_ns(self._now_ns),
        )

    @property
    def _now_ns(self) -> int:
        return monotonic_ns() + self._unix_offset_ns


def run(
    plan: Plan,
    sink: Sink,
    *,
    watch: Watch | None = None,
    resolve: Resolve | None = None,
    conductor: LoadController | None = None,
    hear: Hear | None = None,
    first_id: int = 0,
    canary: Address | None = None,
    still: Wish | None = None,
) -> RunEnd:
    """Do the plan with worker processes, feeding the sink; blocks until the run is over.

    Args:
        plan: what to do.
        sink: keeps what is seen; called from this thread only.
        watch: is told several times a second where the run stands, and may stop it.
        resolve: answers the target's addresses again (only asked when the plan says so).
        conductor: chooses the load segment by segment, instead of the plan's own load.
        hear: is shown the records as they were kept.
        first_id: where the ids of the attempts begin; above those of a run that is taken up.
        canary: a known-good server on this machine, asked by the same workers now and then.
        still: says whether the run shall stand still; only for a run that nothing conducts.

    Raises:
        UsageError: the plan cannot be done; nothing has been sent.
    """
    fleet = Coordinator(plan, sink, watch, resolve, conductor, hear, first_id, canary, still)
    return trio.run(_unwrap, fleet)


async def _unwrap(fleet: Coordinator) -> RunEnd:
    """Let a usage error leave the nurseries as itself, not as a group of one."""
    try:
        return await fleet.run()
    except BaseExceptionGroup as group:
        refused, others = group.split(UsageError)
        if refused is None or others is not None:
            raise
        raise _first(refused) from None


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
