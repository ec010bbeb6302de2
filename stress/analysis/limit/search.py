"""The search for the limit: which offered rate is the highest at which a goal still holds.

Each step offers one rate, in an open loop, for some seconds; or, where the concurrency is searched
for, keeps so many attempts in flight. "p99 of the total latency below 250 ms and fewer than 0.1%
failing" is two proportions: less than 1% slower (or failed, or not sent), and less than 0.1%
failed; each is tested (see `Trial`). Where the concurrency limit is reached so often that more than
1% cannot be sent, the target gave way, whatever the goals are. A step that cannot be decided is
repeated for twice as long. One whose latencies grow from its first third to its last is a queue
that has not overflowed yet, and does not count as good.

The search doubles the rate until a step gives way, halves the interval in ratio, and confirms the
highest rate that held once more for long. A step in which our own starts were late says nothing
about the target: it is repeated for longer, then it bounds the search. Where this machine is met
first, the rest of the interval is tried for `OWN_S` at most, and the answer names both bounds.

Several searches may follow each other in one run, one for each kind of handshake, so that "how many
more does it take with ECDSA, with TLS 1.3, resumed?" has an answer: each kind meets the same target
within minutes, alone. Kinds differ in the client, in whether sessions are offered, and in what is
increased: the rate, or the number in flight.

Pure: given the records of each step, it answers what to offer next.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil, floor, log, log2, sqrt
from typing import NamedTuple

from stress.analysis.goals.goal import UPPER, Goal, Subject
from stress.analysis.latency import phase_ns
from stress.analysis.proportions.estimate import effective
from stress.errors import UsageError
from stress.model.limit import (
    SLOW,
    SLOW_ANSWER,
    SLOW_CONNECT,
    Knob,
    Limit,
    SearchState,
    Standing,
    Step,
)
from stress.model.observer import LoadController
from stress.model.outcome import NOT_SENT as UNSENT
from stress.model.outcome import Side, side_of
from stress.model.plan import Plan, Segment, Sweep
from stress.model.record import Flag, Record
from stress.model.run import Phase

RATIO = 1.03
"""The search ends when the lowest failing rate is within this of the highest that held."""
STEP_S = (5.0, 10.0, 20.0)
"""A step's length, and what it grows to while it is undecided. The first second is a warm-up."""
CONFIRM_S = 30.0
LONGEST_CONFIRM_S = 120.0
FAILURES_WORTH = 3.5
"""Attempts times allowed failure rate that a confirmation needs: 3.0 would do without any
failure."""
EXCUSES = 1
"""How often in one search a confirmation is repeated because we were late in it."""
OWN_S = 20.0
"""How long a search still goes on below a rate that this machine cannot offer."""
STEP_DOWN = 1.015
"""What a confirmation that gave way is divided by."""
CONFIRMATIONS = 10
LEAST_PASSED = 0.25
"""Where less than this gets through, refused attempts count against the limit, too."""
HIGHEST_RATE = 20_000.0
"""Handshakes a second above which a search for the limit does not go."""
_OVERFLOWED = "more than 1% were not sent: the concurrency limit was reached"
_GROWING = "the latencies keep growing"


class LimitSearch(LoadController):
    """Chooses what is offered.

    Args:
        goals: upper bounds on percentiles of latency and on the failure rate, all to hold.
        start: first rate a second, or first number of attempts in flight.
        ceiling: highest that is tried.
        knob: which of the two is increased.
        template: what its steps offer besides, where that is not the plan's whole mix; its rate
            and length are ignored.
        of: the same in words.

    Raises:
        UsageError: a goal that is not such a bound.
    """

    def __init__(
        self,
        goals: Sequence[Goal],
        *,
        start: float,
        ceiling: float,
        knob: Knob = Knob.RATE,
        template: Segment = Segment(0.0, 0.0),  # noqa: B008 - frozen
        of: str = "",
    ) -> None:
        for goal in goals:
            bound = goal.operator in UPPER and not goal.least_s
            if not bound or goal.subject not in {Subject.LATENCY, Subject.FAILING}:
                raise UsageError(
                    f"--find-limit {goal.text!r}: not an upper bound of a latency or failure rate",
                    "write 'p99.total<250ms, failing<0.1%'",
                )
        self._goals = tuple(goals)
        self._knob, self._template, self._of = knob, template, of
        self._ceiling = ceiling
        self._offered = min(start, ceiling)
        self._length = 0
        self._held: float | None = None
        self._failed: float | None = None
        self._failed_by: Standing | None = None
        self._gave_way = SLOW
        self._confirming = 0
        self._excuses = 0
        self._confirmed = False
        self._over = False
        self._own_s = OWN_S
        self._trials: list[Trial] = []
        self._lengths_s: list[float] = []
        self._pace = 1.0
        self._steps: list[Step] = []

    def on_records(self, records: Sequence[Record]) -> None:
        """Counts what ended in the current segment."""
        for record in records if self._trials else ():
            self._trials[-1].take(record, self._goals)

    def on_canary(self, totals_ns: Sequence[int | None]) -> None:
        """Adds how long handshakes with a healthy server on this machine took meanwhile."""
        if self._trials:
            self._trials[-1].canaries_ns.extend(totals_ns)

    def next_segment(self) -> Segment | None:
        """Judges the segment that ended, and chooses the next; None: the search is over."""
        if self._trials:
            trial = self._trials[-1]
            step = self._judged(trial)
            if step is None:
                # Undecided: repeat it for longer.
                self._excuses += self._confirming > 0
                self._length += not self._confirming
                return self._offer()
            self._pace = max(1.0, trial.total("attempts") / max(1.0, self._lengths_s[-1] - 1.0))
            self._steps.append(step)
            self._move(step.standing, trial)
            self._length, self._trials, self._lengths_s = 0, [], []
        if self._confirmed or self._over or self._confirming > CONFIRMATIONS:
            return None
        if self._held == self._ceiling and not self._confirming:
            self._confirming = 1
        # What this machine cannot test in full is not worth a confirmation, nor a long search.
        ours = self._failed_by is Standing.GENERATOR
        if self._offered < 1 or (ours and (self._confirming or self._own_s <= 0)):
            return None
        return self._offer()

    def limit(self) -> Limit:
        """The answer so far."""
        sure = [step for step in self._steps if step.sure]
        high = min((s.rate for s in sure if s.standing is Standing.GAVE_WAY), default=None)
        held = [step.rate for step in sure if step.standing is Standing.HELD]
        # From the steps, so that no sentence contradicts their table.
        target = min(self._rates(Standing.GAVE_WAY), default=None)
        sustained = max(self._rates(Standing.HELD, below=target), default=None)
        own = (rate for rate in self._rates(Standing.GENERATOR) if rate >= (sustained or 0.0))
        ours = min(own, default=None)
        ours_first = ours is not None and (target is None or (sustained or 0.0) < ours < target)
        return Limit(
            ", ".join(goal.text for goal in self._goals),
            tuple(self._steps),
            sustained,
            ours if ours_first else target,
            self._confirmed,
            self._gave_way,
            ours_first,
            max((rate for rate in held if high is None or rate < high), default=None),
            high,
            self._knob,
            self._of,
        )

    def state(self) -> SearchState:
        """How far it has come."""
        held, failed = self._held, self._failed
        after_s = 0.0 if self._confirming else None
        if not self._confirming and held and failed:
            halvings = ceil(max(0.0, log2(max(1.0, log(failed / held) / log(RATIO)))))
            after_s = STEP_S[0] * max(0, halvings - 1) + CONFIRM_S
        return SearchState(
            len(self._steps) + 1,
            self._offered,
            self._knob,
            self._lengths_s[-1] if self._lengths_s else STEP_S[0],
            max(1, len(self._trials)),
            self._confirming > 0,
            self._steps[-1] if self._steps else None,
            held,
            failed,
            after_s,
            self._of,
        )

    def _rates(self, standing: Standing, *, below: float | None = None) -> list[float]:
        """The rates of the steps that came out so."""
        rates = [step.rate for step in self._steps if step.standing is standing]
        return [rate for rate in rates if below is None or rate < below]

    def _offer(self) -> Segment:
        self._trials.append(Trial())
        self._lengths_s.append(self._seconds)
        if self._failed_by is Standing.GENERATOR:
            self._own_s -= self._seconds
        if self._knob is Knob.CONCURRENCY:
            return replace(self._template, seconds=self._seconds, slots=int(self._offered))
        return replace(self._template, rate=self._offered, seconds=self._seconds)

    @property
    def _seconds(self) -> float:
        if not self._confirming:
            return STEP_S[self._length]
        # Attempts a second: as offered; in a closed loop as in the step before.
        pace = self._offered
        if self._knob is Knob.CONCURRENCY:
            pace = self._pace
        smallest = min((g.value for g in self._goals if g.subject is Subject.FAILING), default=1.0)
        return min(LONGEST_CONFIRM_S, max(CONFIRM_S, FAILURES_WORTH / (smallest * pace)))

    def _judged(self, trial: Trial) -> Step | None:
        """How the step came out; None: undecided, and it may be repeated."""
        strict = self._confirming > 0
        final = self._excuses == EXCUSES if strict else self._length == len(STEP_S) - 1
        last = final or strict
        # However late we were: a target that takes most of the time fills the places by itself.
        slow = trial.overflowed() and trial.targets_time
        doubt = None if slow else trial.doubt()
        if doubt is not None:
            # Once a higher rate was beyond this machine, one look is enough.
            known = self._length > 0 or self._failed_by is Standing.GENERATOR
            ours = final if strict else known
            return self._step(trial, Standing.GENERATOR, doubt) if ours else None
        if trial.overflowed():
            return self._step(trial, Standing.GAVE_WAY, _OVERFLOWED)
        answers = [judge_goal(goal, trial.warm(), last=last, strict=strict) for goal in self._goals]
        refuted = next((answer for answer in answers if answer.holds is False), None)
        if refuted is not None:
            return self._step(trial, Standing.GAVE_WAY, refuted.reason, sure=refuted.sure)
        if trial.grows():
            return self._step(trial, Standing.GAVE_WAY, _GROWING) if last else None
        if any(answer.holds is None for answer in answers):
            return None
        reason = "; ".join(answer.reason for answer in answers)
        return self._step(trial, Standing.HELD, reason, sure=all(answer.sure for answer in answers))

    def _move(self, standing: Standing, trial: Trial) -> None:
        """Chooses what is offered next, by how the step came out."""
        whole = self._knob is Knob.CONCURRENCY
        if standing is Standing.HELD:
            self._held = self._offered
            self._confirmed = self._confirming > 0
        elif standing is Standing.GENERATOR and self._confirming:
            self._over = True  # it has not failed, but this machine cannot confirm it
        else:
            self._failed, self._failed_by = self._offered, standing
            self._gave_way = trial.gave_way()
            self._held = max(self._rates(Standing.HELD, below=self._offered), default=None)
        if self._confirmed:
            self._confirming = 0
        elif self._confirming:
            # A limiter with a large allowance for bursts lets short steps pass far above its rate:
            # what got through in this longer one is nearer to it.
            passed = 1.0 - trial.total("failed") / max(1, trial.total("attempts"))
            nearer = sqrt(STEP_DOWN / max(LEAST_PASSED, passed))
            self._offered = self._less(
                STEP_DOWN if self._confirming < 3 else max(STEP_DOWN, nearer)
            )
            self._confirming += 1
        elif self._failed is None:
            self._offered = min(self._ceiling, self._offered * 2)
        elif self._held is None:
            self._offered = self._less(2)
        elif self._failed / self._held <= RATIO or (whole and self._failed - self._held <= 1):
            # Nothing is left between the two: confirm what held.
            self._offered, self._confirming = self._held, 1
        else:
            middle = sqrt(self._failed * self._held)
            self._offered = round(middle) if whole else middle

    def _less(self, divisor: float) -> float:
        less = self._offered / divisor
        return less if self._knob is Knob.RATE else floor(less)

    def _step(self, trial: Trial, standing: Standing, reason: str, *, sure: bool = False) -> Step:
        return Step(
            self._offered,
            sum(self._lengths_s),
            sum(one.ended(Side.NOBODY) + one.ended(Side.TARGET) for one in self._trials),
            sum(one.ended(Side.TARGET) for one in self._trials),
            sum(one.ended(Side.NOT_SENT) for one in self._trials),
            trial.percentile_us(0.5),
            trial.percentile_us(0.99),
            standing,
            reason,
            sure,
            len(self._trials),
        )


class SearchSequence(LoadController):
    """Searches one after the other."""

    def __init__(self, searches: Sequence[LimitSearch]) -> None:
        self._searches = list(searches)
        self._now = 0

    def on_records(self, records: Sequence[Record]) -> None:
        """Counts what ended in the current segment."""
        self._searches[self._now].on_records(records)

    def on_canary(self, totals_ns: Sequence[int | None]) -> None:
        """Adds how long handshakes with a healthy server on this machine took meanwhile."""
        self._searches[self._now].on_canary(totals_ns)

    def next_segment(self) -> Segment | None:
        """The next segment of the current search, or the first of the one after it."""
        while (segment := self._searches[self._now].next_segment()) is None:
            if self._now == len(self._searches) - 1:
                return None
            self._now += 1
        return segment

    def state(self) -> SearchState:
        """How far the search that is under way has come."""
        return self._searches[self._now].state()

    def limits(self) -> tuple[Limit, ...]:
        """What each search that has begun found so far."""
        return tuple(search.limit() for search in self._searches[: self._now + 1])


def limit_searches(plan: Plan, goals: Sequence[Goal]) -> SearchSequence:
    """The searches of a plan, one for each kind of handshake that it sweeps.

    Raises:
        UsageError: a goal is not a bound that can be searched for.
    """
    kinds: list[tuple[Segment, str]] = []
    for index, client in enumerate(plan.clients if Sweep.CLIENTS in plan.sweep else ()):
        alone = Segment(0.0, 0.0, client=index)
        if plan.resumption:
            resumed = replace(alone, resumption=plan.resumption)
            kinds.append((replace(alone, resumption=0.0), f"{client.name}, full"))
            kinds.append((resumed, f"{client.name}, {plan.resumption:.0%} resumed"))
        else:
            kinds.append((alone, client.name))
    start, ceiling, knob = plan.load.rate or 1.0, HIGHEST_RATE, Knob.RATE
    if Sweep.CONCURRENCY in plan.sweep:
        start, ceiling, knob = 1, plan.load.concurrency, Knob.CONCURRENCY
    return SearchSequence(
        [
            LimitSearch(goals, start=start, ceiling=ceiling, knob=knob, template=template, of=words)
            for template, words in kinds or [(Segment(0.0, 0.0), "")]
        ]
    )


# One step: what became of its attempts, and whether a goal held in it. That is decided by the same
# clustered interval as the failure rate of a run, over blocks of one second, because failures under
# load come in bursts. What this machine held up itself never counts against the target's latency;
# where there is too much of it, the step says nothing about the target.

WARM_UP_NS = 1_000_000_000
BLOCK_NS = 1_000_000_000
LATE_NS = 50_000_000
"""Starts later than this (99th percentile), or as much lag, mean that the generator is at its
limit."""
NOT_SENT = 0.01
GROWTH = 1.5
GROWTH_NS = 20_000_000
OURS = 0.05
TARGETS_SHARE = 0.5
CANARY_NS = 100_000_000
"""A handshake with the healthy server on this machine that took longer waited for this machine."""
FEWEST_SLOW, SLOW_SHARE = 2, 0.1
"""So many slow ones, and more than this part of them, are this machine's doing."""


class GoalResult(NamedTuple):
    """How a goal came out in one step."""

    holds: bool | None
    """None: these attempts cannot decide it."""
    sure: bool
    """Decided by the figures alone, with 95% confidence; False: by the benefit of the doubt, or by
    the point value."""
    reason: str
    """The figures in words."""


@dataclass(slots=True)
class Trial:
    """What became of the attempts of one segment."""

    first_due_ns: int | None = None
    blocks: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Second -> how many attempts, and how many of them failed, were not sent, and missed each goal
    (by its text)."""
    totals_ns: list[tuple[int, int]] = field(default_factory=list)
    """Due time and total latency of what was sent."""
    late_ns: list[int] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    slow: Counter[str] = field(default_factory=Counter)
    """Where good attempts that were slower than a goal spent most of their time."""
    quick: Counter[str] = field(default_factory=Counter)
    """Where the other good ones did: what grows, but is not too slow yet."""
    canaries_ns: list[int | None] = field(default_factory=list)
    """How long handshakes with a healthy server on this machine took meanwhile; None: failed."""
    total_ns: int = 0
    """How long all that were sent took together."""
    target_ns: int = 0
    """How much of it was the target's."""
    ours: int = 0
    stalled: int = 0
    """Due while this process was stalled, and so not sent."""

    def take(self, record: Record, goals: Sequence[Goal]) -> None:
        """Counts one attempt."""
        if self.first_due_ns is None or record.due_ns < self.first_due_ns:
            self.first_due_ns = record.due_ns
        side = side_of(record.outcome)
        self.outcomes[record.outcome] += 1
        if side is Side.OURS:
            self.ours += 1
            return
        if side is Side.NOT_SENT and record.flags & Flag.LOCAL_PRESSURE:
            self.stalled += 1
            return
        # How long the attempt waited for this process: to be started, or to be read.
        own_ns = max(record.started_ns - record.due_ns, record.lag_ns or 0)
        if side is not Side.NOT_SENT:
            self.totals_ns.append((record.due_ns, record.total_ns))
            self.late_ns.append(own_ns)
            self.total_ns += record.total_ns
            self.target_ns += record.target_ns
        # What we held up says nothing about the target's latency, only whether it failed.
        if side is Side.NOBODY and own_ns > LATE_NS:
            return
        block = self.blocks[record.due_ns // BLOCK_NS]
        block["attempts"] += 1
        block["failed"] += side is Side.TARGET
        block["not-sent"] += side is Side.NOT_SENT
        missed = [goal for goal in goals if _misses(goal, record, side)]
        for goal in missed:
            block[goal.text] += 1
        if side is Side.NOBODY:
            connect_ns, server_ns = record.connect_ns or 0, record.server_ns or 0
            parts = {SLOW_ANSWER: server_ns, SLOW_CONNECT: connect_ns}
            parts[SLOW] = record.total_ns - connect_ns - server_ns
            (self.slow if missed else self.quick)[max(parts, key=parts.__getitem__)] += 1

    def warm(self) -> list[Counter[str]]:
        """The blocks after the warm-up; all, when the step was cut short before its end."""
        first = (self.first_due_ns or 0) + WARM_UP_NS
        ordered = sorted(self.blocks.items())
        warm = [counts for block, counts in ordered if block * BLOCK_NS >= first]
        return warm or [counts for _, counts in ordered]

    def ended(self, side: Side) -> int:
        """How many attempts ended on that side, the warm-up included."""
        return sum(n for name, n in self.outcomes.items() if side_of(name) is side)

    def total(self, what: str) -> int:
        """How many `attempts`, `failed` or `not-sent` there are after the warm-up."""
        return sum(counts[what] for counts in self.warm())

    def percentile_us(self, share: float) -> float | None:
        """A percentile of the total latency after the warm-up."""
        first = (self.first_due_ns or 0) + WARM_UP_NS
        values = sorted(total for due, total in self.totals_ns if due >= first)
        return values[min(len(values) - 1, int(share * len(values)))] / 1000 if values else None

    def grows(self) -> bool:
        """Whether the latencies of the last third are clearly above those of the first."""
        totals = [total for _, total in sorted(self.totals_ns)[len(self.totals_ns) // 10 :]]
        third = len(totals) // 3
        if third < 10:
            return False
        early, late = sorted(totals[:third])[third // 2], sorted(totals[-third:])[third // 2]
        return late > GROWTH * early + GROWTH_NS

    def doubt(self) -> str | None:
        """Why the step says nothing about the target; None: it does."""
        late, everything = sorted(self.late_ns), self.outcomes.total()
        if late and late[int(0.99 * len(late))] > LATE_NS:
            return "attempts started late: the generator is at its limit"
        if self.stalled > NOT_SENT * everything or self.ours > OURS * everything:
            return "this machine could not send all of it: the generator is at its limit"
        # Where no canary at all is good, this client cannot talk to them, and nothing is known.
        good = [total_ns for total_ns in self.canaries_ns if total_ns is not None]
        slow = len(self.canaries_ns) - sum(total_ns <= CANARY_NS for total_ns in good)
        if good and slow >= FEWEST_SLOW and slow > SLOW_SHARE * len(self.canaries_ns):
            return "a healthy server on this machine was slow, too: the machine is at its limit"
        return None if self.blocks else "nothing was sent"

    def overflowed(self) -> bool:
        """Whether too many were not sent because the concurrency limit was reached."""
        unsent = self.outcomes[UNSENT.name] - self.stalled
        return unsent > NOT_SENT * self.outcomes.total()

    @property
    def targets_time(self) -> bool:
        """Whether the target took most of the time for which attempts were open (Little's law)."""
        return self.target_ns > TARGETS_SHARE * self.total_ns

    def gave_way(self) -> str:
        """What failed most, or where time was lost: a category, or one of the `slow` words."""
        target = [one for one in self.outcomes if side_of(one) is Side.TARGET]
        failed = {name: self.outcomes[name] for name in target}
        most = failed or self.slow or self.quick
        return max(most, key=most.__getitem__, default=SLOW)


def judge_goal(
    goal: Goal, blocks: Sequence[Counter[str]], *, last: bool, strict: bool
) -> GoalResult:
    """Whether the goal holds in these blocks.

    Args:
        goal: whose misses the blocks count.
        blocks: of one step, without the warm-up.
        last: no longer step will follow, so that the point value has to decide.
        strict: a step without any miss is not good enough by itself.
    """
    worth = effective(
        [counts[goal.text] for counts in blocks], [counts["attempts"] for counts in blocks]
    )
    missed, attempts = worth.failures, worth.attempts
    allowed = goal.value if goal.subject is Subject.FAILING else 1 - (goal.percentile or 0) / 100
    reason = f"{missed:,} of {attempts:,} missed {goal.text}"
    interval = worth.interval(planned=True)
    holds = missed <= allowed * attempts if last and attempts else None
    if interval.high < allowed or (missed == 0 and attempts and not strict):
        holds = True
    elif interval.low > allowed:
        holds = False
    return GoalResult(holds, not interval.low <= allowed <= interval.high, reason)


def _misses(goal: Goal, record: Record, side: Side) -> bool:
    """Whether an attempt counts against the goal."""
    if side is Side.TARGET or goal.subject is Subject.FAILING:
        return side is Side.TARGET
    value_ns = phase_ns(record, goal.phase or Phase.TOTAL)
    return side is Side.NOT_SENT or value_ns is None or value_ns > goal.value * 1000
