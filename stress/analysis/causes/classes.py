"""Splits the failures into classes that may have a cause each: by ending, and by bad chain.

How a connection ended never explains anything; it says which failures belong together. A failure
of trust is decided by the chain (and by who judges it), so each bad chain is a class of its own
and that chain is its *mechanism*: what failed. Where it is met is searched apart.

Imported late: it needs numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stress.analysis.causes.cohorts import Mask
from stress.analysis.causes.table import UNKNOWN, Column, Table
from stress.analysis.dimensions import OF_THE_CHAIN, KnownFrom
from stress.analysis.proportions.binomial import Integers
from stress.model.outcome import OK, Kind, Outcome, Stage
from stress.model.summary import Cause

MOST_CHAINS = 8
"""Bad chains told apart in one ending; the rest stays together."""
LATE_KNOWN = 0.8
"""A late dimension may explain a class only if this share of the failures knows its value."""
DECIDES = 0.998
"""A chain with at least this failing share decides the ending by definition."""


@dataclass(frozen=True, slots=True, eq=False)
class FailureClass:
    """Failures that are searched together, among the attempts that came as far."""

    outcome: str
    chain: int | None
    """The mechanism: the chain that all of them got; None: no chain decides."""
    failures: Integers
    """By row of the table."""
    reached: Mask
    """Rows that came far enough to fail like this: the denominator."""

    @property
    def count(self) -> int:
        """How many failures."""
        return int(self.failures.sum())


def failure_classes(table: Table) -> tuple[FailureClass, ...]:
    """All classes, largest first."""
    found: list[FailureClass] = []
    for code, name in enumerate(table.outcomes.values):
        if name == OK.name:
            continue
        rows = table.outcomes.codes == code
        found += _of_trust(table, name, rows) if _is_trust(name) else [_of_wire(table, name, rows)]
    return tuple(sorted(found, key=lambda one: (-one.count, one.outcome, one.chain or UNKNOWN)))


def _is_trust(outcome: str) -> bool:
    return Outcome.parse(outcome).kind is Kind.TRUST


def _of_trust(table: Table, outcome: str, rows: Mask) -> list[FailureClass]:
    """One class for each of the commonest bad chains, one for all the others."""
    finished = table.stages >= Stage.FINISHED
    counts = np.bincount(table.chains[rows] - UNKNOWN, weights=table.counts[rows])
    common = [int(place) + UNKNOWN for place in np.argsort(-counts, kind="stable") if counts[place]]
    told = [chain for chain in common[:MOST_CHAINS] if chain != UNKNOWN]
    classes = [
        _class(table, outcome, rows & (table.chains == chain), finished, chain) for chain in told
    ]
    rest = rows & ~np.isin(table.chains, told)
    return [*classes, _class(table, outcome, rest, finished)] if rest.any() else classes


def _of_wire(table: Table, outcome: str, rows: Mask) -> FailureClass:
    """One class; only attempts that came as far as these failures could fail like this."""
    reached = table.stages >= table.stages[rows].min()
    return _class(table, outcome, rows, reached, _deciding_chain(table, rows, reached))


def _deciding_chain(table: Table, rows: Mask, reached: Mask) -> int | None:
    """The one chain with which this ending always comes, and never without it."""
    chains = np.unique(table.chains[rows])
    if len(chains) != 1 or chains[0] == UNKNOWN:
        return None
    met = reached & (table.chains == chains[0])
    failing, all_met = int(table.counts[rows].sum()), int(table.counts[met].sum())
    elsewhere = int(table.counts[reached & ~met].sum())
    return int(chains[0]) if elsewhere and failing >= DECIDES * all_met else None


def _class(
    table: Table, outcome: str, rows: Mask, reached: Mask, chain: int | None = None
) -> FailureClass:
    return FailureClass(
        outcome, chain, np.where(rows, table.counts, 0), np.asarray(reached | rows, np.bool_)
    )


def explaining(table: Table, failing: FailureClass) -> tuple[Column, ...]:
    """The columns that may explain a class: no outcomes, no tautologies, no unknowns."""
    return tuple(column for column in table.columns if _may_explain(column, failing))


def _may_explain(column: Column, failing: FailureClass) -> bool:
    dimension = column.dimension
    if dimension.when is KnownFrom.OUTCOME:
        return False
    if dimension in OF_THE_CHAIN and (failing.chain is not None or _is_trust(failing.outcome)):
        return False
    if dimension.when is not KnownFrom.LATE:
        return True
    known = int(failing.failures[column.codes != UNKNOWN].sum())
    return known >= LATE_KNOWN * failing.count


# What explains the failures of a run, and what is left.

FAILURE = "failure"
INCONSISTENCY = "inconsistency"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The causes in their order, and the failures none of them holds."""

    causes: tuple[Cause, ...] = ()
    unexplained: int = 0
    silence: str = ""
    """What would have been seen, where nothing was; empty when everything is explained."""
    load: str = ""
    """Whether it follows the offered load; empty when the load was not varied."""

    @property
    def failing(self) -> tuple[Cause, ...]:
        """The causes of failures, without the inconsistencies."""
        return tuple(cause for cause in self.causes if cause.kind == FAILURE)
