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

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import ceil, log10

from stress.analysis.goals.goal import COUNTED, LOWER, UPPER, Goal, Operator, Subject, parse_goals
from stress.analysis.latency import WHOLE_RUN, phase_ns, whole_run
from stress.analysis.proportions.estimate import Effective, Estimate, effective
from stress.errors import UsageError
from stress.measure import Histogram
from stress.model.observer import Observer
from stress.model.outcome import Side, side_of
from stress.model.record import Flag, Record
from stress.model.run import End, HistogramRow, Phase, Progress, Run
from stress.model.summary import Assertion, Interval
from stress.text.numbers import seconds

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


# Watches a run for its goals (`--until`), and reports when it has its answer.
#
# Whoever counts attempts as they end counts the quick ones first: what is still in flight is what
# will time out. So only the *closed prefix* counts: an attempt counts once every one that began
# before it has ended, too. Each worker assigns its ids in the order of its starts, so the prefix is
# kept for each worker, and one slow attempt holds up only its own worker's. Claims about rates are
# the anytime-valid ones: the goals are evaluated several times a second, so nothing less would be
# valid. Attempts are counted by time, because failures in one burst are one observation. What is in
# flight at the stop ends by itself and is counted in the report.

BLOCKS_S = 2.0
BLOCKS_SHARE = 1 / 250
BLOCK_NS = 1_000_000_000
MOST_BLOCKS = 1000
"""Two time blocks of the run file, in seconds and as a part of the run. The file counts quiet time
in blocks, so a goal must be exceeded by this much here to be met again in the file."""


class Blocks:
    """Counts hits of attempts by time, in at most a thousand blocks that double in width."""

    def __init__(self) -> None:
        self._block_ns = BLOCK_NS
        self._counts: dict[int, list[int]] = {}
        """Block -> hits and attempts."""

    def add(self, when_ns: int, hits: int, attempts: int = 1) -> None:
        """Adds attempts of one time."""
        counts = self._counts.setdefault(when_ns // self._block_ns, [0, 0])
        counts[0] += hits
        counts[1] += attempts
        while len(self._counts) > MOST_BLOCKS:
            joined: dict[int, list[int]] = {}
            for block, (some, size) in self._counts.items():
                pair = joined.setdefault(block // 2, [0, 0])
                pair[0] += some
                pair[1] += size
            self._block_ns, self._counts = self._block_ns * 2, joined

    @property
    def worth(self) -> Effective:
        """What the hits are worth."""
        first, last = min(self._counts, default=0), max(self._counts, default=-1)
        line = [self._counts.get(block, (0, 0)) for block in range(first, last + 1)]
        return effective([hits for hits, _ in line], [size for _, size in line])


class ClosedPrefix:
    """Counts the attempts whose predecessors have all ended.

    Args:
        workers: worker `w` has the ids `first_id + w`, `first_id + w + workers` and so on.
        first_id: of the run, or of its continuation.
    """

    def __init__(self, workers: int, first_id: int = 0) -> None:
        self._workers = workers
        self._next = [first_id + worker for worker in range(workers)]
        self._waiting: dict[int, Record] = {}
        self._reached_ns: list[int | None] = [None] * workers
        self._begun_ns: int | None = None
        self._failed_ns: int | None = None
        self.blocks = Blocks()
        """Failures by time."""
        self.attempts = 0
        """Without our own failures and what was not sent."""
        self.failures = 0

    def take(self, records: Sequence[Record]) -> tuple[Record, ...]:
        """Adds attempts that ended, in any order; returns those that are closed now."""
        self._waiting.update((record.id, record) for record in records)
        closed: list[Record] = []
        for worker in range(self._workers):
            while (record := self._waiting.pop(self._next[worker], None)) is not None:
                self._next[worker] += self._workers
                self._reached_ns[worker] = record.started_ns
                closed.append(record)
        for record in closed:
            side = side_of(record.outcome)
            if self._begun_ns is None or record.started_ns < self._begun_ns:
                self._begun_ns = record.started_ns
            if side is Side.TARGET:
                self.failures += 1
                self._failed_ns = max(self._failed_ns or 0, record.started_ns)
            if side in {Side.TARGET, Side.NOBODY}:
                self.attempts += 1
                self.blocks.add(record.started_ns, side is Side.TARGET)
        return tuple(closed)

    @property
    def elapsed_s(self) -> float:
        """From the first start to the last before which everything has ended."""
        return self._since(self._begun_ns)

    @property
    def clean_s(self) -> float:
        """The same, from the last failure, or from the first start."""
        return self._since(self._failed_ns or self._begun_ns)

    def _since(self, start_ns: int | None) -> float:
        reached = [each for each in self._reached_ns if each is not None]
        if start_ns is None or len(reached) < self._workers:
            return 0.0
        return max(0, min(reached) - start_ns) / 1_000_000_000


def check_goals(until: Sequence[str], assertions: Sequence[str]) -> None:
    """Reads the goals that stop and assess a run, before anything is sent.

    Raises:
        UsageError: one cannot be read, two contradict each other, or one cannot stop a run.
    """
    for goal in parse_goals(until):
        if goal.subject is Subject.CAUSES:
            raise UsageError(
                f"--until {goal.text!r}: causes are only searched for at the end of a run",
                f"Use an assertion: --assert {goal.text!r}",
            )
    parse_goals([*until, *assertions])


def check_ceiling(until: Sequence[str], most_s: float | None) -> None:
    """Compares how long the goals of a run have to hold with how long it may take.

    Raises:
        UsageError: the run would end before.
    """
    for goal in parse_goals(until):
        needed_s = goal.value if goal.subject is Subject.CLEAN else goal.least_s
        if most_s is not None and needed_s > most_s:
            raise UsageError(
                f"--until {goal.text!r} takes {needed_s:.12g} s, and the run ends after"
                f" {most_s:.12g} s",
                f"Let it run for longer: --max-duration {2 * needed_s:.12g}s",
            )


class StoppingRule(Observer):
    """Counts the records of a run, and decides whether it may stop."""

    def __init__(self, until: Sequence[str], workers: int) -> None:
        self._goals = parse_goals(until)
        self._prefix = ClosedPrefix(workers)
        self._latencies: dict[Phase, Histogram] = {}
        self._slower: dict[Goal, Blocks] = {}
        for goal in self._goals:
            if goal.phase is not None:
                self._latencies[goal.phase] = Histogram()
                self._slower[goal] = Blocks()
        rates = {Subject.FAILING, Subject.RELATIVE}
        self._rates = any(goal.subject in rates for goal in self._goals)

    def on_records(self, records: Sequence[Record]) -> None:
        """Adds attempts that ended."""
        closed = self._prefix.take(records)
        # As in the run file, latencies are those of good attempts after the warm-up.
        good = [
            record
            for record in closed
            if side_of(record.outcome) is Side.NOBODY and not record.flags & Flag.WARM_UP
        ]
        if not self._latencies:
            return
        by_time: defaultdict[int, list[Record]] = defaultdict(list)
        for record in good:
            by_time[record.started_ns // BLOCK_NS].append(record)
        for block, part in by_time.items():
            for phase, histogram in self._latencies.items():
                durations = Histogram()
                durations.record_many([phase_ns(record, phase) for record in part])
                histogram.merge(durations)
                for goal, blocks in self._slower.items():
                    if goal.phase is phase:
                        blocks.add(block * BLOCK_NS, *count_slower(durations, goal))

    def on_progress(self, progress: Progress) -> str | None:
        """Why the run may stop now; None to go on."""
        prefix = self._prefix
        margin_s = BLOCKS_S + BLOCKS_SHARE * prefix.elapsed_s
        evidence = Evidence(
            attempts=prefix.attempts,
            failures=prefix.failures,
            elapsed_s=prefix.elapsed_s,
            clean_s=max(0.0, prefix.clean_s - margin_s),
            chains=progress.chains,
            latencies=self._latencies,
            slower={goal.text: blocks.worth for goal, blocks in self._slower.items()},
            worth=prefix.blocks.worth if self._rates else None,
        )
        if not may_stop(self._goals, evidence):
            return None
        refuted = [goal for goal in self._goals if while_running(goal, evidence) is Holds.NO]
        named = ", ".join(repr(goal.text) for goal in refuted or self._goals)
        answer = "refuted" if refuted else "reached"
        return f"stopped after {seconds(progress.elapsed_s)}: {named} {answer}"
