"""Watches a run for its goals (`--until`), and reports when it has its answer.

Whoever counts attempts as they end counts the quick ones first: what is still in flight is what
will time out. So only the *closed prefix* counts: an attempt counts once every one that began
before it has ended, too. Each worker assigns its ids in the order of its starts, so the prefix is
kept for each worker, and one slow attempt holds up only its own worker's. Claims about rates are
the anytime-valid ones: the goals are evaluated several times a second, so nothing less would be
valid. Attempts are counted by time, because failures in one burst are one observation. What is in
flight at the stop ends by itself and is counted in the report.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from stress.analysis.goals.evidence import Evidence, Holds, count_slower, may_stop, while_running
from stress.analysis.goals.goal import Goal, Subject, parse_goals
from stress.analysis.latency import phase_ns
from stress.analysis.proportions.estimate import Effective, effective
from stress.errors import UsageError
from stress.measure import Histogram
from stress.model.observer import Observer
from stress.model.outcome import Side, side_of
from stress.model.record import Flag, Record
from stress.model.run import Phase, Progress
from stress.text.numbers import seconds

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
