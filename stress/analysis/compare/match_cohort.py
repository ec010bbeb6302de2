"""Finds the cohort of a cause again in another run, and counts it there.

Imported late: it needs numpy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stress.analysis.causes.cohorts import Mask
from stress.analysis.causes.isolation import Meaning
from stress.analysis.causes.table import Table
from stress.analysis.dimensions import Dimension
from stress.analysis.recording import record
from stress.model.run import Run
from stress.model.summary import FAILURE, Cause, Condition
from stress.text.places import place


@dataclass(frozen=True, slots=True)
class Again:
    """A cause counted in two runs: failures of its category, and attempts, within its cohort."""

    cause: str
    where: str
    before: tuple[int, int]
    after: tuple[int, int]


def meet_again(before: Run, after: Run, causes: Sequence[Cause]) -> Iterator[Again]:
    """Counts each cause of the first run in both; those that no condition places, in the mix."""
    failing = [cause for cause in causes if cause.kind == FAILURE]
    if not failing:
        return
    one, two = record(before).table, record(after).table
    for cause in failing:
        conditions = placing(cause.conditions)
        where = place(conditions) if conditions else "in the whole mix"
        yield Again(
            cause.sentence,
            where,
            counted(one, conditions, cause.category),
            counted(two, conditions, cause.category),
        )


def placing(conditions: Sequence[Condition]) -> tuple[Meaning, ...]:
    """The conditions that another run can meet: not its time, not its sample of ports."""
    meanings = (Meaning(Dimension(one.dimension), one.text) for one in conditions)
    return tuple(
        one for one in meanings if one.dimension not in {Dimension.TIME, Dimension.LOCAL_PORT}
    )


def counted(table: Table, conditions: Sequence[Meaning], category: str) -> tuple[int, int]:
    """Failures of the category and attempts among the rows that meet the conditions."""
    rows = rows_of(table, conditions)
    names = table.outcomes.values
    failing = rows & (
        table.outcomes.codes == (names.index(category) if category in names else len(names))
    )
    return int(table.counts[failing].sum()), int(table.counts[rows].sum())


def rows_of(table: Table, conditions: Sequence[Meaning]) -> Mask:
    """The rows that meet all the conditions; none when a value never occurs."""
    rows = np.ones(len(table), dtype=np.bool_)
    for one in conditions:
        column = table.holding(one.dimension, one.value)
        if column is None:
            return np.zeros(len(table), dtype=np.bool_)
        rows &= column.codes == column.values.index(one.value)
    return rows
