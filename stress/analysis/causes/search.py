"""Finds the cohort of connections that the failures have in common.

The question is asked of counts: rows of attributes, each with its attempts and its failures. Every
conjunction of up to three conditions (`address = A and tls_version = TLSv1.2`) is a hypothesis,
and all of them are tested, so that nothing is missed and nothing is believed because it was looked
for long enough:

* A cohort's p-value is the binomial tail of its failures given its share of the attempts. The level
  is shared among the hypotheses that could reach it at all (Tarone's count), over distinct *row
  sets*: two ways to say the same handshakes are one hypothesis, told apart by a fingerprint.
* Of those that pass, the one with the largest likelihood ratio wins, less four nats for each
  further condition. Others with the same rows are its aliases, others as good are its rivals.
* What is found is peeled off, failing *and* good rows, and the search goes on in the rest. And it
  looks inside: when the rest of a cohort is no worse than the world outside, the cohort was only an
  umbrella over what was found inside.

Invariants: the order of rows and of dimensions changes nothing; an unknown value belongs to no
cohort; fewer than three failures find nothing. A caller may pass a `guard`, which has the last word
on each candidate (see `stress.analysis.causes.stratified_check`).

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from stress.analysis.causes.cohorts import Cohort, Mask, Pair, Problem, Ranking, rank, sums
from stress.analysis.proportions.binomial import upper_tail

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


def joined(problem: Problem, condition: Pair, parts: Sequence[Cohort]) -> Cohort:
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


def _minimal(problem: Problem, mask: Mask, conditions: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """The same rows without a condition that changes nothing, in the order of the columns."""
    kept = tuple(sorted(set(conditions)))
    rows = mask & problem.rows(kept)
    for condition in reversed(kept):
        fewer = tuple(one for one in kept if one != condition)
        if fewer and np.array_equal(mask & problem.rows(fewer), rows):
            kept = fewer
    return kept
