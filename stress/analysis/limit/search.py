"""The search for the limit: which offered rate is the highest at which a goal still holds.

Each step offers one rate, in an open loop, for some seconds; or, where the concurrency is what is
searched for, keeps so many attempts in flight. "p99 of the total latency below 250 ms
and fewer than 0.1% failing" is two proportions: less than 1% slower (or failed, or not sent), and
less than 0.1% failed; each is tested (see `trial`). Where the target keeps so many
places taken that more than 1% cannot be sent, it gave way, whatever the goals are. A step that
cannot be decided is tried again for twice as long; one whose latencies grow from its first third to
its last is a queue that has not overflowed yet, and is not believed when it looks good.

The search doubles the rate until a step gives way, halves the interval in ratio, and confirms the
highest rate that held once more for long. A step in which we ourselves started late says nothing
about the target: it is tried again for longer, then it bounds the search, and the answer says so.

Pure: told what became of the attempts, it answers what to offer next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import floor, sqrt

from stress.analysis.goals.goal import UPPER, Goal, Subject
from stress.analysis.limit.trial import SLOW, Trial, Weighed, weigh
from stress.errors import UsageError
from stress.model.limit import Knob, Limit, Standing, Step
from stress.model.observer import LoadController
from stress.model.plan import Plan, Segment, Sweep
from stress.model.record import Record

RATIO = 1.03
"""The search ends when the lowest failing rate is within this of the highest that held."""
STEP_S = (5.0, 10.0, 20.0)
"""A step's length, and what it grows to while it is undecided. The first second is a warm-up."""
LAST = len(STEP_S) - 1
CONFIRM_S = 30.0
LONGEST_CONFIRM_S = 120.0
FAILURES_WORTH = 3.5
"""Attempts times allowed share that a confirmation needs: 3.0 would do without any failure."""
EXCUSES = 2
"""So often in one search a confirmation is tried again because we ourselves were late in it."""
STEP_DOWN = 1.015
"""What a confirmation that gave way is divided by."""
CONFIRMATIONS = 10
_OVERFLOWED = "more than 1% were not sent: the target kept all places taken"
_GROWING = "the latencies keep growing"


class LimitSearch(LoadController):
    """Chooses what is offered.

    Args:
        goals: upper bounds on percentiles of latency and on the failing share, all to hold.
        start: first rate a second, or first number of attempts in flight.
        ceiling: highest that is tried.
        knob: which of the two is turned.
        asking: what its steps ask, where they do not ask the plan's whole mix; its rate is not
            looked at.
        of: the same in words.

    Raises:
        UsageError: a goal that is no such bound.
    """

    def __init__(
        self,
        goals: Sequence[Goal],
        *,
        start: float,
        ceiling: float,
        knob: Knob = Knob.RATE,
        asking: Segment = Segment(0.0, 0.0),  # noqa: B008 - frozen
        of: str = "",
    ) -> None:
        for goal in goals:
            if goal.operator not in UPPER or goal.subject not in {Subject.LATENCY, Subject.FAILING}:
                raise UsageError(
                    f"--find-limit {goal.text!r}: not an upper bound of a latency or a share",
                    "write 'p99.total<250ms, failing<0.1%'",
                )
        self._goals = tuple(goals)
        self._knob, self._asking, self._of = knob, asking, of
        self._ceiling = ceiling
        self._offered = min(start, ceiling)
        self._length = 0
        self._tries = 1
        self._held: float | None = None
        self._failed: float | None = None
        self._failed_by: Standing | None = None
        self._gave_way = SLOW
        self._confirming = 0
        self._excuses = 0
        self._confirmed = False
        self._trial: Trial | None = None
        self._steps: list[Step] = []

    def on_records(self, records: Sequence[Record]) -> None:
        """Count what ended in the segment that goes on."""
        trial = self._trial
        if trial is not None:
            for record in records:
                trial.take(record, self._goals)

    def on_canary(self, totals_ns: Sequence[int | None]) -> None:
        """How long a healthy server on this machine took meanwhile."""
        if self._trial is not None:
            self._trial.canaries_ns.extend(totals_ns)

    def next_segment(self) -> Segment | None:
        """Judge the segment that has landed, and choose the next."""
        if self._trial is not None and not self._conclude(self._trial):
            return self._offer()
        return None if self._is_over() else self._offer()

    def limit(self) -> Limit:
        """The answer so far."""
        low, high = _proven(self._steps)
        return Limit(
            ", ".join(goal.text for goal in self._goals),
            tuple(self._steps),
            self._held,
            self._failed,
            self._confirmed,
            self._gave_way,
            self._failed_by is Standing.GENERATOR,
            low,
            high,
            self._knob,
            self._of,
        )

    def _offer(self) -> Segment:
        self._trial = Trial()
        if self._knob is Knob.CONCURRENCY:
            return replace(self._asking, seconds=self._seconds, slots=int(self._offered))
        return replace(self._asking, rate=self._offered, seconds=self._seconds)

    @property
    def _seconds(self) -> float:
        if not self._confirming:
            return STEP_S[self._length]
        smallest = min((g.value for g in self._goals if g.subject is Subject.FAILING), default=1.0)
        enough = FAILURES_WORTH / (smallest * self._pace)
        return min(LONGEST_CONFIRM_S, max(CONFIRM_S, enough))

    @property
    def _pace(self) -> float:
        """Attempts a second: as offered; in a closed loop as in the step before."""
        if self._knob is Knob.RATE:
            return self._offered
        return next((step.pace for step in reversed(self._steps) if step.attempts), 1.0)

    def _conclude(self, trial: Trial) -> bool:
        """Whether the step is decided; an undecided one is repeated for longer."""
        is_final = self._excuses == EXCUSES if self._confirming else self._length == LAST
        step = self._judged(trial, final=is_final)
        if step is None:
            self._excuses += self._confirming > 0
            self._length += not self._confirming
            self._tries += 1
            return False
        self._steps.append(step)
        self._move(step.standing, trial)
        self._length, self._tries = 0, 1
        return True

    def _judged(self, trial: Trial, *, final: bool) -> Step | None:
        """How the step came out; None: cannot tell yet, and it is not the `final` try."""
        strict = self._confirming > 0
        last = final or strict
        doubt = trial.doubt()
        if doubt is not None:
            return self._step(trial, Standing.GENERATOR, doubt) if final else None
        if trial.overflowed():
            return self._step(trial, Standing.GAVE_WAY, _OVERFLOWED)
        answers = [weigh(goal, trial.warm(), last=last, strict=strict) for goal in self._goals]
        refuted = next((answer for answer in answers if answer.holds is False), None)
        if refuted is not None:
            return self._step(trial, Standing.GAVE_WAY, refuted.reason, sure=refuted.sure)
        if trial.grows():
            return self._step(trial, Standing.GAVE_WAY, _GROWING) if last else None
        if any(answer.holds is None for answer in answers):
            return None
        return self._held_step(trial, answers)

    def _held_step(self, trial: Trial, answers: Sequence[Weighed]) -> Step:
        reason = "; ".join(answer.reason for answer in answers)
        return self._step(trial, Standing.HELD, reason, sure=all(answer.sure for answer in answers))

    def _move(self, standing: Standing, trial: Trial) -> None:
        if standing is Standing.HELD:
            self._held = self._offered
            self._confirmed = self._confirming > 0
        else:
            self._failed, self._failed_by = self._offered, standing
            self._gave_way = trial.gave_way()
            if self._held is not None and self._held >= self._offered:
                self._held = None
        if self._confirming:
            self._confirming = 0 if self._confirmed else self._confirming + 1
            self._offered = self._offered if self._confirmed else self._less(STEP_DOWN)
        else:
            self._choose()

    def _choose(self) -> None:
        """What the search offers next, or the confirmation of what held."""
        if self._failed is None:
            self._offered = min(self._ceiling, self._offered * 2)
        elif self._held is None:
            self._offered = self._less(2)
        elif self._is_narrow(self._held, self._failed):
            self._offered, self._confirming = self._held, 1
        else:
            middle = sqrt(self._failed * self._held)
            self._offered = middle if self._knob is Knob.RATE else round(middle)

    def _is_narrow(self, held: float, failed: float) -> bool:
        nothing_between = self._knob is Knob.CONCURRENCY and failed - held <= 1
        return failed / held <= RATIO or nothing_between

    def _less(self, divisor: float) -> float:
        less = self._offered / divisor
        return less if self._knob is Knob.RATE else floor(less)

    def _is_over(self) -> bool:
        if self._confirmed or self._confirming > CONFIRMATIONS:
            return True
        if self._held == self._ceiling and not self._confirming:
            self._confirming = 1
        return self._offered < 1

    def _step(self, trial: Trial, standing: Standing, reason: str, *, sure: bool = False) -> Step:
        return Step(
            self._offered,
            self._seconds,
            trial.total("attempts"),
            trial.total("failed"),
            trial.total("not-sent"),
            trial.percentile_us(0.5),
            trial.percentile_us(0.99),
            standing,
            reason,
            sure,
            self._tries,
        )


def _proven(steps: Sequence[Step]) -> tuple[float | None, float | None]:
    """The highest that surely held below the lowest that surely gave way, and that one."""
    gave_way = [s.rate for s in steps if s.sure and s.standing is Standing.GAVE_WAY]
    high = min(gave_way, default=None)
    held = [s.rate for s in steps if s.sure and s.standing is Standing.HELD]
    return max((rate for rate in held if high is None or rate < high), default=None), high


# Several searches for a limit in one run: one kind of handshake after the other.
#
# Each kind meets the same target within minutes, asked alone, so that "how many more does it take
# with ECDSA, with TLS 1.3, resumed?" has an answer. Kinds differ in the client, in whether sessions
# are offered, and in what is turned up: the rate, or the number in flight.

HIGHEST_RATE = 20_000.0
"""Handshakes a second above which a search for the limit does not go."""


class Searches(LoadController):
    """Searches one after the other."""

    def __init__(self, searches: Sequence[LimitSearch]) -> None:
        self._searches = list(searches)
        self._now = 0

    def on_records(self, records: Sequence[Record]) -> None:
        """Count what ended in the segment that goes on."""
        self._searches[self._now].on_records(records)

    def on_canary(self, totals_ns: Sequence[int | None]) -> None:
        """How long a healthy server on this machine took meanwhile."""
        self._searches[self._now].on_canary(totals_ns)

    def next_segment(self) -> Segment | None:
        """The next segment of the search that goes on, or the first of the one after it."""
        while (segment := self._searches[self._now].next_segment()) is None:
            if self._now == len(self._searches) - 1:
                return None
            self._now += 1
        return segment

    def limits(self) -> tuple[Limit, ...]:
        """What each that has begun found so far."""
        return tuple(search.limit() for search in self._searches[: self._now + 1])


def searches(plan: Plan, goals: Sequence[Goal]) -> Searches:
    """What a plan searches for.

    Raises:
        UsageError: a goal is no bound that can be searched for.
    """
    return Searches([_search(plan, goals, asking, words) for asking, words in _kinds(plan)])


def _search(plan: Plan, goals: Sequence[Goal], asking: Segment, words: str) -> LimitSearch:
    if Sweep.CONCURRENCY in plan.sweep:
        highest = plan.load.concurrency
        return LimitSearch(
            goals, start=1, ceiling=highest, knob=Knob.CONCURRENCY, asking=asking, of=words
        )
    start = plan.load.rate or 1.0
    return LimitSearch(goals, start=start, ceiling=HIGHEST_RATE, asking=asking, of=words)


def _kinds(plan: Plan) -> Iterator[tuple[Segment, str]]:
    """What is asked one after the other, and how to call it."""
    if Sweep.CLIENTS not in plan.sweep:
        yield Segment(0.0, 0.0), ""
        return
    for index, client in enumerate(plan.clients):
        if not plan.resumption:
            yield Segment(0.0, 0.0, client=index), client.name
            continue
        yield Segment(0.0, 0.0, client=index, resumption=0.0), f"{client.name}, full"
        resumed = f"{client.name}, {plan.resumption:.0%} resumed"
        yield Segment(0.0, 0.0, client=index, resumption=plan.resumption), resumed
