"""Whether a goal holds by what was sampled: yes, no, or not known.

A claim about a failure rate needs evidence, not just a point estimate on the right side. What is
sound depends on how the end of the sample was chosen: for a planned end the exact interval, else
the anytime-valid one. The answer is yes or no only where the interval that is shown lies on that
side of the limit, so the two cannot contradict each other. A percentile of latency is below a limit
when few enough attempts are above it, so it is a claim about a rate as well, and slow attempts that
come together are one observation, too.

Before the first outage nobody can know of outages. So "below the limit" is an answer about the time
that was seen (`Assertion.seen_s`): it excludes outages that come more often than about three times
in it, and says so. Whoever has to exclude rarer ones says for how long it has to hold
(`failing<0.1% for 10m`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import ceil, log10

from stress.analysis.goals.goal import COUNTED, LOWER, UPPER, Goal, Operator, Subject
from stress.analysis.latency import WHOLE_RUN, whole_run
from stress.analysis.proportions.estimate import Effective, Estimate, effective
from stress.measure import Histogram
from stress.model.run import End, HistogramRow, Phase, Run
from stress.model.summary import Assertion, Interval

SHORTEST_S = 75.0
"""A run may not stop for `failing<X` before this: how long it ran limits which outages it saw."""
NEARLY = 0.99
"""A run of ten minutes lasts a little less from its first to its last attempt."""
MOST_TIMES = 1000.0
"""More than so many times the handshakes are no answer."""


class Holds(StrEnum):
    """The answer to a goal."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Stopping(StrEnum):
    """How the end of the sample was chosen; it decides which proof is valid."""

    PLANNED = "planned"
    ANYTIME = "anytime"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known, during or at the end of a run. Only resolved attempts count."""

    attempts: int
    failures: int
    elapsed_s: float
    clean_s: float
    """Seconds since the last failure, or since the start."""
    stopping: Stopping = Stopping.ANYTIME
    ended: bool = False
    """The run came to its planned end, so that what was not reached will not be."""
    chains: int | None = None
    causes: int | None = None
    """None: not searched yet."""
    latencies: Mapping[Phase, Histogram] = field(default_factory=dict)
    slower: Mapping[str, Effective] = field(default_factory=dict)
    """Text of a latency goal -> the attempts above its limit, and what they are worth; without
    it, those in `latencies` are independent."""
    worth: Effective | None = None
    """Of the failures; None: they are independent."""
    interval: Interval | None = None
    """Of the failure rate, as it is shown; None: what follows from `worth`."""
    unresolved: int = 0
    """Attempts without an outcome, for which `interval` is wider."""

    @property
    def rate(self) -> Interval:
        """The interval of the failure rate."""
        worth = self.worth or Effective.independent(self.failures, self.attempts)
        return self.interval or self.interval_of(worth)

    def interval_of(self, worth: Effective) -> Interval:
        """The interval of a rate, as valid as the end of the sample."""
        return worth.interval(planned=self.stopping is Stopping.PLANNED)

    def times(self, factor: float) -> Evidence:
        """So many times as much of the same; after the last failure, without another."""
        return replace(
            self,
            attempts=round(self.attempts * factor),
            failures=round(self.failures * factor),
            elapsed_s=self.elapsed_s * factor,
            clean_s=self.clean_s + self.elapsed_s * (factor - 1.0),
            slower={text: worth.times(factor) for text, worth in self.slower.items()},
            worth=self.worth.times(factor) if self.worth else None,
            interval=None,
            unresolved=0,
        )


def evidence_of(
    run: Run, estimated: Estimate, elapsed_s: float, causes: int, goals: Sequence[Goal] = ()
) -> Evidence:
    """The evidence of a recorded run for these goals.

    A run with goals might have stopped at any time, also when it went on to its ceiling: only what
    is valid at any time counts then.
    """
    facts = run.facts()
    ended = facts.end is End.COMPLETED
    planned = ended and not facts.plan.goals
    rows = run.histograms()
    merged = {phase: whole_run(rows, phase) for phase in Phase}
    return Evidence(
        attempts=estimated.attempts,
        failures=estimated.failures,
        elapsed_s=elapsed_s,
        clean_s=min(estimated.clean_s, elapsed_s),
        stopping=Stopping.PLANNED if planned else Stopping.ANYTIME,
        ended=ended,
        chains=len(run.chains()),
        causes=causes,
        latencies={phase: found for phase, found in merged.items() if found is not None},
        slower={
            goal.text: _slower_by_block(rows, goal)
            for goal in goals
            if goal.subject is Subject.LATENCY
        },
        worth=estimated.worth,
        interval=estimated.interval,
        unresolved=estimated.unresolved,
    )


def _slower_by_block(rows: Sequence[HistogramRow], goal: Goal) -> Effective:
    """The good attempts above the limit of a latency goal, with the blocks they came in."""
    mine = [row for row in rows if row.phase is goal.phase and row.good]
    blocks = [row for row in mine if row.block != WHOLE_RUN] or mine
    counts = {row.block: count_slower(Histogram.decode(row.hdr), goal) for row in blocks}
    line = [
        counts.get(block, (0, 0))
        for block in range(min(counts, default=0), max(counts, default=-1) + 1)
    ]
    return effective([slower for slower, _ in line], [attempts for _, attempts in line])


def count_slower(histogram: Histogram, goal: Goal) -> tuple[int, int]:
    """How many of the durations miss the limit of a latency goal, and how many there are."""
    inclusive = goal.operator in {Operator.LESS, Operator.AT_LEAST}
    slower = sum(
        one.count
        for one in histogram.bins()
        if one.high_us > goal.value or (inclusive and one.high_us == goal.value)
    )
    return slower, histogram.count


def assess(goals: Sequence[Goal], evidence: Evidence) -> tuple[Assertion, ...]:
    """Answers all goals at the end of a run."""
    found: list[Assertion] = []
    for goal in goals:
        answer = holds(goal, evidence)
        seen_s = evidence.elapsed_s if _below(goal, answer) and evidence.elapsed_s else None
        needed = settles(goal, evidence) if answer is Holds.UNKNOWN else None
        found.append(Assertion(goal.text, answer.value, value_of(goal, evidence), seen_s, needed))
    return tuple(found)


def _below(goal: Goal, answer: Holds) -> bool:
    """Whether this answer says that a rate is below a limit: outages would have to be seen."""
    low = answer is (Holds.YES if goal.operator in UPPER else Holds.NO)
    return low and goal.subject in {Subject.FAILING, Subject.LATENCY}


def settles(goal: Goal, evidence: Evidence) -> int | None:
    """How many more handshakes, coming out like those seen, decide an open goal; None: none do.

    Rounded up to two digits.
    """

    def decided(factor: float) -> bool:
        return holds(goal, evidence.times(factor)) is not Holds.UNKNOWN

    low, high = 1.0, 2.0
    while not decided(high):
        low, high = high, high * 2.0
        if high > MOST_TIMES or not evidence.attempts:
            return None
    for _ in range(8):
        middle = (low + high) / 2.0
        low, high = (low, middle) if decided(middle) else (middle, high)
    more = max(1, evidence.unresolved, ceil(evidence.attempts * (high - 1.0)))
    unit: int = 10 ** max(0, int(log10(more)) - 1)
    return ceil(more / unit) * unit


def may_stop(goals: Sequence[Goal], evidence: Evidence) -> bool:
    """Whether a run has its answer: all goals are met, or one is refuted for good."""
    answers = [while_running(goal, evidence) for goal in goals]
    return bool(answers) and (Holds.NO in answers or all(answer is Holds.YES for answer in answers))


def while_running(goal: Goal, evidence: Evidence) -> Holds:
    """The answer that more handshakes cannot change."""
    answer = holds(goal, evidence)
    if goal.subject is Subject.FAILING and _below(goal, answer):
        return Holds.UNKNOWN if evidence.elapsed_s < SHORTEST_S else answer
    if goal.subject in COUNTED and goal.operator not in LOWER:
        # "At most so many" is only decided by more of them.
        return answer if answer is Holds.NO and goal.operator in UPPER else Holds.UNKNOWN
    return answer


def holds(goal: Goal, evidence: Evidence) -> Holds:
    """Whether the goal holds by what was sampled."""
    value = value_of(goal, evidence)
    if goal.subject in {Subject.FAILING, Subject.LATENCY}:
        answer = _rate(goal, evidence)
        early = answer is Holds.YES and evidence.elapsed_s < NEARLY * goal.least_s
        return Holds.UNKNOWN if early else answer
    if value is None:
        return Holds.UNKNOWN
    if goal.compares(value):
        return Holds.YES
    if goal.subject in COUNTED:
        # Too few so far is no refutation: more handshakes could bring more.
        return Holds.UNKNOWN if goal.operator in LOWER else Holds.NO
    # With a failure so late in a run that was long enough, it was not clean for that long.
    ended = evidence.ended or evidence.stopping is Stopping.PLANNED
    long = goal.subject is Subject.CLEAN and evidence.elapsed_s >= goal.value
    return Holds.NO if ended and long and evidence.failures else Holds.UNKNOWN


def value_of(goal: Goal, evidence: Evidence) -> float | None:
    """The value that is compared: a count, a rate, seconds, or microseconds; None: not known."""
    share = evidence.failures / evidence.attempts if evidence.attempts else None
    if goal.subject is Subject.RELATIVE and share:
        # The wider side of the interval, relative to the rate.
        interval = evidence.rate
        return max(interval.high - share, share - interval.low) / share
    if goal.subject is Subject.LATENCY:
        histogram = evidence.latencies.get(goal.phase) if goal.phase else None
        return None if histogram is None else histogram.percentile(goal.percentile or 0.0)
    return {
        Subject.FAILING: share,
        Subject.RELATIVE: None,
        Subject.CLEAN: evidence.clean_s,
        Subject.FAILURES: float(evidence.failures),
        Subject.CHAINS: None if evidence.chains is None else float(evidence.chains),
        Subject.CAUSES: None if evidence.causes is None else float(evidence.causes),
    }[goal.subject]


def _rate(goal: Goal, evidence: Evidence) -> Holds:
    """Whether the whole interval lies on one side of the limit."""
    limit, interval = goal.value, evidence.rate
    if goal.percentile is not None and goal.phase is not None:
        limit = 1.0 - goal.percentile / 100.0
        slower = evidence.slower.get(goal.text)
        if slower is None:
            whole = evidence.latencies.get(goal.phase, Histogram())
            slower = Effective.independent(*count_slower(whole, goal))
        interval = evidence.interval_of(slower)
    below, above = interval.high < limit, interval.low > limit
    wanted, refuted = (below, above) if goal.operator in UPPER else (above, below)
    return Holds.YES if wanted else Holds.NO if refuted else Holds.UNKNOWN
