"""Whether the evidence bears a goal out: yes, no, or not known with what was sampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from stress.analysis.goals.goal import COUNTED, LOWER, UPPER, Goal, Operator, Subject
from stress.analysis.latency import whole_run
from stress.analysis.proportions.binomial import LEVEL, exact_bounds
from stress.analysis.proportions.estimate import Estimate
from stress.analysis.proportions.sequence import claims_above, claims_below, confidence_sequence
from stress.measure import Histogram
from stress.model.run import End, Phase, Run
from stress.model.summary import Assertion
from stress.text.numbers import seconds

SHORTEST_S = 60.0
"""A run may not stop for `failing<X` before this: an outage comes in seconds, not in handshakes."""


class Holds(StrEnum):
    """The answer to a goal."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Stopping(StrEnum):
    """How the end of the sample was chosen; it decides which proof is honest."""

    PLANNED = "planned"
    ANYTIME = "anytime"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known, now or at the end of a run. Only attempts that are all resolved count."""

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


def evidence_of(run: Run, estimated: Estimate, elapsed_s: float, causes: int) -> Evidence:
    """The evidence of a recorded run.

    A run with goals might have stopped at any time, also when it went on to its ceiling: only what
    is valid at any time is honest then.
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
    )


def assess(goals: Sequence[Goal], evidence: Evidence) -> tuple[Assertion, ...]:
    """Answers all goals at the end of a run."""
    return tuple(
        Assertion(goal.text, holds(goal, evidence).value, value_of(goal, evidence))
        for goal in goals
    )


def may_stop(goals: Sequence[Goal], evidence: Evidence) -> bool:
    """Whether a running run has its answer: all goals are reached, or one is refuted for good."""
    answers = [while_running(goal, evidence) for goal in goals]
    return bool(answers) and (Holds.NO in answers or all(answer is Holds.YES for answer in answers))


def while_running(goal: Goal, evidence: Evidence) -> Holds:
    """The answer that more handshakes cannot take back."""
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
    if goal.subject in COUNTED:
        return _count(goal, evidence)
    return {
        Subject.FAILING: _failing,
        Subject.RELATIVE: _relative,
        Subject.CLEAN: _clean,
        Subject.LATENCY: _latency,
    }[goal.subject](goal, evidence)


def value_of(goal: Goal, evidence: Evidence) -> float | None:
    """The figure that was compared: a count, a share, seconds, or microseconds."""
    if goal.subject is Subject.FAILING:
        return evidence.failures / evidence.attempts if evidence.attempts else None
    if goal.subject is Subject.RELATIVE:
        return _width(evidence)
    if goal.subject is Subject.CLEAN:
        return evidence.clean_s
    if goal.subject is Subject.LATENCY:
        histogram = _histogram(goal, evidence)
        return histogram.percentile(goal.percentile or 0.0) if histogram else None
    count = _counted(goal, evidence)
    return None if count is None else float(count)


def _count(goal: Goal, evidence: Evidence) -> Holds:
    count = _counted(goal, evidence)
    if count is None:
        return Holds.UNKNOWN
    if goal.compares(count):
        return Holds.YES
    # Too few so far is no refutation: more handshakes could bring more.
    return Holds.UNKNOWN if goal.operator in LOWER else Holds.NO


def _counted(goal: Goal, evidence: Evidence) -> int | None:
    return {
        Subject.FAILURES: evidence.failures,
        Subject.CHAINS: evidence.chains,
        Subject.CAUSES: evidence.causes,
    }[goal.subject]


def _failing(goal: Goal, evidence: Evidence) -> Holds:
    below, above = _claims(evidence.failures, evidence.attempts, goal.value, evidence.stopping)
    wanted, refuted = (below, above) if goal.operator in UPPER else (above, below)
    return Holds.YES if wanted else Holds.NO if refuted else Holds.UNKNOWN


def _claims(failures: int, attempts: int, share: float, stopping: Stopping) -> tuple[bool, bool]:
    """Whether "below" and "above" may be claimed, one-sided, with 95% each."""
    if stopping is Stopping.ANYTIME:
        return claims_below(failures, attempts, share), claims_above(failures, attempts, share)
    low, high = exact_bounds(failures, attempts, 1.0 - LEVEL)
    return high < share, low > share


def _relative(goal: Goal, evidence: Evidence) -> Holds:
    width = _width(evidence)
    return Holds.YES if width is not None and goal.compares(width) else Holds.UNKNOWN


def _width(evidence: Evidence) -> float | None:
    """The wider side of the interval, relative to the share; None without failures."""
    if not evidence.failures:
        return None
    share = evidence.failures / evidence.attempts
    interval = confidence_sequence(evidence.failures, evidence.attempts)
    return max(interval.high - share, share - interval.low) / share


def _clean(goal: Goal, evidence: Evidence) -> Holds:
    if evidence.clean_s >= goal.value:
        return Holds.YES
    # With a failure so late in a run that was long enough, it was not clean for that long.
    return Holds.NO if _ended_dirty(goal, evidence) else Holds.UNKNOWN


def _ended_dirty(goal: Goal, evidence: Evidence) -> bool:
    ended = evidence.ended or evidence.stopping is Stopping.PLANNED
    return ended and bool(evidence.failures) and evidence.elapsed_s >= goal.value


def _latency(goal: Goal, evidence: Evidence) -> Holds:
    """A percentile is below a limit when few enough are above it: a share again."""
    histogram = _histogram(goal, evidence)
    if histogram is None or goal.percentile is None:
        return Holds.UNKNOWN
    slower = sum(bin_.count for bin_ in histogram.bins() if _is_above(bin_.high_us, goal))
    allowed = 1.0 - goal.percentile / 100.0
    below, above = _claims(slower, histogram.count, allowed, evidence.stopping)
    wanted, refuted = (below, above) if goal.operator in UPPER else (above, below)
    return Holds.YES if wanted else Holds.NO if refuted else Holds.UNKNOWN


def _is_above(value_us: float, goal: Goal) -> bool:
    inclusive = goal.operator in {Operator.LESS, Operator.AT_LEAST}
    return value_us >= goal.value if inclusive else value_us > goal.value


def _histogram(goal: Goal, evidence: Evidence) -> Histogram | None:
    histogram = evidence.latencies.get(goal.phase) if goal.phase else None
    return histogram if histogram and histogram.count else None


def blind_to(elapsed_s: float) -> str:
    """Which outages such a run would have missed (no episode in T: fewer than 3 in T)."""
    return f"Outages rarer than about one in {seconds(elapsed_s / 3.0)} would not have been seen."
