"""Finds the cohorts of connections that the failures have in common.

The input is counts: rows of attributes, each with its attempts and its failures. Every conjunction
of up to three conditions (`address = A and tls_version = TLSv1.2`) is a hypothesis. All of them are
tested, so that nothing is missed, and the test corrects for their number:

* A value's *complement* (`every address except A`) is a hypothesis, too, and so is each *range* of
  versions or numbers (`between 17.2 and 17.4`). One wins only where several of the values that it
  holds fail. The search inside a cohort joins them with others and with values.
* A cohort's p-value is the binomial tail of its failures given its part of the attempts. The level
  is shared among the hypotheses that could reach it at all (Tarone's count), over distinct *row
  sets*: two ways to describe the same handshakes are one hypothesis, recognised by a fingerprint.
* Of those that pass, the one with the largest likelihood ratio wins, less four nats for each
  further condition. Others with the same rows are its aliases, others as good are its rivals.
* What is found is peeled off, failing *and* good rows, and the search goes on in the rest. It also
  looks inside: when the rest of a cohort fails no more often than the rows outside it, the cohort
  was only an umbrella over what was found inside.

**Counting.** For each set of columns the rows get one mixed-radix key, and a handful of `bincount`s
gives the attempts, the failures and the fingerprints of all its cohorts. A fingerprint is the sum
of random numbers given to the rows: two cohorts with equal fingerprints hold the same rows (72
bits; among a million cohorts a collision has a chance of one in a billion).

Invariants: the order of rows and of dimensions changes nothing; an unknown value belongs to no
cohort; fewer than three failures find nothing. A caller may pass a check that decides on each
candidate (see `stress.analysis.causes.stratified_check`).

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stress.analysis.causes.table import UNKNOWN, Column
from stress.analysis.proportions.binomial import (
    Floats,
    Integers,
    smallest_tail,
    tarone,
    two_rates,
    upper_tail,
)
from stress.model.attributes import Dimension
from stress.model.summary import Comparator
from stress.text.scale import Scale

Mask: TypeAlias = NDArray[np.bool_]
Prints: TypeAlias = NDArray[np.uint64]
"""Fingerprints."""
ColumnValue: TypeAlias = tuple[int, int] | tuple[int, int, int]
"""A condition: number of the column, code of the value; `~code` is every other known value, and two
codes are the ends of a range."""
Conjunction: TypeAlias = tuple[ColumnValue, ...]
"""Conditions that all have to be met, in the order of the columns."""

LEVEL = 0.05
DEPTH = 3
"""Most conditions of a cohort."""
FEWEST = 3
"""Failures below which nothing is claimed."""
PENALTY = 4.0
"""Nats that each condition after the first must earn."""
RIVAL = 3.0
"""Nats within which another row set counts as nearly as good."""
RIVALS = 5
CAUSES = 6
MANY_BAD, ALIKE = 3, 0.5
"""A complement holds so many values with at least this part of its failure rate; fewer bad ones are
named one by one."""
MOST_VALUES = 256
"""Of a column whose complements are tested."""
MOST_RANGED = 128
"""Of a column whose ranges are tested."""
ORDERED = frozenset({Dimension.TIME, Dimension.RATE})
"""Dimensions whose values are stretches and levels: all but one of them are no one place."""
LOOKS_INSIDE = 2
"""How deep the search inside a cohort nests."""
CANDIDATES = 24
"""How many candidates are checked before a round gives up."""
UMBRELLA = 0.01
"""Above this p the rest of a cohort fails no more often than the rows outside it."""
SEED = 20260101
DENSE = 4
"""A key space up to this many times the rows is counted directly, a larger one is sorted."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Rows of attributes with their attempts and failures."""

    columns: tuple[Column, ...]
    attempts: Integers
    failures: Integers
    tested: int = 0
    """Hypotheses that were tested before; the level is shared among no fewer."""

    def rows(self, conditions: Sequence[ColumnValue]) -> Mask:
        """The rows that meet all the conditions."""
        mask = np.ones(len(self.attempts), dtype=np.bool_)
        for column, first, *last in conditions:
            codes = self.columns[column].codes
            if first < 0:
                mask &= (codes != ~first) & (codes != UNKNOWN)
            else:
                mask &= (codes >= first) & (codes <= (*last, first)[0])
        return mask

    def sums(self, mask: Mask) -> tuple[int, int]:
        """Failures and attempts in these rows."""
        return int(self.failures[mask].sum()), int(self.attempts[mask].sum())

    def recounted(self, cohort: Cohort, left: Mask) -> Cohort:
        """The cohort with its counts among the rows that are left."""
        failures, attempts = self.sums(left & self.rows(cohort.conditions))
        all_failures, all_attempts = self.sums(left)
        return replace(
            cohort,
            failures=failures,
            attempts=attempts,
            all_failures=all_failures,
            all_attempts=all_attempts,
        )


@dataclass(frozen=True, slots=True)
class Cohort:
    """A set of rows that fail more often than the others."""

    conditions: Conjunction
    aliases: tuple[Conjunction, ...]
    """Other ways to describe exactly these rows; none contains another."""
    rivals: tuple[Conjunction, ...]
    """Other row sets that explain the failures nearly as well."""
    failures: int
    attempts: int
    all_failures: int
    """In the rows that were still in the search."""
    all_attempts: int
    p_value: float
    """Of its own test."""
    hypotheses: int
    """Among how many the level was shared."""
    hot: tuple[Cohort, ...] = ()
    """Parts of it that fail even more often."""

    @property
    def adjusted(self) -> float:
        """The p-value times the number of hypotheses, at most 1."""
        return min(1.0, self.p_value * self.hypotheses)


Check: TypeAlias = Callable[[Cohort, Mask], bool]
"""Whether a candidate may be claimed, given the rows that are still in the search."""


@dataclass(frozen=True, slots=True)
class Search:
    """The result: the cohorts in the order in which they were found, and how much was tried."""

    cohorts: tuple[Cohort, ...]
    hypotheses: int
    considered: int


def search(problem: Problem, holds: Check = lambda _cohort, _mask: True) -> Search:
    """All cohorts that explain failures."""
    whole = np.ones(len(problem.attempts), dtype=np.bool_)
    first = Ranking(problem, whole)
    found = _peeled(problem, whole, holds, 0, first)
    return Search(tuple(found), first.hypotheses, first.considered)


def _peeled(
    problem: Problem, mask: Mask, holds: Check, level: int, ranking: Ranking | None = None
) -> list[Cohort]:
    """Peels one cohort after the other off the rows of the mask."""
    found: list[Cohort] = []
    while len(found) < CAUSES:
        candidates = (ranking or Ranking(problem, mask)).cohorts(CANDIDATES)
        cohort = next((one for one in candidates if holds(one, mask)), None)
        if cohort is None:
            break
        parts = _look_inside(problem, mask, holds, level, cohort)
        found += parts
        for part in parts:
            mask = mask & ~problem.rows(part.conditions)
        ranking = None
    return found


def _look_inside(
    problem: Problem, mask: Mask, holds: Check, level: int, cohort: Cohort
) -> list[Cohort]:
    """The cohort itself, or the parts it was only an umbrella for."""
    if level >= LOOKS_INSIDE:
        return [cohort]
    inside = mask & problem.rows(cohort.conditions)
    parts: list[Cohort] = []
    for part in _peeled(problem, inside, holds, level + 1):
        # Described in full, and counted against all rows of the mask.
        ways = [
            _minimal(problem, mask, (*cohort.conditions, *way))
            for way in (part.conditions, *part.aliases)
        ]
        aliases = tuple(way for way in dict.fromkeys(ways) if way != ways[0])
        parts.append(problem.recounted(replace(part, conditions=ways[0], aliases=aliases), mask))
    if not parts:
        return [cohort]
    rest = inside
    for part in parts:
        rest = rest & ~problem.rows(part.conditions)
    failures, attempts = problem.sums(rest)
    outside_failures, outside_attempts = problem.sums(mask & ~inside)
    share = attempts / max(1, attempts + outside_attempts)
    umbrella = not failures or _tail(failures, failures + outside_failures, share) > UMBRELLA
    return parts if umbrella else [replace(cohort, hot=tuple(parts))]


def _minimal(problem: Problem, mask: Mask, conditions: Conjunction) -> Conjunction:
    """The same rows without a condition that changes nothing, in the order of the columns."""
    kept = tuple(sorted(set(conditions)))
    rows = mask & problem.rows(kept)
    for condition in reversed(kept):
        fewer = tuple(one for one in kept if one != condition)
        if fewer and np.array_equal(mask & problem.rows(fewer), rows):
            kept = fewer
    return kept


def _tail(failures: int, all_failures: int, share: float) -> float:
    return float(upper_tail(np.asarray(float(failures)), all_failures, np.asarray(share)))


def joined(problem: Problem, condition: ColumnValue, parts: Sequence[Cohort]) -> Cohort:
    """One condition that holds exactly what was found in parts, the worst of them first."""
    plain = replace(parts[0], conditions=(condition,), aliases=(), rivals=(), hot=(parts[0],))
    whole = problem.recounted(plain, np.ones(len(problem.attempts), dtype=np.bool_))
    share = whole.attempts / whole.all_attempts
    return replace(whole, p_value=_tail(whole.failures, whole.all_failures, share))


class _Space(NamedTuple):
    """The cohorts of one set of columns, with their attempts, failures and fingerprints."""

    columns: tuple[int, ...]
    sizes: tuple[int, ...]
    """How many values each column has: the radix of its digit in the keys."""
    keys: Integers
    attempts: Floats
    failures: Floats
    prints: Prints
    form: Comparator = Comparator.IS
    """Whether these are values, their complements, or ranges with the first and the last code as
    digits; of one column, but for values."""

    def complements(self) -> _Space:
        """Of the values of one column; all sums are linear, so nothing is counted again.

        One that is not to win stays a hypothesis, but without failures.
        """
        attempts, failures, prints = (one.sum(dtype=one.dtype) - one for one in self[3:6])
        bad = self.failures / self.attempts >= ALIKE * (failures / attempts)[:, np.newaxis]
        np.fill_diagonal(bad, val=False)
        failures = np.where(bad.sum(axis=1) >= MANY_BAD, failures, 0.0)
        return _Space(
            self.columns, self.sizes, self.keys, attempts, failures, prints, Comparator.IS_NOT
        )

    def ranges(self, scale: Scale) -> _Space:
        """Of the values of one column on a scale.

        Like a complement, one that holds too few failing values is not to win.
        """
        last, first = np.meshgrid(np.arange(len(self.keys)), np.arange(len(self.keys)))
        kinds = np.asarray(scale.kinds)[self.keys]
        several = (last - first + 1 >= scale.fewest) & (last - first + 1 < len(self.keys))
        first, last = (one[several & (kinds[first] == kinds[last])] for one in (first, last))
        sums = [np.concatenate(([0], np.cumsum(one))).astype(one.dtype) for one in self[3:6]]
        attempts, failures, prints = (one[last + 1] - one[first] for one in sums)
        bad = self.failures / self.attempts >= ALIKE * (failures / attempts)[:, np.newaxis]
        order = np.arange(len(self.keys))
        bad &= (order >= first[:, np.newaxis]) & (order <= last[:, np.newaxis])
        ends = bad[np.arange(len(first)), first] & bad[np.arange(len(first)), last]
        failures = np.where(ends & (bad.sum(axis=1) >= scale.fewest), failures, 0.0)
        size = self.sizes[0]
        return _Space(
            self.columns,
            (size, size),
            self.keys[first] * size + self.keys[last],
            attempts,
            failures,
            prints,
            Comparator.BETWEEN,
        )


class Ranking:
    """Every cohort of the masked rows, tested; with fewer than three failures none passes."""

    def __init__(self, problem: Problem, mask: Mask) -> None:
        self._failing, self._total = failing, total = problem.sums(mask)
        self.hypotheses = self.considered = 0
        # Places of those that pass, best first; one for each distinct row set.
        self._order = np.zeros(0, dtype=np.int64)
        tested = FEWEST <= failing < total
        self._spaces = spaces = list(_counted(problem, np.flatnonzero(mask))) if tested else []
        if not spaces:
            return
        attempts = np.concatenate([space.attempts for space in spaces])
        failures = np.concatenate([space.failures for space in spaces])
        prints = np.concatenate([space.prints for space in spaces])
        # A complement or a range has to earn as much as a second condition.
        depths = [
            np.full(len(one.keys), len(one.columns) + (one.form is not Comparator.IS))
            for one in spaces
        ]
        # The first of equal fingerprints is the simplest: the spaces come in that order.
        _, firsts = np.unique(prints, return_index=True)
        firsts = firsts[attempts[firsts] < total]
        shares = attempts / total
        self.considered = len(firsts)
        reachable = tarone(smallest_tail(attempts[firsts], failing, shares[firsts]), LEVEL)
        self.hypotheses = max(problem.tested, reachable)
        tails = np.ones(len(attempts))
        worth = firsts[failures[firsts] >= FEWEST]
        tails[worth] = upper_tail(failures[worth], failing, shares[worth])
        scores = two_rates(failures, attempts, failing, total) - PENALTY * (
            np.concatenate(depths) - 1
        )
        worse = failures[worth] * total > failing * attempts[worth]
        passing = worth[worse & (tails[worth] <= LEVEL / self.hypotheses)]
        self._order = passing[np.lexsort((passing, -np.round(scores[passing], 9)))]
        self._attempts, self._failures, self._prints = attempts, failures, prints
        self._tails, self._scores = tails, scores
        # Where each space begins in these arrays.
        self._starts = np.cumsum([0, *(len(space.keys) for space in spaces[:-1])])

    def cohorts(self, most: int) -> Iterator[Cohort]:
        """The best that pass the test, with their aliases and rivals; made on demand."""
        for place in self._order[:most].tolist():
            # Simplest first: fewer conditions, no ranges, the preferred dimensions, the value.
            alike = np.flatnonzero(self._prints == self._prints[place]).tolist()
            ways: list[Conjunction] = []
            named = map(self._conjunction, alike)
            found = [
                (len(way), any(len(one) > 2 or one[1] < 0 for one in way), way) for way in named
            ]
            for _, _, way in sorted(found):
                if not any(set(simpler) <= set(way) for simpler in ways):
                    ways.append(way)
            scores = self._scores[self._order]
            near = self._order[np.abs(scores - self._scores[place]) <= RIVAL].tolist()
            others = [self._conjunction(one) for one in near if one != place]
            rivals = [one for one in others if not _same_scale(one, ways[0])]
            yield Cohort(
                conditions=ways[0],
                aliases=tuple(ways[1:]),
                rivals=tuple(rivals[:RIVALS]),
                failures=int(self._failures[place]),
                attempts=int(self._attempts[place]),
                all_failures=self._failing,
                all_attempts=self._total,
                p_value=float(self._tails[place]),
                hypotheses=self.hypotheses,
            )

    def _conjunction(self, place: int) -> Conjunction:
        """The conditions of a cohort, from the digits of its key."""
        number = int(np.searchsorted(self._starts, place, side="right")) - 1
        space = self._spaces[number]
        codes = np.unravel_index(space.keys[place - self._starts[number]], space.sizes)
        digits = [int(code) for code in codes]
        if space.form is Comparator.BETWEEN:
            return ((space.columns[0], digits[0], digits[1]),)
        values = [~code if space.form is Comparator.IS_NOT else code for code in digits]
        return tuple(zip(space.columns, values, strict=True))


def _same_scale(one: Conjunction, other: Conjunction) -> bool:
    """Whether both are a part of one column, and one of them is a range; its ends are estimates."""
    columns = {condition[0] for condition in (*one, *other)}
    return len(columns) == len(one) == 1 and max(map(len, (*one, *other))) > 2


def _counted(problem: Problem, rows: Integers) -> Iterator[_Space]:
    """Counts all cohorts, one set of columns after the other."""
    random = np.random.default_rng(SEED)
    # Sums must stay below 2^53, where floats are exact.
    bits = min(36, 52 - len(rows).bit_length())
    marks = random.integers(1, 1 << bits, size=(2, len(rows))).astype(np.float64)
    weights = (
        problem.attempts[rows].astype(np.float64),
        problem.failures[rows].astype(np.float64),
        *marks,
    )
    varying: list[tuple[int, Integers, int]] = []
    for number, column in enumerate(problem.columns):
        codes = column.codes[rows]
        known = codes[codes != UNKNOWN]
        if len(known) and (known != known[0]).any():
            varying.append((number, codes, len(column.values)))
    for depth in range(1, DEPTH + 1):
        for chosen in combinations(varying, depth):
            _, keys, width = chosen[0]
            reached = keys != UNKNOWN
            for _, codes, size in chosen[1:]:
                keys = keys * size + codes
                reached &= codes != UNKNOWN
                width *= size
            # Most columns are known everywhere; a slice instead of a mask copies nothing.
            where = slice(None) if reached.all() else reached
            keys, lookup = keys[where], None
            if width > DENSE * len(keys) + 1024:
                lookup, keys = np.unique(keys, return_inverse=True)
                width = len(lookup)
            attempts, failures, first, second = (
                np.bincount(keys, weights=one[where], minlength=width).astype(
                    np.float64, copy=False
                )
                for one in weights
            )
            held = np.flatnonzero(attempts)
            # Two sums mixed into 64 bits; linear, so that equal sets stay equal.
            prints = first[held].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + second[
                held
            ].astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
            space = _Space(
                tuple(number for number, _, _ in chosen),
                tuple(size for _, _, size in chosen),
                held if lookup is None else lookup[held],
                attempts[held],
                failures[held],
                prints,
            )
            yield space
            column = problem.columns[space.columns[0]]
            if depth > 1 or column.dimension in ORDERED or column.partial:
                continue
            if MANY_BAD < len(held) <= MOST_VALUES:
                yield space.complements()
            if column.scale is not None and len(held) <= MOST_RANGED:
                yield space.ranges(column.scale)
