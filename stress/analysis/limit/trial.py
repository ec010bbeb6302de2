"""One step of a search for the limit: what became of its attempts, and whether a goal held in it.

A goal such as "p99 of the total latency below 250 ms" is a proportion: less than 1% slower (or
failed, or not sent). It is decided by the same clustered interval as the failure rate of a run,
over blocks of one second, because failures under load come in bursts. What this machine held up
itself never counts against the target's latency; where there is too much of it, the step says
nothing about the target.

Pure: given the records, it counts and tests.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from stress.analysis.goals.goal import Goal, Subject
from stress.analysis.latency import phase_ns
from stress.analysis.proportions.estimate import effective
from stress.model.outcome import NOT_SENT as UNSENT
from stress.model.outcome import Side, side_of
from stress.model.record import Flag, Record
from stress.model.run import Phase

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
SLOW = "slow"
SLOW_CONNECT = "slow-connect"
SLOW_ANSWER = "slow-answer"


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
            (self.slow if missed else self.quick)[_slowest_part(record)] += 1

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


def _slowest_part(record: Record) -> str:
    """Where an attempt spent most of its time."""
    connect_ns, server_ns = record.connect_ns or 0, record.server_ns or 0
    most = max(connect_ns, server_ns, record.total_ns - connect_ns - server_ns)
    return SLOW_ANSWER if most == server_ns else SLOW_CONNECT if most == connect_ns else SLOW


def _misses(goal: Goal, record: Record, side: Side) -> bool:
    """Whether an attempt counts against the goal."""
    if side is Side.TARGET or goal.subject is Subject.FAILING:
        return side is Side.TARGET
    value_ns = phase_ns(record, goal.phase or Phase.TOTAL)
    return side is Side.NOT_SENT or value_ns is None or value_ns > goal.value * 1000
