"""Which servers were met behind the addresses, and how many there may be.

Imported late: it needs numpy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import replace

from stress.analysis.causes.table import Column, Table
from stress.analysis.proportions.richness import least_share, richness
from stress.model.attributes import Dimension
from stress.model.outcome import Stage
from stress.model.run import Cube, RunFacts, cell_reader
from stress.model.summary import BackendCount

KEY = "ticket key "
"""How the names begin that are those of keys (`stress.engine.key_names`)."""
ENOUGH = 0.8
"""This part of the attempts is named: then all servers can be compared."""
_backend = cell_reader("backend")


class Source:
    """By what servers are told apart; `BackendLine.how`."""

    LOG = "log"
    TICKET = "ticket"
    HEADER = "header"


def source(facts: RunFacts) -> str:
    """By what the servers of a run are told apart."""
    if facts.joined:
        return Source.LOG
    return Source.HEADER if facts.plan.identify else Source.TICKET


def met(cube: Cube, facts: RunFacts) -> BackendCount | None:
    """How many servers were met; None: nobody looked, no handshake finished, or a log says it."""
    looked = facts.plan.ticket_names or facts.plan.identify
    if not looked or cube.records is not None or source(facts) == Source.LOG:
        return None
    names, finished = Counter[Hashable](), 0
    for cell in cube.cells:
        if Stage(cell.stage).order >= Stage.FINISHED.order:
            finished += cell.count
            names[_backend(cell)] += cell.count
    if not finished:
        return None
    named = finished - names.pop(None, 0)
    found = richness(names.values())
    return BackendCount(
        how=source(facts),
        named=named,
        unnamed=finished - named,
        seen=found.seen,
        estimate=found.estimate,
        high=found.high,
        least_share=least_share(named),
    )


def comparable(table: Table, count: BackendCount | None) -> Table:
    """The table with a column of servers in which those that are not named do no harm.

    Which attempts have a name depends on how far they came, and so do failures. So nothing is said
    of "every server but one" where some have none, and nothing of servers where many have none.
    """
    if count is None or not count.unnamed:
        return table
    enough = count.named >= ENOUGH * (count.named + count.unnamed)
    kept = (one for one in table.columns if enough or one.dimension is not Dimension.BACKEND)
    columns = tuple(
        Column(one.dimension, one.codes, one.values, partial=True)
        if one.dimension is Dimension.BACKEND
        else one
        for one in kept
    )
    return replace(table, columns=columns)
