"""Isolates one class of failures: where it is met, since when, and how sure that is.

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from stress.analysis.causes.changes import (
    Instant,
    Series,
    TimeProfile,
    TimeShape,
    onset,
    series,
    time_profile,
)
from stress.analysis.causes.classes import FailureClass, explaining
from stress.analysis.causes.cohorts import Cohort, Conjunction, Mask, Problem, joined, search
from stress.analysis.causes.stratified_check import PASSES, Robustness, refuted, robustness
from stress.analysis.causes.table import UNKNOWN, Column
from stress.analysis.dimensions import Dimension
from stress.analysis.proportions.binomial import Floats, Integers, risk_ratio
from stress.analysis.recording import Recording
from stress.model.summary import RiskRatio

FEW_BLOCKS = 3
"""Failures in fewer time blocks than this are one episode, if the run was longer."""
LONG_RUN = 6
"""Blocks of a run from which on "one episode" can be told at all."""
SURE = 0.01
STRONG_RATIO = 3.0
_TIMES = frozenset({Dimension.TIME})
_RATES = frozenset({Dimension.RATE})
_CLOCKED = frozenset({Dimension.TIME, Dimension.RATE})
"""Alike for all attempts of one moment."""
_ONCE = frozenset({TimeShape.WINDOW, TimeShape.BEGAN, TimeShape.ENDED})
"""A rate that was offered again and again failed only once: that may have been an outage."""


class Grade(StrEnum):
    """How sure a cause is."""

    CONFIRMED = "confirmed"
    """A replay agrees."""
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
    """Where a class of failures is met."""

    cohort: Cohort
    conditions: tuple[SliceCondition, ...]
    aliases: tuple[tuple[SliceCondition, ...], ...]
    rivals: tuple[tuple[SliceCondition, ...], ...]
    hot: tuple[tuple[tuple[SliceCondition, ...], Cohort], ...]
    robust: Robustness
    ratio: RiskRatio
    grade: Grade
    time_profile: TimeProfile
    """Its own failures over time, without the condition on time."""
    onset: Instant | None
    """When its share changed for good; None when it did not."""


@dataclass(frozen=True, slots=True)
class SliceCondition:
    """A condition, decoded."""

    dimension: Dimension
    value: str


@dataclass(frozen=True, slots=True, eq=False)
class Isolation:
    """What is known about one class."""

    failing: FailureClass
    slices: tuple[Slice, ...]
    time_profile: TimeProfile
    onset: Instant | None
    considered: int
    """Cohorts that were looked at."""
    hypotheses: int
    varies: bool
    """Whether anything recorded differs among these attempts at all."""


def isolate(recording: Recording, failing: FailureClass) -> Isolation:
    """Searches the places of one class of failures."""
    return _Isolator(recording, failing).isolate()


class _Isolator:
    """The rows of one class, from full detail to what the search counts."""

    def __init__(self, recording: Recording, failing: FailureClass) -> None:
        self.recording, self.failing = recording, failing
        rows = np.flatnonzero(failing.reached)
        table = recording.table
        self.blocks, self.attempts = table.blocks[rows], table.counts[rows]
        self.failures = failing.failures[rows]
        counted = series(self.blocks, self.attempts, self.failures)
        self.time_profile = time_profile(counted)
        self.onset = _changed(self.time_profile, counted)
        columns = [column.where(rows) for column in explaining(table, failing)]
        if not recording.by_load:
            columns += time_columns(recording, self.time_profile, self.blocks)
        columns.sort(key=lambda column: column.dimension.priority)
        self.columns = tuple(columns)
        self.problem, self.groups = grouped(self.columns, self.attempts, self.failures)

    def isolate(self) -> Isolation:
        found = search(self.problem, self.holds)
        return Isolation(
            self.failing,
            tuple(self.slices(self.from_a_rate_on(found.cohorts))),
            self.time_profile,
            self.onset,
            found.considered,
            found.hypotheses,
            varies=any(len(np.unique(column.codes)) > 1 for column in self.columns),
        )

    def slices(self, cohorts: Sequence[Cohort]) -> Iterator[Slice]:
        """Each cohort among the rows that those before it left."""
        left = np.ones(len(self.problem.attempts), dtype=np.bool_)
        for cohort in cohorts:
            yield self.locus(cohort, left)
            left = left & ~self.problem.rows(cohort.conditions)

    def from_a_rate_on(self, cohorts: Sequence[Cohort]) -> Sequence[Cohort]:
        """Several rates told as one threshold, where they are all rates from some level on."""
        rates = [one for one in cohorts if self.is_(_RATES, one.conditions)]
        if len(rates) < 2:
            return cohorts
        together = np.any([self.problem.rows(one.conditions) for one in rates], axis=0)
        for column, each in enumerate(self.problem.columns):
            for code in range(len(each.values)) if each.dimension is Dimension.RATE else ():
                if np.array_equal(each.codes == code, together):
                    whole = joined(self.problem, (column, code), rates)
                    return [whole, *(one for one in cohorts if one not in rates)]
        return cohorts

    def holds(self, cohort: Cohort, mask: Mask) -> bool:
        """Whether a cohort stands block by block.

        Inside a block there is one time and one rate, so of these it can say nothing. A time needs
        no such test; a rate has passed its own (`stress.analysis.causes.load`), was chosen by a
        search for the limit, or is none.
        """
        ways = [cohort.conditions, *cohort.aliases]
        if any(self.is_(_CLOCKED, way) for way in ways):
            return self.recording.by_load or any(self.is_(_TIMES, way) for way in ways)
        within = self.robust(cohort.conditions, mask).within
        return within <= PASSES and not self.follows_another(cohort.conditions, mask)

    def follows_another(self, conditions: Conjunction, mask: Mask) -> bool:
        """Whether it only fails more often because of where else it is met more often."""
        problem, inside = self.problem, self.problem.rows(conditions)[mask]
        attempts, failures = problem.attempts[mask], problem.failures[mask]
        own = {self.columns[column].dimension for column, _ in conditions}
        return any(
            refuted(column.codes[mask], attempts, failures, inside)
            for column in problem.columns
            if column.dimension not in own
        )

    def robust(self, conditions: Conjunction, mask: Mask) -> Robustness:
        """Judges a cohort block by block; a rate may change in the middle of one."""
        inside = self.problem.rows(conditions)[self.groups]
        rows = mask[self.groups]
        if not self.is_(_CLOCKED, conditions):
            rated = [one for one in conditions if self.is_(_RATES, (one,))]
            rows = rows & self.problem.rows(rated)[self.groups]
        return robustness(self.blocks[rows], self.attempts[rows], self.failures[rows], inside[rows])

    def locus(self, cohort: Cohort, left: Mask) -> Slice:
        ratio = risk_ratio(
            cohort.failures,
            cohort.attempts,
            cohort.all_failures - cohort.failures,
            cohort.all_attempts - cohort.attempts,
        )
        robust = self.robust(cohort.conditions, left)
        own, changed = self.own_course(cohort.conditions, left)
        return Slice(
            cohort=cohort,
            conditions=self.meaning(cohort.conditions),
            aliases=tuple(self.meaning(words) for words in cohort.aliases),
            rivals=tuple(self.meaning(words) for words in cohort.rivals),
            hot=tuple((self.meaning(part.conditions), part) for part in cohort.hot),
            robust=robust,
            ratio=ratio,
            grade=self.graded(cohort, robust, ratio, own),
            time_profile=own,
            onset=changed,
        )

    def graded(
        self, cohort: Cohort, robust: Robustness, ratio: RiskRatio, own: TimeProfile
    ) -> Grade:
        """How sure a cohort is; a rate that a search chose is never more than suggested."""
        rated = self.is_(_RATES, cohort.conditions)
        if rated and own.shape in _ONCE:
            return Grade.ONE_EPISODE
        found = grade(cohort, robust, ratio, self.is_(_CLOCKED, cohort.conditions))
        by_search = rated and self.recording.facts.limits
        return Grade.SUGGESTED if by_search and found is Grade.STRONG else found

    def own_course(self, conditions: Conjunction, left: Mask) -> tuple[TimeProfile, Instant | None]:
        """The cohort's failing share over time, without its condition on time."""
        timeless = tuple(one for one in conditions if not self.is_(_TIMES, (one,)))
        inside = (left & self.problem.rows(timeless))[self.groups]
        counted = series(self.blocks[inside], self.attempts[inside], self.failures[inside])
        own = time_profile(counted)
        return own, _changed(own, counted)

    def is_(self, dimensions: frozenset[Dimension], conditions: Conjunction) -> bool:
        """Whether all of the conditions are of these dimensions."""
        return all(self.columns[one].dimension in dimensions for one, _ in conditions)

    def meaning(self, conditions: Conjunction) -> tuple[SliceCondition, ...]:
        return tuple(
            SliceCondition(self.columns[column].dimension, self.columns[column].values[code])
            for column, code in conditions
        )


def _changed(own: TimeProfile, counted: Series) -> Instant | None:
    """When the share changed once for good."""
    return onset(counted) if own.shape in {TimeShape.BEGAN, TimeShape.ENDED} else None


def grade(cohort: Cohort, robust: Robustness, ratio: RiskRatio, clocked: bool) -> Grade:  # noqa: FBT001 - the last of four facts, named at its one call
    """How sure a cohort is, by its adjusted p, its blocks, its ratio and its rivals."""
    if robust.failing_blocks < FEW_BLOCKS and robust.blocks >= LONG_RUN:
        return Grade.ONE_EPISODE
    if cohort.rivals:
        return Grade.AMBIGUOUS
    sure = cohort.adjusted <= SURE and (clocked or robust.by_block <= SURE)
    return Grade.STRONG if sure and ratio.low >= STRONG_RATIO else Grade.SUGGESTED


def grouped(
    columns: Sequence[Column], attempts: Integers, failures: Integers
) -> tuple[Problem, Integers]:
    """Counts rows of equal attributes together; also the group of each row.

    The groups come out in the order of their attributes, whatever the order of the rows was.
    """
    groups = np.zeros(len(attempts), dtype=np.int64)
    for column in columns:
        key = groups * (len(column.values) + 1) + (column.codes - UNKNOWN)
        groups = np.unique(key, return_inverse=True)[1]
    size = int(groups.max()) + 1 if len(groups) else 0
    first = np.zeros(size, dtype=np.int64)
    first[groups[::-1]] = np.arange(len(groups))[::-1]

    def summed(weights: Integers) -> Integers:
        counted: Floats = np.bincount(groups, weights=weights, minlength=size).astype(np.float64)
        return counted.astype(np.int64)

    problem = Problem(
        tuple(column.where(first) for column in columns), summed(attempts), summed(failures)
    )
    return problem, groups


def time_columns(recording: Recording, cut: TimeProfile, blocks: Integers) -> list[Column]:
    """The pieces of time as a dimension; with several bursts also all of them together."""
    if not cut.hot:
        return []
    last = len(cut.pieces) - 1
    texts = [
        time_text(recording, piece.begin, None if place == last else piece.end)
        for place, piece in enumerate(cut.pieces)
    ]
    ends = np.asarray([piece.end for piece in cut.pieces])
    piece_of = np.searchsorted(ends, blocks, side="right").clip(max=last).astype(np.int64)
    columns = [Column(Dimension.TIME, piece_of, tuple(texts))]
    if cut.shape is TimeShape.BURSTS:
        hot = np.isin(piece_of, cut.hot).astype(np.int64)
        named = ", ".join(texts[place] for place in cut.hot[:3])
        more = f" and {len(cut.hot) - 3} more" if len(cut.hot) > 3 else ""
        columns.append(Column(Dimension.TIME, hot, ("the rest of the time", f"{named}{more}")))
    return columns


def time_text(recording: Recording, begin: int, end: int | None) -> str:
    """A stretch of the run: `10:31:07-10:31:17`, `from 10:31:07`, `until 10:31:07`."""
    if end is None:
        return f"from {recording.moment(begin)}"
    if begin == 0:
        return f"until {recording.moment(end)}"
    return f"{recording.moment(begin)}–{recording.moment(end)}"  # noqa: RUF001 - a range
