"""Whether a goal holds by what was sampled: yes, no, or not known.

A claim about a failure rate needs evidence, not just a point estimate on the right side. What is
sound depends on how the end of the sample was chosen: for a planned end the exact interval, else
the anytime-valid one. The answer is yes or no only where the interval that is shown lies on that
side of the limit, so the two cannot contradict each other. A percentile of latency is below a limit
when few enough attempts are above it, so it is a claim about a rate as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from stress.analysis.goals.goal import COUNTED, LOWER, UPPER, Goal, Operator, Subject
from stress.analysis.latency import whole_run
from stress.analysis.proportions.binomial import clopper_pearson
from stress.analysis.proportions.estimate import Estimate
from stress.analysis.proportions.sequence import confidence_sequence
from stress.measure import Histogram
from stress.model.run import End, Phase, Run
from stress.model.summary import Assertion, Interval

SHORTEST_S = 75.0
"""A run may not stop for `failing<X` before this: how long it ran limits which outages it saw."""


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
    interval: Interval | None = None
    """Of the failure rate, as it is shown; None: that of independent attempts."""

    @property
    def rate(self) -> Interval:
        """The interval of the failure rate."""
        return self.interval or self.interval_of(self.failures, self.attempts)

    def interval_of(self, hits: int, attempts: int) -> Interval:
        """The interval of a rate of independent attempts, as valid as the end of the sample."""
        planned = self.stopping is Stopping.PLANNED
        return (clopper_pearson if planned else confidence_sequence)(hits, attempts)


def evidence_of(run: Run, estimated: Estimate, elapsed_s: float, causes: int) -> Evidence:
    """The evidence of a recorded run.

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
        interval=estimated.interval,
    )


def assess(goals: Sequence[Goal], evidence: Evidence) -> tuple[Assertion, ...]:
    """Answers all goals at the end of a run."""
    return tuple(
        Assertion(goal.text, holds(goal, evidence).value, value_of(goal, evidence))
        for goal in goals
    )


def may_stop(goals: Sequence[Goal], evidence: Evidence) -> bool:
    """Whether a run has its answer: all goals are met, or one is refuted for good."""
    answers = [while_running(goal, evidence) for goal in goals]
    return bool(answers) and (Holds.NO in answers or all(answer is Holds.YES for answer in answers))


def while_running(goal: Goal, evidence: Evidence) -> Holds:
    """The answer that more handshakes cannot change."""
    answer = holds(goal, evidence)
    if goal.subject is Subject.FAILING and goal.operator in UPPER:
        early = answer is Holds.YES and evidence.elapsed_s < SHORTEST_S
        return Holds.UNKNOWN if early else answer
    if goal.subject in COUNTED and goal.operator not in LOWER:
        # "At most so many" is only decided by more of them.
        return answer if answer is Holds.NO and goal.operator in UPPER else Holds.UNKNOWN
    return answer


def holds(goal: Goal, evidence: Evidence) -> Holds:
    """Whether the goal holds by what was sampled."""
    value = value_of(goal, evidence)
    if goal.subject is Subject.FAILING:
        return _rate(goal, goal.value, evidence.rate)
    if value is None:
        return Holds.UNKNOWN
    if goal.subject is Subject.LATENCY:
        return _latency(goal, evidence)
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


def _rate(goal: Goal, limit: float, interval: Interval) -> Holds:
    """Whether the whole interval lies on one side of a limit."""
    below, above = interval.high < limit, interval.low > limit
    wanted, refuted = (below, above) if goal.operator in UPPER else (above, below)
    return Holds.YES if wanted else Holds.NO if refuted else Holds.UNKNOWN


def _latency(goal: Goal, evidence: Evidence) -> Holds:
    assert goal.phase is not None
    assert goal.percentile is not None
    histogram = evidence.latencies[goal.phase]
    inclusive = goal.operator in {Operator.LESS, Operator.AT_LEAST}
    slower = sum(
        one.count
        for one in histogram.bins()
        if one.high_us > goal.value or (inclusive and one.high_us == goal.value)
    )
    allowed = 1.0 - goal.percentile / 100.0
    return _rate(goal, allowed, evidence.interval_of(slower, histogram.count))
