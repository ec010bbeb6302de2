"""The search for the limit: which offered rate is the highest at which a goal still holds.

Each step offers one rate, in an open loop, for some seconds. "p99 of the total latency below 250 ms
and fewer than 0.1 % failing" is two proportions: less than 1 % slower (or failed, or not sent), and
less than 0.1 % failed. Each is tested with the design effect over blocks of one second, because
failures under load come in bursts. A step that cannot be decided is tried again for twice as long;
one whose latencies grow from its first third to its last is a queue that has not overflowed yet,
and is not believed when it looks good.

The search doubles the rate until a step gives way, halves the interval in ratio, and confirms the
highest rate that held once more for long. A step in which we ourselves started late says nothing
about the target: it is tried again for longer, then it bounds the search, and the answer says so.

Pure: told what became of the attempts, it answers what to offer next.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt

from stress.analysis.goals import UPPER, Goal, Subject
from stress.analysis.rates import exact_bounds
from stress.errors import UsageError
from stress.model.limit import Limit, Standing, Step
from stress.model.outcome import Outcome, Side
from stress.model.plan import Segment
from stress.model.record import Flag, Record
from stress.model.run import Phase

TAIL = 0.05
RATIO = 1.03
"""The search ends when the lowest failing rate is within this of the highest that held."""
STEP_S = (5.0, 10.0, 20.0)
"""A step's length, and what it grows to while it is undecided. The first second is a warm-up."""
CONFIRM_S = 30.0
LONGEST_CONFIRM_S = 120.0
FAILURES_WORTH = 3.5
"""Attempts times allowed share that a confirmation needs: 3.0 would do without any failure."""
STEP_DOWN = 1.015
"""What a confirmation that gave way is divided by."""
CONFIRMATIONS = 10
WARM_UP_NS = 1_000_000_000
BLOCK_NS = 1_000_000_000
LATE_NS = 50_000_000
"""Starts later than this (99th percentile) are our own limit."""
NOT_SENT = 0.01
GROWTH = 1.5
GROWTH_NS = 20_000_000
OURS = 0.05


@dataclass(slots=True)
class Trial:
    """What became of the attempts of one segment."""

    first_due_ns: int | None = None
    blocks: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Second -> how many attempts, and how many of them missed each goal (by its text)."""
    totals_ns: list[tuple[int, int]] = field(default_factory=list)
    """Due time and total latency of what was sent."""
    late_ns: list[int] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    ours: int = 0
    stood_still: int = 0
    """Due while we ourselves stood still, and so not sent."""

    def take(self, record: Record, goals: Sequence[Goal]) -> None:
        """Count one attempt."""
        if self.first_due_ns is None:
            self.first_due_ns = record.due_ns
        self.first_due_ns = min(self.first_due_ns, record.due_ns)
        outcome = Outcome.parse(record.outcome)
        self.outcomes[record.outcome] += 1
        if outcome.side is Side.OURS:
            self.ours += 1
            return
        if outcome.side is Side.NOT_SENT and record.flags & Flag.LOCAL_PRESSURE:
            self.stood_still += 1
            return
        block = self.blocks[record.due_ns // BLOCK_NS]
        block["attempts"] += 1
        for goal in goals:
            block[goal.text] += _misses(goal, record, outcome)
        if outcome.side is not Side.NOT_SENT:
            self.totals_ns.append((record.due_ns, record.total_ns))
            self.late_ns.append(record.started_ns - record.due_ns)

    def warm(self) -> list[Counter[str]]:
        """The blocks after the warm-up."""
        first = (self.first_due_ns or 0) + WARM_UP_NS
        return [
            counts for block, counts in sorted(self.blocks.items()) if block * BLOCK_NS >= first
        ]

    def percentile_us(self, share: float) -> float | None:
        """A percentile of the total latency after the warm-up."""
        first = (self.first_due_ns or 0) + WARM_UP_NS
        values = sorted(total for due, total in self.totals_ns if due >= first)
        return values[min(len(values) - 1, int(share * len(values)))] / 1000 if values else None

    def grows(self) -> bool:
        """Whether the latencies of the last third are clearly above those of the first."""
        dues = sorted(self.totals_ns)[len(self.totals_ns) // 10 :]
        third = len(dues) // 3
        if third < 10:
            return False
        early = _median([total for _, total in dues[:third]])
        return _median([total for _, total in dues[-third:]]) > GROWTH * early + GROWTH_NS

    def is_ours(self) -> bool:
        """Whether we could not keep the rate ourselves."""
        late = sorted(self.late_ns)
        p99 = late[int(0.99 * len(late))] if late else 0
        everything = self.outcomes.total()
        idle = self.stood_still > NOT_SENT * everything
        return p99 > LATE_NS or idle or self.ours > OURS * everything

    @property
    def failed(self) -> Counter[str]:
        """Failures of the target by category."""
        return Counter(
            {
                name: count
                for name, count in self.outcomes.items()
                if Outcome.parse(name).side is Side.TARGET
            }
        )


class LimitSearch:
    """Chooses the rates; a `Conductor`.

    Args:
        goals: upper bounds on percentiles of latency and on the failing share, all to hold.
        start: first rate a second.
        ceiling: highest rate a second that is tried.

    Raises:
        UsageError: a goal that is no such bound.
    """

    def __init__(self, goals: Sequence[Goal], *, start: float, ceiling: float) -> None:
        for goal in goals:
            if goal.operator not in UPPER or goal.subject not in {Subject.LATENCY, Subject.FAILING}:
                raise UsageError(
                    f"--find-limit {goal.text!r}: not an upper bound of a latency or a share",
                    "write 'p99.total<250ms, failing<0.1%'",
                )
        self._goals = tuple(goals)
        self._ceiling = ceiling
        self._rate = start
        self._length = 0
        self._held: float | None = None
        self._failed: float | None = None
        self._failed_by: Standing | None = None
        self._gave_way: Counter[str] = Counter()
        self._confirming = 0
        self._confirmed = False
        self._trial: Trial | None = None
        self._steps: list[Step] = []

    def take(self, records: Sequence[Record]) -> None:
        """Count what ended in the segment that goes on."""
        trial = self._trial
        if trial is not None:
            for record in records:
                trial.take(record, self._goals)

    def next(self) -> Segment | None:
        """Judge the segment that has landed, and choose the next."""
        if self._trial is not None and not self._conclude(self._trial):
            return self._offer()
        return None if self._is_over() else self._offer()

    def limit(self) -> Limit:
        """The answer so far."""
        (category, _), *_ = self._gave_way.most_common(1) or [("slow", 0)]
        return Limit(
            ", ".join(goal.text for goal in self._goals),
            tuple(self._steps),
            self._held,
            self._failed,
            self._confirmed,
            category,
            self._failed_by is Standing.GENERATOR,
        )

    def _offer(self) -> Segment:
        self._trial = Trial()
        return Segment(self._rate, self._seconds)

    @property
    def _seconds(self) -> float:
        if not self._confirming:
            return STEP_S[self._length]
        smallest = min((g.value for g in self._goals if g.subject is Subject.FAILING), default=1.0)
        enough = FAILURES_WORTH / (smallest * self._rate)
        return min(LONGEST_CONFIRM_S, max(CONFIRM_S, enough))

    def _conclude(self, trial: Trial) -> bool:
        """Whether the step is decided; an undecided one is repeated for longer."""
        last = self._confirming > 0 or self._length == len(STEP_S) - 1
        standing, reason = self._judge(trial, last=last)
        if standing is None:
            self._length += 1
            return False
        self._steps.append(self._step(trial, standing, reason))
        self._move(standing, trial)
        self._length = 0
        return True

    def _judge(self, trial: Trial, *, last: bool) -> tuple[Standing | None, str]:
        """How the step came out; None: cannot tell yet."""
        if trial.is_ours():
            ours = Standing.GENERATOR, "our own starts came late: the generator is at its limit"
            return ours if last else (None, "")
        strict = self._confirming > 0
        answers = [_test(goal, trial.warm(), last=last, strict=strict) for goal in self._goals]
        for answer, reason in answers:
            if answer is False:
                return Standing.GAVE_WAY, reason
        if trial.grows():
            return (Standing.GAVE_WAY, "the latencies keep growing") if last else (None, "")
        if any(answer is None for answer, _ in answers):
            return None, ""
        return Standing.HELD, "; ".join(reason for _, reason in answers)

    def _move(self, standing: Standing, trial: Trial) -> None:
        if standing is Standing.HELD:
            self._held = self._rate
            self._confirmed = self._confirming > 0
        else:
            self._failed, self._failed_by = self._rate, standing
            self._gave_way = trial.failed
            if self._held is not None and self._held >= self._rate:
                self._held = None
        if self._confirming:
            self._confirming = 0 if self._confirmed else self._confirming + 1
            self._rate = self._rate if self._confirmed else self._rate / STEP_DOWN
        else:
            self._choose()

    def _choose(self) -> None:
        """The next rate of the search, or the confirmation of what held."""
        if self._failed is None:
            self._rate = min(self._ceiling, self._rate * 2)
        elif self._held is None:
            self._rate = self._failed / 2
        elif self._failed / self._held > RATIO:
            self._rate = sqrt(self._failed * self._held)
        else:
            self._rate, self._confirming = self._held, 1

    def _is_over(self) -> bool:
        if self._confirmed or self._confirming > CONFIRMATIONS:
            return True
        if self._held == self._ceiling and not self._confirming:
            self._confirming = 1
        return self._rate < 1

    def _step(self, trial: Trial, standing: Standing, reason: str) -> Step:
        return Step(
            self._rate,
            self._seconds,
            sum(counts["attempts"] for counts in trial.warm()),
            trial.failed.total(),
            trial.outcomes["not-sent"],
            trial.percentile_us(0.5),
            trial.percentile_us(0.99),
            standing,
            reason,
        )


def _misses(goal: Goal, record: Record, outcome: Outcome) -> bool:
    """Whether an attempt counts against the goal."""
    if outcome.side is Side.TARGET:
        return True
    if goal.subject is Subject.FAILING:
        return False
    value_ns = _duration(record, goal.phase)
    return outcome.side is Side.NOT_SENT or value_ns is None or value_ns > goal.value * 1000


def _duration(record: Record, phase: Phase | None) -> int | None:
    return {
        Phase.CONNECT: record.connect_ns,
        Phase.SERVER: record.server_ns,
        Phase.HANDSHAKE: record.handshake_ns,
        Phase.ATTEMPT: record.total_ns - (record.started_ns - record.due_ns),
        Phase.LAG: record.lag_ns,
    }.get(phase or Phase.TOTAL, record.total_ns)


def _test(
    goal: Goal, blocks: list[Counter[str]], *, last: bool, strict: bool
) -> tuple[bool | None, str]:
    """Does the goal hold? None: these attempts cannot tell. With the figures in words.

    On the way to the limit, no miss at all is good enough: the confirmation is `strict`.
    """
    attempts = sum(counts["attempts"] for counts in blocks)
    missed = sum(counts[goal.text] for counts in blocks)
    allowed = goal.value if goal.subject is Subject.FAILING else 1 - (goal.percentile or 0) / 100
    reason = f"{missed:,} of {attempts:,} missed {goal.text}"
    effect = _design_effect(blocks, goal.text)
    low, high = exact_bounds(missed / effect, attempts / effect, TAIL)
    if high < allowed or (missed == 0 and attempts and not strict):
        return True, reason
    if low > allowed:
        return False, reason
    if last and attempts:
        return missed <= allowed * attempts, reason
    return None, reason


def _design_effect(blocks: list[Counter[str]], text: str) -> float:
    """How much more the missed attempts vary between seconds than independent ones would."""
    attempts = sum(counts["attempts"] for counts in blocks)
    missed = sum(counts[text] for counts in blocks)
    if len(blocks) < 2 or not 0 < missed < attempts:
        return 1.0
    share = missed / attempts
    spread = sum((counts[text] - share * counts["attempts"]) ** 2 for counts in blocks)
    variance = len(blocks) / (len(blocks) - 1) * spread / attempts**2
    return max(1.0, variance / (share * (1 - share) / attempts))


def _median(values: list[int]) -> float:
    return sorted(values)[len(values) // 2]
