"""Records of many columns, folded to the few that can explain a failure.

The search (`stress.analysis.causes.isolation`) wants rows that repeat. A million records of ten
columns hardly ever do, so the same hypotheses are counted here first, over all rows and columns,
in the same way (`stress.analysis.causes.cohorts`): conjunctions of up to three values, the level
shared among all that could reach it. The best one, whatever is nearly as good or has the same
counts, and what fails more inside of it name columns; its rows are taken out, and the rest is
counted again.
Columns that are never named are folded away, which changes no count: the rest is what the search,
the checks and the report work on.

* The level stays shared among all hypotheses that were counted here, so that folding makes nothing
  look more certain (`Table.hypotheses`).
* Of a column with many values only those that fail most beyond their part are told apart in pairs
  and triples; all their combinations count as hypotheses.
* All but one value of a column, and ranges of versions or numbers, are counted from its values.
* Failures are few, so only attempts are counted over all rows, once. What is taken out is counted
  and subtracted.

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stress.analysis.causes.classes import known_enough
from stress.analysis.causes.cohorts import (
    CAUSES,
    DEPTH,
    FEWEST,
    LEVEL,
    MANY_BAD,
    MOST_RANGED,
    PENALTY,
    RIVAL,
    Mask,
)
from stress.analysis.causes.table import UNKNOWN, Column, Table
from stress.analysis.proportions.binomial import (
    Integers,
    smallest_tail,
    tarone,
    two_rates,
    upper_tail,
)
from stress.model.attributes import Dimension
from stress.model.outcome import Stage
from stress.model.record import RecordColumn, RecordTable
from stress.text.scale import Scale, scale

Codes: TypeAlias = NDArray[np.uint8]
Spans: TypeAlias = NDArray[np.int64]

TOLD_APART = 32
"""Values of one column in pairs and triples."""
MOST_WORK = 3_000_000_000
"""Rows times sets of columns that are counted; beyond it only pairs are."""
MOST_COHORTS = 6_000_000
"""Counts that are held; beyond it only pairs are, too."""
_ALWAYS = frozenset({Dimension.CHAIN, Dimension.STAGE})
"""Of an export of ours: the chain decides an outcome, the stage whether it was possible."""
_AT_ONCE = 1 << 18
"""Rows that fit into the processor's cache."""
STAGES = {stage.label: stage.order for stage in Stage}
MOST_ROWS = 3_000_000
"""Rows of the folded table, as far as the columns of the best cohort allow."""
_FOLDED = 1 << 20
"""Rows that are folded at once."""
MOST_BLOCKS = 1000


def tabulate_records(records: RecordTable, keep: Collection[str] | None = None) -> Table:
    """The table of records.

    Args:
        records: their columns.
        keep: names of the dimensions to keep; None: those that may explain something.
    """
    outcomes = np.frombuffer(records.outcomes, np.uint8)
    counts = np.frombuffer(records.counts, np.int64) if records.counts else None
    codes = [np.frombuffer(column.codes, np.uint8) for column in records.columns]
    dimensions = [Dimension(column.name) for column in records.columns]
    kept = {number for number, one in enumerate(dimensions) if one in _ALWAYS}
    if keep is not None:
        kept |= {number for number, one in enumerate(dimensions) if one in keep}
        return _folded(records, outcomes, counts, {one: codes[one] for one in sorted(kept)})
    usable = [number for number in range(len(codes)) if number not in kept]
    distinct = [records.columns[number].distinct for number in usable]
    columns = [records.columns[number] for number in usable]
    whole = [one for one in columns if not _is_partial(one)]
    scales = {one.name: scale(one.values) for one in whole if len(one.values) <= MOST_RANGED}
    screen = _Screen(
        [codes[number] for number in usable],
        distinct,
        {place for place, one in enumerate(columns) if one in whole},
        [scales.get(one.name) for one in columns],
        counts,
    )
    ranks: dict[int, int] = {}
    for kind in range(1, len(records.names)):
        failed = outcomes == kind
        without = frozenset(
            place
            for place, number in enumerate(usable)
            if not known_enough(
                dimensions[number],
                int(np.count_nonzero(codes[number][failed])),
                int(np.count_nonzero(failed)),
            )
        )
        for place, rank in screen.explaining(failed, without).items():
            ranks[usable[place]] = min(rank, ranks.get(usable[place], rank))
    blocks = np.frombuffer(records.blocks, np.uint16)
    size = (int(blocks.max(initial=0)) + 1) * len(records.names)
    for number in sorted(ranks, key=ranks.__getitem__):
        wider = size * (len(records.columns[number].values) + 1)
        most = MOST_ROWS if ranks[number] >= CAUSES else 2 * MOST_ROWS
        if ranks[number] and min(wider, len(outcomes)) > most:
            continue  # too dear to keep: only the best cohort keeps its columns in any case
        size = wider
        kept.add(number)
    return replace(
        _folded(records, outcomes, counts, {one: codes[one] for one in sorted(kept)}),
        considered=screen.considered,
        hypotheses=screen.hypotheses,
        depth=screen.depth,
    )


def _is_partial(column: RecordColumn) -> bool:
    """Whether only some of its values have codes: those that fail most."""
    return column.distinct > len(column.values)


def _folded(
    records: RecordTable, outcomes: Codes, counts: Integers | None, codes: dict[int, Codes]
) -> Table:
    """Counts rows with equal outcome, time block and kept columns together."""
    blocks = np.frombuffer(records.blocks, np.uint16)
    radix = [MOST_BLOCKS, len(records.names)]
    radix += [len(records.columns[number].values) + 1 for number in codes]
    every: Sequence[NDArray[Any]] = [blocks, outcomes, *codes.values()]
    met: list[NDArray[np.int16]] = []
    sums: list[NDArray[np.float64]] = []
    for begin in range(0, len(outcomes), _FOLDED):
        part = slice(begin, begin + _FOLDED)
        rows = np.stack([values[part].astype(np.int16) for values in every], axis=1)
        found, size = _counted(rows, radix, None if counts is None else counts[part])
        met.append(found)
        sums.append(size)
        if sum(map(len, met)) > 2 * _FOLDED:  # sorting takes many times what it sorts
            found, size = _counted(np.concatenate(met), radix, np.concatenate(sums))
            met, sums = [found], [size]
    rows, total = _counted(np.concatenate(met), radix, np.concatenate(sums))
    columns = [
        Column(
            Dimension(records.columns[number].name),
            rows[:, place].astype(np.int64) - 1,
            records.columns[number].values,
            partial=_is_partial(records.columns[number]),
        )
        for place, number in enumerate(codes, 2)
    ]
    columns.sort(key=lambda column: column.dimension.priority)
    return Table(
        columns=tuple(column for column in columns if column.dimension != Dimension.STAGE),
        outcomes=Column(Dimension.STAGE, rows[:, 1].astype(np.int64), records.names),
        stages=_numbers(columns, Dimension.STAGE, STAGES.get, Stage.FINISHED.order, len(rows)),
        blocks=rows[:, 0].astype(np.int64),
        chains=_numbers(
            columns,
            Dimension.CHAIN,
            lambda text: int(text) if text.isdecimal() else None,
            UNKNOWN,
            len(rows),
        ),
        counts=total.astype(np.int64),
    )


def _counted(
    rows: NDArray[np.int16], radix: Sequence[int], weights: NDArray[Any] | None
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """The distinct rows, and the sum of the weights of each."""
    if prod(radix) < 1 << 62:
        keys = np.zeros(len(rows), np.int64)
        for place, size in enumerate(radix):
            keys = keys * size + rows[:, place]
        _, first, groups = np.unique(keys, return_index=True, return_inverse=True)
    else:
        _, first, groups = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return rows[first], np.bincount(groups.ravel(), weights, len(first)).astype(np.float64)


def _numbers(
    columns: Sequence[Column],
    dimension: Dimension,
    number: Callable[[str], int | None],
    unknown: int,
    rows: int,
) -> Integers:
    """What an export of a run of ours says by number, for each row."""
    column = next((one for one in columns if one.dimension == dimension), None)
    if column is None:
        return np.full(rows, int(unknown))
    # The code of "no value" is -1, so its number is the last.
    read = [number(value) for value in column.values]
    known = [unknown if one is None or one > 1 << 53 else one for one in read]
    return np.asarray([*map(int, known), int(unknown)])[column.codes]


@dataclass(frozen=True, slots=True)
class _Space:
    """The cohorts of one set of columns."""

    columns: tuple[int, ...]
    begin: int
    """Where its counts are among those of all spaces."""
    size: int
    more: int
    """Combinations of values that are not told apart."""


class _Screen:
    """Counts conjunctions over the rows of all columns.

    Args:
        codes: of each column; 0 is "no value".
        distinct: values that each column had, also those that have no code.
        whole: columns of which every value has a code.
        scales: of each column, where ranges of its values mean something.
        counts: attempts of each row; None: one.
    """

    def __init__(
        self,
        codes: Sequence[Codes],
        distinct: Sequence[int],
        whole: Collection[int],
        scales: Sequence[Scale | None],
        counts: Integers | None,
    ) -> None:
        self.codes, self.distinct, self.counts = codes, distinct, counts
        self.whole, self.scales = whole, scales
        self.rows = len(codes[0]) if codes else 0
        self.depth = DEPTH
        """Most conditions of a cohort that is counted."""
        self.considered = self.hypotheses = 0
        self._told: list[Codes] = []
        self._spaces: list[_Space] = []
        self._whole: Integers | None = None
        self._begins: Integers = np.zeros(0, np.int64)
        self._known: Mask = np.zeros(0, np.bool_)
        self._usable = self._known
        self._spans: Spans = np.zeros((0, 4), np.int64)
        """Ranges, and complements of single values: the column, the first and the last place among
        the counts, and whether these are what is left out."""

    def explaining(self, failed: Mask, without: frozenset[int]) -> dict[int, int]:
        """The columns that may explain these failures, but for some that may not.

        Each with its rank: 0 for those of the best cohort, more for later ones, and most for what
        is nearly as good or fails more inside of another.
        """
        failing = np.flatnonzero(failed)
        total = self.weight(None)
        if self.weight(failing) < FEWEST or not self.codes:
            return {}
        if self._whole is None:
            self.tell_apart(failing)
            self._whole = self.count(None)
        self._usable = self._known.copy()
        for space in self._spaces:
            if not without.isdisjoint(space.columns):
                self._usable[space.begin : space.begin + space.size] = False
        attempts, found = self._whole.copy(), dict[int, int]()
        for rank in range(CAUSES):
            best = self.ranked(attempts, failing, total)
            if not best:
                break
            named = [(best[:1], rank), (best[1:], rank + CAUSES)]
            inside = self.matching(best[0])
            attempts_inside = self.count(inside)
            here = failing[np.isin(failing, inside, assume_unique=True)]
            parts = self.ranked(attempts_inside, here, self.weight(inside))
            for places, later in (*named, (parts, rank + CAUSES)):
                columns = [column for place in places for column in self.columns_of(place)]
                found |= {column: min(later, found.get(column, later)) for column in columns}
            attempts -= attempts_inside
            total -= self.weight(inside)
            failing = failing[~np.isin(failing, here, assume_unique=True)]
        return found

    def weight(self, rows: Integers | None) -> int:
        """Attempts in these rows; None: in all."""
        if self.counts is not None:
            return int((self.counts if rows is None else self.counts[rows]).sum())
        return self.rows if rows is None else len(rows)

    def tell_apart(self, failing: Integers) -> None:
        """Chooses the values that are told apart in pairs and triples, and numbers the spaces."""
        weights = None if self.counts is None else self.counts[failing]
        for codes in self.codes:
            size = int(codes.max(initial=0)) + 1
            if size - 1 <= TOLD_APART:
                self._told.append(codes)
                continue
            attempts = np.bincount(codes, self.counts, size)
            failures = np.bincount(codes[failing], weights, size)
            beyond = failures - attempts * failures.sum() / attempts.sum()
            score = beyond / np.sqrt(np.maximum(attempts, 1.0))
            score[0] = -np.inf
            table = np.zeros(size, np.uint8)
            table[np.argsort(-score, kind="stable")[:TOLD_APART]] = np.arange(1, TOLD_APART + 1)
            self._told.append(table[codes])
        whole, told = (
            [int(codes.max(initial=0)) + 1 for codes in each] for each in (self.codes, self._told)
        )
        chosen = [
            columns
            for depth in range(1, DEPTH + 1)
            for columns in combinations(range(len(told)), depth)
        ]
        cohorts = sum(prod(told[one] for one in columns) for columns in chosen)
        if len(chosen) * self.rows > MOST_WORK or cohorts > MOST_COHORTS:
            self.depth = DEPTH - 1
        begin = 0
        for columns in chosen:
            if len(columns) <= self.depth:
                sizes = [(told if len(columns) > 1 else whole)[one] for one in columns]
                there = prod(size - 1 for size in sizes)
                every = prod(self.distinct[one] for one in columns)
                self._spaces.append(_Space(columns, begin, prod(sizes), max(0, every - there)))
                begin += prod(sizes)
        self._begins = np.asarray([space.begin for space in self._spaces])
        self._spans = np.concatenate([self._spans, *map(self.spans, range(len(whole)))])
        self._known = self.known()

    def keys(self, space: _Space, rows: slice | Integers) -> NDArray[np.uint32]:
        """The place of each row among the cohorts of a space."""
        first, *others = space.columns
        source = self._told if others else self.codes
        keys = source[first][rows].astype(np.uint32)
        for column in others:
            keys *= np.uint32(int(self._told[column].max(initial=0)) + 1)
            keys += self._told[column][rows]
        return keys

    def count(self, rows: Integers | None) -> Integers:
        """Attempts of every cohort in these rows."""
        last = self._spaces[-1]
        counted = np.zeros(last.begin + last.size, np.int64)
        length = self.rows if rows is None else len(rows)
        for begin in range(0, length, _AT_ONCE):
            part = slice(begin, min(length, begin + _AT_ONCE))
            here = part if rows is None else rows[part]
            weights = None if self.counts is None else self.counts[here]
            for space, keys in self._each(here):
                found = np.bincount(keys, weights, space.size)
                counted[space.begin : space.begin + space.size] += found.astype(np.int64)
        return counted

    def _each(self, rows: slice | Integers) -> Iterator[tuple[_Space, NDArray[np.uint32]]]:
        """The keys of every space; pairs are kept for the triples that begin with them."""
        told = [codes[rows].astype(np.uint32) for codes in self._told]
        sizes = [np.uint32(int(codes.max(initial=0)) + 1) for codes in self._told]
        pairs: dict[tuple[int, ...], NDArray[np.uint32]] = {}
        for space in self._spaces:
            columns = space.columns
            if len(columns) == 1:
                yield space, self.codes[columns[0]][rows].astype(np.uint32)
                continue
            head = pairs[columns[:2]] if len(columns) > 2 else told[columns[0]]
            keys = head * sizes[columns[-1]] + told[columns[-1]]
            if len(columns) == 2:
                pairs[columns] = keys
            yield space, keys

    def spans(self, column: int) -> Spans:
        """The complements and ranges of a column; its own space is that of its number."""
        space, scale = self._spaces[column], self.scales[column]
        values = np.arange(space.begin + 1, space.begin + space.size)
        ones = np.ones_like(values)
        made = [np.stack((column * ones, values, values, ones), axis=1)]
        if len(values) <= MANY_BAD or column not in self.whole:
            made = []
        if scale is not None:
            last, first = np.meshgrid(values, values)
            several = (last - first + 1 >= scale.fewest) & (last - first + 1 < len(values))
            first, last = first[several], last[several]
            made.append(np.stack((0 * first + column, first, last, 0 * first), axis=1))
        return np.concatenate([self._spans[:0], *made])

    def with_spans(self, counts: Integers) -> Integers:
        """The counts of all cohorts, and after them those of ranges and complements."""
        column, first, last, without = self._spans.T
        sums = np.concatenate(([0], np.cumsum(counts)))
        inside = sums[last + 1] - sums[first]
        begins = self._begins[column]
        sizes = np.asarray([space.size for space in self._spaces])[column]
        whole = sums[begins + sizes] - sums[begins + 1]
        return np.concatenate((counts, np.where(without > 0, whole - inside, inside)))

    def ranked(self, attempts: Integers, failing: Integers, total: int) -> list[int]:
        """The place of the best cohort that passes, then of those nearly as good or alike."""
        failed = self.weight(failing)
        if not FEWEST <= failed < total:
            return []
        usable = np.concatenate((self._usable, self._usable[self._spans[:, 1]]))
        attempts, failures = map(self.with_spans, (attempts, self.count(failing)))
        known = np.flatnonzero((attempts > 0) & usable)
        sizes = attempts[known].astype(np.float64)
        hits = failures[known].astype(np.float64)
        # Few distinct sizes: the smallest tails are counted by size.
        distinct, times = np.unique(sizes, return_counts=True)
        smallest = smallest_tail(distinct, float(failed), distinct / total)
        hypotheses = tarone(np.repeat(smallest, times), LEVEL) + sum(
            space.more for space in self._spaces
        )
        self.considered = max(self.considered, len(known))
        self.hypotheses = max(self.hypotheses, hypotheses)
        worth = np.flatnonzero((hits >= FEWEST) & (hits * total > failed * sizes) & (sizes < total))
        tails = upper_tail(hits[worth], float(failed), sizes[worth] / total)
        worth = worth[tails <= LEVEL / max(hypotheses, self.hypotheses)]
        if not len(worth):
            return []
        places = known[worth]
        spaces = np.searchsorted(self._begins, places, side="right") - 1
        depths = np.asarray([len(space.columns) for space in self._spaces])[spaces]
        depths[places >= len(self._known)] = 2
        scores = two_rates(hits[worth], sizes[worth], float(failed), float(total))
        scores -= PENALTY * (depths - 1)
        best = int(np.lexsort((worth, -np.round(scores, 9)))[0])
        alike = (sizes[worth] == sizes[worth][best]) & (hits[worth] == hits[worth][best])
        near = np.flatnonzero((scores >= scores[best] - RIVAL) | (alike & (depths == depths[best])))
        return [int(places[one]) for one in (best, *near[near != best].tolist())]

    def columns_of(self, place: int) -> tuple[int, ...]:
        """The columns of a cohort."""
        if place >= len(self._known):
            return (int(self._spans[place - len(self._known), 0]),)
        return self._spaces[int(np.searchsorted(self._begins, place, side="right")) - 1].columns

    def known(self) -> Mask:
        """Which cohorts have a value in each of their columns."""
        last = self._spaces[-1]
        known = np.ones(last.begin + last.size, np.bool_)
        for space in self._spaces:
            keys = np.arange(space.size)
            inside = known[space.begin : space.begin + space.size]
            for column in reversed(space.columns):
                source = self._told if len(space.columns) > 1 else self.codes
                keys, code = np.divmod(keys, int(source[column].max(initial=0)) + 1)
                inside &= code > 0
        return known

    def matching(self, place: int) -> Integers:
        """The rows of one cohort."""
        if place >= len(self._known):
            column, first, last, without = self._spans[place - len(self._known)].tolist()
            codes, begin = self.codes[column], self._spaces[column].begin
            inside = (codes >= first - begin) & (codes <= last - begin)
            return np.flatnonzero((codes > 0) & ~inside if without else inside)
        space = self._spaces[int(np.searchsorted(self._begins, place, side="right")) - 1]
        key = place - space.begin
        found = [
            begin + np.flatnonzero(self.keys(space, slice(begin, begin + _AT_ONCE)) == key)
            for begin in range(0, self.rows, _AT_ONCE)
        ]
        return np.concatenate(found)
