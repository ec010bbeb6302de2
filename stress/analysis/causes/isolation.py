"""Isolates one class of failures: where it occurs, since when, and how sure that is.

The search over cohorts (`stress.analysis.causes.cohorts`) proposes, this module decides: it adds
time as a dimension, checks each proposal within strata, combines rates into a threshold, and grades
what is left. Inside one block of time there is one time and one offered rate, so the checks by
block cannot judge these two dimensions; each has a test of its own.

Signals (`Dimension.is_signal`) suggest a server and are never its fault. They take no part in the
search: only among failures that it left unexplained are they searched for, together with all else.
So nothing that can be explained otherwise is told by them, or doubted because of them. And inside a
place that fails in part they may tell which part.

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from stress.analysis.causes.changes import TimeProfile, series, time_profile
from stress.analysis.causes.classes import FailureClass, explaining
from stress.analysis.causes.cohorts import (
    DENSE,
    FEWEST,
    Cohort,
    Conjunction,
    Mask,
    Problem,
    joined,
    search,
)
from stress.analysis.causes.stratified_check import (
    PASSES,
    Robustness,
    episode_parts,
    refuted,
    robustness,
)
from stress.analysis.causes.table import UNKNOWN, Column
from stress.analysis.proportions.binomial import Integers, risk_ratio
from stress.model.attributes import Dimension
from stress.model.claims import FailureCount, Shape
from stress.model.summary import Comparator, Condition, RiskRatio
from stress.text.numbers import some
from stress.text.scale import ends

if TYPE_CHECKING:
    from stress.analysis.recording import Recording

FEW_BLOCKS = 3
"""Failures in fewer time blocks than this are one episode, if the run was longer."""
LONG_RUN = 6
"""Blocks of a run from which on one episode can be recognised."""
SURE = 0.01
ALWAYS = 0.99
"""What fails more often fails always: nothing tells apart what does not."""
STRONG_RATIO = 3.0
_TIMES = frozenset({Dimension.TIME})
_RATES = frozenset({Dimension.RATE})
_CLOCKED = frozenset({Dimension.TIME, Dimension.RATE})
"""The same for all attempts of one moment."""
_ONCE = frozenset({Shape.WINDOW, Shape.BEGAN, Shape.ENDED})
"""A rate that was offered several times and failed only once: that may have been an outage."""
_RANGE = "–"  # noqa: RUF001 - as a range is written


class Grade(StrEnum):
    """How sure a cause is."""

    STRONG = "strong"
    SUGGESTED = "suggested"
    ONE_EPISODE = "one-episode"
    """Significant, but everything happened in one stretch of a longer run."""
    AMBIGUOUS = "ambiguous"
    """Another explanation is nearly as good."""
    BY_DEFINITION = "by-definition"
    """The mechanism alone: nothing had to be inferred."""


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """Where a class of failures occurs: a cohort, with all that is known about it."""

    cohort: Cohort
    conditions: tuple[Condition, ...]
    aliases: tuple[tuple[Condition, ...], ...]
    rivals: tuple[tuple[Condition, ...], ...]
    rows: Mask
    """All rows of the table that fulfil the conditions, whatever else explains them."""
    inside: FailureCount
    """In these rows."""
    worst: tuple[tuple[Condition, ...], FailureCount] | None
    """The part of it that fails most."""
    ratio: RiskRatio
    grade: Grade
    time_profile: TimeProfile
    """Its own failures over time, without the condition on time."""


@dataclass(frozen=True, slots=True, eq=False)
class Isolation:
    """What is known about one class of failures."""

    failing: FailureClass
    slices: tuple[Slice, ...]
    time_profile: TimeProfile
    considered: int
    """Cohorts that were tested."""
    hypotheses: int
    varies: bool
    """Whether any recorded attribute differs among these attempts."""
    suggested: tuple[Slice, ...] = ()
    """Of what the slices leave: what signals tell apart."""


def isolate(recording: Recording, failing: FailureClass, *, signals: bool = False) -> Isolation:
    """Searches where one class of failures occurs.

    Args:
        recording: the run.
        failing: these failures.
        signals: search what is left for signals, too.
    """
    found = _Isolator(recording, failing).isolate()
    if not signals:
        return found
    slices = [*found.slices]
    for place, one in enumerate(found.slices):
        partly = one.worst is None and one.inside.failures < ALWAYS * one.inside.attempts
        inner = _by_signals(recording, failing, one.rows) if partly else None
        if inner is not None and inner.slices:
            part = inner.slices[0]
            counts = FailureCount(part.cohort.failures, part.cohort.attempts)
            slices[place] = replace(one, worst=(part.conditions, counts))
    left = ~np.any([np.zeros_like(failing.reached), *(one.rows for one in found.slices)], axis=0)
    rest = _by_signals(recording, failing, left)
    if rest is None:
        return replace(found, slices=tuple(slices))
    return replace(
        found,
        slices=tuple(slices),
        suggested=rest.slices,
        considered=max(found.considered, rest.considered),
        hypotheses=max(found.hypotheses, rest.hypotheses),
        varies=True,
    )


def _by_signals(recording: Recording, failing: FailureClass, rows: Mask) -> Isolation | None:
    """What signals tell apart in these rows; None: they are the same in all of them."""
    signals = (one for one in recording.table.columns if one.dimension.is_signal)
    if not any(len(one.values) > 1 for one in signals):  # mostly so, and the rest costs
        return None
    failures, reached = np.where(rows, failing.failures, 0), failing.reached & rows
    here = replace(failing, failures=failures, reached=reached)
    if here.count < FEWEST:
        return None
    searcher = _Isolator(recording, here, signals=True)
    return searcher.isolate() if searcher.told_apart() else None


class _Isolator:
    """The rows of one class as the search counts them, in full detail, and of the whole table."""

    def __init__(
        self, recording: Recording, failing: FailureClass, *, signals: bool = False
    ) -> None:
        self.recording, self.failing, self.signals = recording, failing, signals
        rows: Integers | slice = np.flatnonzero(failing.reached)
        if failing.reached.all():
            rows = slice(None)  # copies nothing
        table = recording.table
        self.blocks, self.attempts = table.blocks[rows], table.counts[rows]
        self.failures = failing.failures[rows]
        begun_ns, block_ns = recording.facts.started_ns, recording.block_ns
        sizes = np.bincount(table.blocks, table.counts).astype(np.int64).tolist()
        self.parts = episode_parts(
            (
                (max(0, one.due_ns - begun_ns) // block_ns, one.id)
                for one in recording.failing
                if one.outcome == failing.outcome
            ),
            dict(enumerate(sizes)),
        )
        self.time_profile = self.profile(slice(None))
        columns = [
            one for one in explaining(table, failing) if signals or not one.dimension.is_signal
        ]
        if not recording.by_load:
            columns += time_columns(recording, self.time_profile, table.blocks)
        columns.sort(key=lambda column: column.dimension.priority)
        self.whole = Problem(tuple(columns), table.counts, failing.failures)
        self.problem, self.groups = grouped(
            *(columns, self.attempts, self.failures), rows, tested=table.hypotheses
        )

    def told_apart(self) -> bool:
        """Whether any signal differs among the attempts."""
        signals = (one for one in self.problem.columns if one.dimension.is_signal)
        return any(len(np.unique(one.codes[one.codes != UNKNOWN])) > 1 for one in signals)

    def isolate(self) -> Isolation:
        found = search(self.problem, self.holds)
        slices: list[Slice] = []
        # Each cohort is counted among the rows that those before it left.
        left = np.ones(len(self.problem.attempts), dtype=np.bool_)
        for cohort in self.with_threshold(found.cohorts):
            own = self.problem.recounted(cohort, left)
            if own.failures:
                slices.append(self.slice_of(own, left))
            left = left & ~self.problem.rows(cohort.conditions)
        return Isolation(
            self.failing,
            tuple(slices),
            self.time_profile,
            max(found.considered, self.recording.table.considered),
            found.hypotheses,
            varies=bool(self.recording.table.considered)
            or any(len(np.unique(column.codes)) > 1 for column in self.problem.columns),
        )

    def with_threshold(self, cohorts: Sequence[Cohort]) -> Sequence[Cohort]:
        """Combines several rates into one threshold, where they are all rates from some level."""
        rates = [one for one in cohorts if self.only(_RATES, one.conditions)]
        if len(rates) < 2:
            return cohorts
        together = np.any([self.problem.rows(one.conditions) for one in rates], axis=0)
        for number, column in enumerate(self.problem.columns):
            for code in range(len(column.values)) if column.dimension is Dimension.RATE else ():
                if np.array_equal(column.codes == code, together):
                    whole = joined(self.problem, (number, code), rates)
                    return [whole, *(one for one in cohorts if one not in rates)]
        return cohorts

    def holds(self, cohort: Cohort, mask: Mask) -> bool:
        """Whether a cohort passes the stratified checks.

        A time needs no check by block; a rate has passed a test of its own
        (`stress.analysis.causes.load`), was chosen by a search for the limit, or is refused.
        """
        if self.signals and (cohort.adjusted > SURE or not self.suggests(cohort.conditions)):
            return False
        ways = [cohort.conditions, *cohort.aliases]
        if any(self.only(_CLOCKED, way) for way in ways):
            return self.recording.by_load or any(self.only(_TIMES, way) for way in ways)
        if self.robustness(cohort.conditions, mask).within > PASSES:
            return False
        # It may only fail more often because of another attribute that it has more often.
        problem, inside = self.problem, self.problem.rows(cohort.conditions)[mask]
        own = {problem.columns[one[0]].dimension for one in cohort.conditions}
        return not any(
            refuted(column.codes[mask], problem.attempts[mask], problem.failures[mask], inside)
            for column in problem.columns
            if column.dimension not in own
        )

    def robustness(self, conditions: Conjunction, mask: Mask) -> Robustness:
        """Tests a cohort block by block; the rate may change in the middle of a block."""
        inside = self.problem.rows(conditions)[self.groups]
        rows = mask[self.groups]
        if not self.only(_CLOCKED, conditions):
            rated = [one for one in conditions if self.only(_RATES, (one,))]
            rows = rows & self.problem.rows(rated)[self.groups]
        return robustness(
            self.blocks[rows],
            self.attempts[rows],
            self.failures[rows],
            inside[rows],
            self.parts,
        )

    def slice_of(self, cohort: Cohort, left: Mask) -> Slice:
        """A cohort with its ratio, grade and time profile, among the rows that are left."""
        ratio = risk_ratio(
            cohort.failures,
            cohort.attempts,
            cohort.all_failures - cohort.failures,
            cohort.all_attempts - cohort.attempts,
        )
        timeless = [one for one in cohort.conditions if not self.only(_TIMES, (one,))]
        own = self.profile((left & self.problem.rows(timeless))[self.groups])
        rows = self.whole.rows(cohort.conditions)
        hot = next((one.conditions for one in cohort.hot), None)
        return Slice(
            cohort=cohort,
            conditions=self.decoded(cohort.conditions),
            aliases=tuple(map(self.decoded, cohort.aliases)),
            rivals=tuple(map(self.decoded, cohort.rivals)),
            rows=rows,
            inside=self.counted(rows),
            worst=(self.decoded(hot), self.counted(self.whole.rows(hot))) if hot else None,
            ratio=ratio,
            grade=self.grade(cohort, left, ratio, own),
            time_profile=own,
        )

    def grade(self, cohort: Cohort, left: Mask, ratio: RiskRatio, own: TimeProfile) -> Grade:
        """How sure a cohort is, by its adjusted p, its blocks, its ratio and its rivals."""
        robust = self.robustness(cohort.conditions, left)
        rated = self.only(_RATES, cohort.conditions)
        few = robust.failing_blocks < FEW_BLOCKS and robust.blocks >= LONG_RUN
        if few or (rated and own.shape in _ONCE):
            return Grade.ONE_EPISODE
        if cohort.rivals:
            return Grade.AMBIGUOUS
        clocked = self.only(_CLOCKED, cohort.conditions)
        sure = cohort.adjusted <= SURE and (clocked or robust.by_block <= SURE)
        # A search for the limit does not choose its rates at random, so they are never more; nor
        # are backends that were found in a log by times alone.
        facts = self.recording.facts
        guessed = facts.joined is not None and facts.joined.by_time
        places = {self.whole.columns[one[0]].dimension for one in cohort.conditions}
        weak = (rated and facts.limits) or (guessed and Dimension.BACKEND in places)
        weak = weak or self.suggests(cohort.conditions)
        strong = sure and ratio.low >= STRONG_RATIO and not weak
        return Grade.STRONG if strong else Grade.SUGGESTED

    def profile(self, rows: Mask | slice) -> TimeProfile:
        """The failure rate of these rows over time."""
        return time_profile(series(self.blocks[rows], self.attempts[rows], self.failures[rows]))

    def only(self, dimensions: frozenset[Dimension], conditions: Conjunction) -> bool:
        """Whether all of the conditions are of these dimensions."""
        return all(self.whole.columns[one[0]].dimension in dimensions for one in conditions)

    def suggests(self, conditions: Conjunction) -> bool:
        """Whether one of the conditions is a signal."""
        return any(self.whole.columns[one[0]].dimension.is_signal for one in conditions)

    def counted(self, rows: Mask) -> FailureCount:
        """Failures and attempts in these rows of the table."""
        return FailureCount(*self.whole.sums(rows))

    def decoded(self, conjunction: Conjunction) -> tuple[Condition, ...]:
        """The conditions as people read them; one stretch of time becomes a range."""
        made = []
        for number, code, *last in sorted(
            conjunction, key=lambda one: (one[0], max(one[1], ~one[1]), one)
        ):
            column = self.whole.columns[number]
            dimension, value = column.dimension, column.values[code if code >= 0 else ~code]
            begin, dash, end = value.partition(_RANGE)
            span = ends(value, column.values[last[0]] if last else value)
            if dimension is Dimension.TIME and dash and "," not in value:
                span = begin, end
            if code < 0:
                made.append(Condition(dimension.value, value, Comparator.IS_NOT))
            elif span[0] != span[1]:
                made.append(Condition(dimension.value, span, Comparator.BETWEEN))
            else:
                made.append(Condition(dimension.value, value))
        return tuple(made)


def grouped(
    columns: Sequence[Column],
    attempts: Integers,
    failures: Integers,
    rows: Integers | slice = slice(None),
    *,
    tested: int = 0,
) -> tuple[Problem, Integers]:
    """Counts rows with equal attributes together; also returns the group of each row.

    The groups come in the order of their attributes, whatever the order of the rows was.

    Args:
        columns: of the whole table.
        attempts: of each of the rows.
        failures: of each of the rows.
        rows: of the table, those that are counted.
        tested: hypotheses that were tested before.
    """
    groups, size = np.zeros(len(attempts), dtype=np.int64), min(1, len(attempts))
    kinds: dict[int, list[Column]] = {}
    for column in columns:
        kinds.setdefault(id(column.of), []).append(column)
    for alike in kinds.values():
        of = alike[0].of
        own, width = np.zeros(len(alike[0].distinct), dtype=np.int64), 1
        if of is None:
            own = own[rows]
        for column in alike:
            codes = column.distinct[rows] if of is None else column.distinct
            own = own * (len(column.values) + 1) + (codes - UNKNOWN)
            own, width = _numbered(own, width * (len(column.values) + 1))
        groups, size = _numbered(
            groups * width + (own if of is None else own[of[rows]]), size * width
        )
    # Of equal places the last assignment stands: the first row of each group.
    first = np.zeros(size, dtype=np.int64)
    first[groups[::-1]] = np.arange(len(groups))[::-1]
    places = first if isinstance(rows, slice) else rows[first]
    found = [column.where(places) for column in columns]
    order = np.lexsort([column.codes for column in reversed(found)]) if found else np.arange(size)
    rank = np.empty(size, dtype=np.int64)
    rank[order] = np.arange(size)
    groups = rank[groups]
    tried, failed = (
        np.bincount(groups, one, size).astype(np.int64) for one in (attempts, failures)
    )
    return Problem(tuple(one.where(order) for one in found), tried, failed, tested), groups


def _numbered(keys: Integers, width: int) -> tuple[Integers, int]:
    """The keys, which are below a width, numbered without gaps in their order; and how many."""
    if width > DENSE * len(keys) + 1024:
        met, numbers = np.unique(keys, return_inverse=True)
        return numbers, len(met)
    seen = np.zeros(width, dtype=np.bool_)
    seen[keys] = True
    lookup = np.cumsum(seen) - 1
    return lookup[keys], int(lookup[-1]) + 1


def time_columns(recording: Recording, cut: TimeProfile, blocks: Integers) -> list[Column]:
    """The pieces of time as a dimension; with several bursts also all of them together."""
    if not cut.hot:
        return []
    last = len(cut.pieces) - 1
    texts: list[str] = []
    for place, piece in enumerate(cut.pieces):
        begin, end = recording.moment(piece.begin), recording.moment(piece.end)
        if place == last:
            texts.append(f"from {begin}")
        else:
            texts.append(f"{begin}{_RANGE}{end}" if piece.begin else f"until {end}")
    ends = np.asarray([piece.end for piece in cut.pieces])
    every = np.arange(int(blocks.max(initial=-1)) + 1)
    piece_of = np.searchsorted(ends, every, side="right").clip(max=last).astype(np.int64)
    columns = [Column(Dimension.TIME, piece_of, tuple(texts), of=blocks)]
    if cut.shape is Shape.BURSTS:
        hot = np.isin(piece_of, cut.hot).astype(np.int64)
        whole = ("the rest of the time", some([texts[place] for place in cut.hot], 3))
        columns.append(Column(Dimension.TIME, hot, whole, of=blocks))
    return columns
