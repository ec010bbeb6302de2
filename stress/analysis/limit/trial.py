"""One step of a search for the limit: what became of its attempts, and whether a goal held in it.

A goal such as "p99 of the total latency below 250 ms" is a proportion: less than 1% slower (or
failed, or not sent). It is tested with the design effect over blocks of one second, because
failures under load come in bursts.

Pure: told what became of the attempts, it counts and tests.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from stress.analysis.goals.goal import Goal, Subject
from stress.analysis.proportions.binomial import exact_bounds
from stress.model.outcome import NOT_SENT as UNSENT
from stress.model.outcome import Outcome, Side
from stress.model.record import Flag, Record
from stress.model.run import Phase

TAIL = 0.05
WARM_UP_NS = 1_000_000_000
BLOCK_NS = 1_000_000_000
LATE_NS = 50_000_000
"""Starts later than this (99th percentile) are our own limit, and so is as much lag."""
NOT_SENT = 0.01
GROWTH = 1.5
GROWTH_NS = 20_000_000
OURS = 0.05
CANARY_NS = 100_000_000
"""A handshake with the healthy server beside us that took longer waited for this machine."""
FEWEST_SLOW, SLOW_SHARE = 2, 0.1
"""So many, and more than this share of them, make it the machine's doing."""
SLOW = "slow"
SLOW_CONNECT = "slow-connect"
SLOW_ANSWER = "slow-answer"


class GoalResult(NamedTuple):
    """How a goal came out in one step."""

    holds: bool | None
    """None: these attempts cannot tell."""
    sure: bool
    """The figures alone say so, with 95%; False: the benefit of the doubt, or the point value."""
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
    """Where the good ones that were slower than a goal lost their time."""
    quick: Counter[str] = field(default_factory=Counter)
    """Where the others spent most of theirs: what grows, but is not too slow yet."""
    canaries_ns: list[int | None] = field(default_factory=list)
    """How long a healthy server on this machine took meanwhile; None: it failed."""
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
        if outcome.side is not Side.NOT_SENT:
            self.totals_ns.append((record.due_ns, record.total_ns))
            self.late_ns.append(_ours_ns(record))
        # What we ourselves held up says nothing of the target's time, only whether it failed.
        if outcome.side is not Side.NOBODY or _ours_ns(record) <= LATE_NS:
            self._count(record, outcome, goals)

    def _count(self, record: Record, outcome: Outcome, goals: Sequence[Goal]) -> None:
        block = self.blocks[record.due_ns // BLOCK_NS]
        block["attempts"] += 1
        block["failed"] += outcome.side is Side.TARGET
        block["not-sent"] += outcome.side is Side.NOT_SENT
        missed = [goal for goal in goals if _misses(goal, record, outcome)]
        for goal in missed:
            block[goal.text] += 1
        if outcome.side is Side.NOBODY:
            (self.slow if missed else self.quick)[_where(record)] += 1

    def warm(self) -> list[Counter[str]]:
        """The blocks after the warm-up; all, when the step was cut short before its end."""
        first = (self.first_due_ns or 0) + WARM_UP_NS
        ordered = sorted(self.blocks.items())
        warm = [counts for block, counts in ordered if block * BLOCK_NS >= first]
        return warm or [counts for _, counts in ordered]

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
        dues = sorted(self.totals_ns)[len(self.totals_ns) // 10 :]
        third = len(dues) // 3
        if third < 10:
            return False
        early = _median([total for _, total in dues[:third]])
        return _median([total for _, total in dues[-third:]]) > GROWTH * early + GROWTH_NS

    def doubt(self) -> str | None:
        """Why the step says nothing about the target; None: it does."""
        late, everything = sorted(self.late_ns), self.outcomes.total()
        if late and late[int(0.99 * len(late))] > LATE_NS:
            return "our own starts came late: the generator is at its limit"
        if self.stood_still > NOT_SENT * everything or self.ours > OURS * everything:
            return "this machine could not send all of it: the generator is at its limit"
        if self._canaries_are_slow():
            return "a healthy server on this machine was slow, too: the machine is at its limit"
        return None if self.blocks else "nothing was sent"

    def _canaries_are_slow(self) -> bool:
        """Where none at all is good, this client cannot talk to them, and nothing is known."""
        good = [total_ns for total_ns in self.canaries_ns if total_ns is not None]
        slow = len(self.canaries_ns) - sum(total_ns <= CANARY_NS for total_ns in good)
        return bool(good) and slow >= FEWEST_SLOW and slow > SLOW_SHARE * len(self.canaries_ns)

    def overflowed(self) -> bool:
        """Whether too many were not sent because the target kept all places taken."""
        unsent = self.outcomes[UNSENT.name] - self.stood_still
        return unsent > NOT_SENT * self.outcomes.total()

    def gave_way(self) -> str:
        """What failed most, or where time was lost: a category, or one of the `slow` words."""
        most = next((each for each in (self.failed, self.slow, self.quick) if each), None)
        return most.most_common(1)[0][0] if most else SLOW

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


def judge_goal(
    goal: Goal, blocks: Sequence[Counter[str]], *, last: bool, strict: bool
) -> GoalResult:
    """Whether the goal holds in these blocks.

    Args:
        goal: whose misses the blocks count.
        blocks: of one step, without the warm-up.
        last: no longer step will follow, so that the point value has to do.
        strict: a step without any miss is not good enough by itself.
    """
    attempts = sum(counts["attempts"] for counts in blocks)
    missed = sum(counts[goal.text] for counts in blocks)
    allowed = goal.value if goal.subject is Subject.FAILING else 1 - (goal.percentile or 0) / 100
    reason = f"{missed:,} of {attempts:,} missed {goal.text}"
    effect = _design_effect(blocks, goal.text)
    low, high = exact_bounds(missed / effect, attempts / effect, TAIL)
    if high < allowed:
        return GoalResult(holds=True, sure=True, reason=reason)
    if low > allowed:
        return GoalResult(holds=False, sure=True, reason=reason)
    if missed == 0 and attempts and not strict:
        return GoalResult(holds=True, sure=False, reason=reason)
    holds = missed <= allowed * attempts if last and attempts else None
    return GoalResult(holds=holds, sure=False, reason=reason)


def _design_effect(blocks: Sequence[Counter[str]], text: str) -> float:
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


def _ours_ns(record: Record) -> int:
    """How long an attempt waited for ourselves: to be started, or to be read."""
    return max(record.started_ns - record.due_ns, record.lag_ns or 0)


def _where(record: Record) -> str:
    """Where an attempt lost most of its time."""
    connect_ns, server_ns = record.connect_ns or 0, record.server_ns or 0
    elsewhere_ns = record.total_ns - connect_ns - server_ns
    most = max(connect_ns, server_ns, elsewhere_ns)
    return {connect_ns: SLOW_CONNECT, server_ns: SLOW_ANSWER}.get(most, SLOW)


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
