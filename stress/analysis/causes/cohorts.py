"""Counts every cohort of up to three conditions at once, and ranks those that pass the test.

One round of the search in `search`, which explains the method. For each set of dimensions the rows
get one mixed-radix key, and a handful of `bincount`s gives the attempts, the failures and the
fingerprint of all its cohorts. The fingerprint is the sum of random numbers given
to the rows: two cohorts of equal fingerprint hold the same rows (72 bits; a collision among a
million cohorts has a chance of one in a billion).

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeAlias

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

Mask: TypeAlias = NDArray[np.bool_]
ColumnValue: TypeAlias = tuple[int, int]
"""A condition: number of the column, code of the value."""
Conjunction: TypeAlias = tuple[ColumnValue, ...]
"""A conjunction of conditions, in the order of the columns."""

LEVEL = 0.05
DEPTH = 3
FEWEST = 3
"""Failures below which nothing is claimed."""
PENALTY = 4.0
"""Nats that each condition after the first must earn."""
RIVAL = 3.0
"""Nats within which another row set counts as nearly as good."""
RIVALS = 5
SEED = 20260101
_DENSE = 4
"""A key space up to this many times the rows is counted directly, a larger one is sorted."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Rows of attributes with their attempts and failures."""

    columns: tuple[Column, ...]
    attempts: Integers
    failures: Integers

    def rows(self, conditions: Sequence[ColumnValue]) -> Mask:
        """The rows that meet all the conditions."""
        mask = np.ones(len(self.attempts), dtype=np.bool_)
        for column, code in conditions:
            mask &= self.columns[column].codes == code
        return mask


def sums(problem: Problem, mask: Mask) -> tuple[int, int]:
    """Failures and attempts in these rows."""
    return int(problem.failures[mask].sum()), int(problem.attempts[mask].sum())


@dataclass(frozen=True, slots=True)
class Cohort:
    """A set of rows that fail more often than the others."""

    conditions: Conjunction
    aliases: tuple[Conjunction, ...]
    """Other ways to say exactly these rows; none contains another."""
    rivals: tuple[Conjunction, ...]
    """Other row sets that explain it nearly as well."""
    failures: int
    attempts: int
    all_failures: int
    """In the rows that were still in the search."""
    all_attempts: int
    p_value: float
    """Of its own test."""
    hypotheses: int
    """Among how many the level was shared."""
    score: float
    hot: tuple[Cohort, ...] = ()
    """Still worse places inside it."""

    @property
    def adjusted(self) -> float:
        """The p-value times the number of hypotheses, at most 1."""
        return min(1.0, self.p_value * self.hypotheses)


@dataclass(frozen=True, slots=True, eq=False)
class _Space:
    """The cohorts of one set of columns."""

    columns: tuple[int, ...]
    sizes: tuple[int, ...]
    keys: Integers

    def words(self, place: int) -> Conjunction:
        """The conditions of one of its cohorts."""
        key, codes = int(self.keys[place]), []
        for size in reversed(self.sizes):
            key, code = divmod(key, size)
            codes.append(code)
        return tuple(zip(self.columns, reversed(codes), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """All cohorts of one round."""

    spaces: tuple[_Space, ...]
    starts: Integers
    """Where each space begins in the arrays below."""
    attempts: Floats
    failures: Floats
    prints: NDArray[np.uint64]
    scores: Floats
    tails: Floats
    order: Integers
    """Places of those that pass, best first; one for each distinct row set."""
    failing: int
    total: int
    hypotheses: int
    considered: int

    def cohorts(self, most: int) -> Iterator[Cohort]:
        """The best that pass the test, with their aliases and rivals; made as they are asked."""
        for place in self.order[:most]:
            yield self._cohort(int(place))

    def _cohort(self, place: int) -> Cohort:
        same = sorted(
            (self._words(int(one)) for one in np.flatnonzero(self.prints == self.prints[place])),
            key=_simplest,
        )
        return Cohort(
            conditions=same[0],
            aliases=tuple(_without_larger(same)[1:]),
            rivals=self._rivals(place),
            failures=int(self.failures[place]),
            attempts=int(self.attempts[place]),
            all_failures=self.failing,
            all_attempts=self.total,
            p_value=float(self.tails[place]),
            hypotheses=self.hypotheses,
            score=float(self.scores[place]),
        )

    def _rivals(self, place: int) -> tuple[Conjunction, ...]:
        near = self.order[np.abs(self.scores[self.order] - self.scores[place]) <= RIVAL]
        return tuple(self._words(int(one)) for one in near if one != place)[:RIVALS]

    def _words(self, place: int) -> Conjunction:
        space = int(np.searchsorted(self.starts, place, side="right")) - 1
        return self.spaces[space].words(place - int(self.starts[space]))


def rank(problem: Problem, mask: Mask) -> Ranking:
    """Tests every cohort of the masked rows; with fewer than three failures none passes."""
    failing, total = sums(problem, mask)
    if failing < FEWEST or failing >= total:
        return _nothing(failing, total)
    counter = _Counter(problem, np.flatnonzero(mask))
    counter.count()
    return counter.ranking(failing, total)


def _nothing(failing: int, total: int) -> Ranking:
    none, empty = np.zeros(0, dtype=np.float64), np.zeros(0, dtype=np.int64)
    prints = np.zeros(0, dtype=np.uint64)
    return Ranking((), empty, none, none, prints, none, none, empty, failing, total, 0, 0)


def _simplest(words: Conjunction) -> tuple[int, Conjunction]:
    """Fewer conditions first, then the preferred dimensions, then the value."""
    return len(words), words


def _without_larger(ways: Sequence[Conjunction]) -> list[Conjunction]:
    """Drops each way that only adds conditions to a simpler one."""
    kept: list[Conjunction] = []
    for way in ways:
        if not any(set(simpler) <= set(way) for simpler in kept):
            kept.append(way)
    return kept


class _Counter:
    """Counts the cohorts of the chosen rows, one set of columns after the other."""

    def __init__(self, problem: Problem, rows: Integers) -> None:
        self.attempts = problem.attempts[rows].astype(np.float64)
        self.failures = problem.failures[rows].astype(np.float64)
        random = np.random.default_rng(SEED)
        # Sums must stay below 2^53, where floats are exact.
        bits = min(36, 52 - len(rows).bit_length())
        self.marks = random.integers(1, 1 << bits, size=(2, len(rows))).astype(np.float64)
        columns = [(number, column.codes[rows]) for number, column in enumerate(problem.columns)]
        self.columns = [(number, codes) for number, codes in columns if _varies(codes)]
        self.sizes = {number: len(problem.columns[number].values) for number, _ in self.columns}
        self.spaces: list[_Space] = []
        self.counted: list[tuple[Floats, Floats, NDArray[np.uint64]]] = []

    def count(self) -> None:
        for depth in range(1, DEPTH + 1):
            for chosen in combinations(self.columns, depth):
                self._count(chosen)

    def _count(self, chosen: tuple[tuple[int, Integers], ...]) -> None:
        sizes = tuple(self.sizes[number] for number, _ in chosen)
        keys, known = _keys([codes for _, codes in chosen], sizes)
        keys, space, width = _compressed(keys, int(np.prod(sizes)))

        def counted(weights: Floats) -> Floats:
            mine = weights if known is None else weights[known]
            return np.bincount(keys, weights=mine, minlength=width).astype(np.float64, copy=False)

        attempts = counted(self.attempts)
        held = np.flatnonzero(attempts)
        prints = [counted(marks)[held].astype(np.uint64) for marks in self.marks]
        columns = tuple(number for number, _ in chosen)
        self.spaces.append(_Space(columns, sizes, held if space is None else space[held]))
        self.counted.append(
            (attempts[held], counted(self.failures)[held], _mixed(prints[0], prints[1]))
        )

    def ranking(self, failing: int, total: int) -> Ranking:
        """Tests what was counted."""
        if not self.counted:
            return _nothing(failing, total)
        attempts, failures, prints = (
            np.concatenate(part) for part in zip(*self.counted, strict=True)
        )
        depths = np.concatenate(
            [np.full(len(space.keys), len(space.columns)) for space in self.spaces]
        )
        starts = np.cumsum([0, *(len(space.keys) for space in self.spaces[:-1])])
        # The first of equal fingerprints is the simplest: the spaces come in that order.
        _, firsts = np.unique(prints, return_index=True)
        firsts = firsts[attempts[firsts] < total]
        shares = attempts / total
        hypotheses = tarone(smallest_tail(attempts[firsts], failing, shares[firsts]), LEVEL)
        tails = np.ones(len(attempts))
        worth = firsts[failures[firsts] >= FEWEST]
        tails[worth] = upper_tail(failures[worth], failing, shares[worth])
        scores = two_rates(failures, attempts, failing, total) - PENALTY * (depths - 1)
        worse = failures[worth] * total > failing * attempts[worth]
        passing = worth[worse & (tails[worth] <= LEVEL / hypotheses)]
        order = passing[np.lexsort((passing, -np.round(scores[passing], 9)))]
        return Ranking(
            spaces=tuple(self.spaces),
            starts=starts,
            attempts=attempts,
            failures=failures,
            prints=prints,
            scores=scores,
            tails=tails,
            order=order,
            failing=failing,
            total=total,
            hypotheses=hypotheses,
            considered=len(firsts),
        )


def _varies(codes: Integers) -> bool:
    """Whether at least two known values are met."""
    known = codes[codes != UNKNOWN]
    return len(known) > 0 and bool((known != known[0]).any())


def _keys(columns: Sequence[Integers], sizes: Sequence[int]) -> tuple[Integers, Mask | None]:
    """One mixed-radix key for each row in which all columns are known, and which rows these are."""
    keys = columns[0]
    known = columns[0] != UNKNOWN
    for codes, size in zip(columns[1:], sizes[1:], strict=True):
        keys = keys * size + codes
        known &= codes != UNKNOWN
    return (keys, None) if known.all() else (keys[known], known)


def _compressed(keys: Integers, width: int) -> tuple[Integers, Integers | None, int]:
    """Dense keys as they are; sparse ones by their rank, with the list to look them up."""
    if width <= _DENSE * len(keys) + 1024:
        return keys, None, width
    space, ranks = np.unique(keys, return_inverse=True)
    return ranks, space, len(space)


def _mixed(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Two sums folded into 64 bits; linear, so equal sets stay equal."""
    return first * np.uint64(0x9E3779B97F4A7C15) + second * np.uint64(0xC2B2AE3D27D4EB4F)


# Finds the cohort of connections that the failures have in common.
#
# The question is asked of counts: rows of attributes, each with its attempts and its failures.
# Every conjunction of up to three conditions (`address = A and tls_version = TLSv1.2`) is a
# hypothesis, and all of them are tested, so that nothing is missed and nothing is believed
# because it was looked for long enough:
#
# * A cohort's p-value is the binomial tail of its failures given its share of the attempts. The
# level   is shared among the hypotheses that could reach it at all (Tarone's count), over
# distinct *row   sets*: two ways to say the same handshakes are one hypothesis, told apart by a
# fingerprint. * Of those that pass, the one with the largest likelihood ratio wins, less four
# nats for each   further condition. Others with the same rows are its aliases, others as good are
# its rivals. * What is found is peeled off, failing *and* good rows, and the search goes on in
# the rest. And it   looks inside: when the rest of a cohort is no worse than the world outside,
# the cohort was only an   umbrella over what was found inside.
#
# Invariants: the order of rows and of dimensions changes nothing; an unknown value belongs to no
# cohort; fewer than three failures find nothing. A caller may pass a `guard`, which has the last
# word on each candidate (see `stress.analysis.causes.stratified_check`).
#
# Imported late: it needs numpy and scipy.

Guard: TypeAlias = Callable[[Cohort, Mask], bool]
"""Whether a candidate may be claimed, given the rows that are still in the search."""

CAUSES = 6
LOOKS_INSIDE = 2
CANDIDATES = 24
"""How many candidates are shown to the guard before a round gives up."""
UMBRELLA = 0.01
"""Above this p the rest of a cohort is no worse than the world outside."""


@dataclass(frozen=True, slots=True)
class Search:
    """What came out: the cohorts in the order in which they were found, and how much was tried."""

    cohorts: tuple[Cohort, ...]
    hypotheses: int
    considered: int


def search(problem: Problem, guard: Guard | None = None) -> Search:
    """All cohorts that explain failures."""
    whole = np.ones(len(problem.attempts), dtype=np.bool_)
    first = rank(problem, whole)
    found = _isolate(problem, whole, guard or _claim, 0, first)
    return Search(tuple(found), first.hypotheses, first.considered)


def _claim(_cohort: Cohort, _mask: Mask) -> bool:
    return True


def _isolate(
    problem: Problem, mask: Mask, guard: Guard, level: int, ranking: Ranking | None = None
) -> list[Cohort]:
    """Peels one cohort after the other off the rows of the mask."""
    found: list[Cohort] = []
    mask = mask.copy()
    while len(found) < CAUSES:
        candidates = (ranking or rank(problem, mask)).cohorts(CANDIDATES)
        cohort = next((one for one in candidates if guard(one, mask)), None)
        if cohort is None:
            break
        parts = _look_inside(problem, mask, guard, level, cohort)
        found += parts
        for part in parts:
            mask &= ~problem.rows(part.conditions)
        ranking = None
    return found


def _look_inside(
    problem: Problem, mask: Mask, guard: Guard, level: int, cohort: Cohort
) -> list[Cohort]:
    """The cohort itself, or what it was only an umbrella for."""
    if level >= LOOKS_INSIDE:
        return [cohort]
    inside = mask & problem.rows(cohort.conditions)
    parts = [
        _joined(problem, mask, cohort, part) for part in _isolate(problem, inside, guard, level + 1)
    ]
    if not parts:
        return [cohort]
    rest = inside.copy()
    for part in parts:
        rest &= ~problem.rows(part.conditions)
    if _no_worse(problem, rest, mask & ~inside):
        return parts
    return [replace(cohort, hot=tuple(parts))]


def joined(problem: Problem, condition: ColumnValue, parts: Sequence[Cohort]) -> Cohort:
    """One condition that holds exactly what was found in parts, the worst of them first."""
    first, rows = parts[0], problem.rows((condition,))
    failures, attempts = sums(problem, rows)
    all_failures, all_attempts = sums(problem, np.ones(len(rows), dtype=np.bool_))
    share = np.asarray(attempts / all_attempts)
    return replace(
        first,
        conditions=(condition,),
        aliases=(),
        rivals=(),
        failures=failures,
        attempts=attempts,
        all_failures=all_failures,
        all_attempts=all_attempts,
        p_value=float(upper_tail(np.asarray(float(failures)), all_failures, share)),
        hot=(first,),
    )


def _no_worse(problem: Problem, rest: Mask, outside: Mask) -> bool:
    """Whether what is left of a cohort fails no more often than the rows outside it."""
    failures, attempts = sums(problem, rest)
    if not failures:
        return True
    out_failures, out_attempts = sums(problem, outside)
    total, share = failures + out_failures, attempts / max(1, attempts + out_attempts)
    tail = upper_tail(np.asarray(float(failures)), total, np.asarray(share))
    return float(tail) > UMBRELLA


def _joined(problem: Problem, mask: Mask, outer: Cohort, inner: Cohort) -> Cohort:
    """The inner cohort said in full, and its counts against all rows of the mask."""
    conditions = _minimal(problem, mask, (*outer.conditions, *inner.conditions))
    failures, attempts = sums(problem, mask & problem.rows(conditions))
    all_failures, all_attempts = sums(problem, mask)
    in_full = (_minimal(problem, mask, (*outer.conditions, *one)) for one in inner.aliases)
    return replace(
        inner,
        conditions=conditions,
        aliases=tuple(alias for alias in dict.fromkeys(in_full) if alias != conditions),
        failures=failures,
        attempts=attempts,
        all_failures=all_failures,
        all_attempts=all_attempts,
    )


def _minimal(
    problem: Problem, mask: Mask, conditions: tuple[ColumnValue, ...]
) -> tuple[ColumnValue, ...]:
    """The same rows without a condition that changes nothing, in the order of the columns."""
    kept = tuple(sorted(set(conditions)))
    rows = mask & problem.rows(kept)
    for condition in reversed(kept):
        fewer = tuple(one for one in kept if one != condition)
        if fewer and np.array_equal(mask & problem.rows(fewer), rows):
            kept = fewer
    return kept
