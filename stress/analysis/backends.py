"""Which servers were met behind the addresses, and how many there may be.

Tickets are read of a part of the connections only (`stress.engine.worker.ticket_sampler`). Where a
chain came from one server alone, and nothing else from that server, the chain says which server it
was, so the other attempts that got it are counted to it, too.

Imported late: it needs numpy.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np

from stress.analysis.causes.table import Column, Table
from stress.analysis.proportions.richness import least_share, richness
from stress.model.attributes import Dimension
from stress.model.outcome import Stage
from stress.model.run import CELL_OTHERS, Cell, Cube, RunFacts, cell_reader
from stress.model.summary import BackendCount

FEWEST = 8
"""Attempts of a known server that show whose a chain is: of two servers that send it equally often
both are met, with 99%."""
KEY = "ticket key "
"""How the names begin that are those of keys (`stress.engine.key_names`)."""
OTHERS = "others"
"""Stands for all servers but those that can be compared."""
ENOUGH = 0.8
"""This part of the attempts is named: then all servers can be compared."""
_PLACE = CELL_OTHERS.index("backend")
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


@dataclass(frozen=True, slots=True)
class Met:
    """The servers of a run."""

    cube: Cube
    """The run's, with what could be inferred."""
    count: BackendCount | None
    """None: no handshake finished, nobody looked, or a log says it all."""
    known: AbstractSet[str] | None = None
    """Servers all of whose attempts are known, where too few of all are; None: enough are."""


def met(cube: Cube, facts: RunFacts) -> Met:
    """Which servers were met."""
    if cube.records is not None or source(facts) == Source.LOG:
        return Met(cube, None)
    names = Counter[Hashable]()
    finished = 0
    for cell in cube.cells:
        if cell.stage >= Stage.FINISHED:
            finished += cell.count
            names[_backend(cell)] += cell.count
    named = finished - names.pop(None, 0)
    looked = facts.plan.ticket_names or facts.plan.identify
    if not finished or not (named or looked):
        return Met(cube, None)
    whose = _sole_senders(cube) if 0 < named < finished else {}
    filled = _filled(cube, whose) if whose else cube
    inferred = sum(
        new.count
        for old, new in zip(cube.cells, filled.cells, strict=True)
        if _backend(old) is None and _backend(new) is not None
    )
    found = richness(names.values())
    return Met(
        filled,
        BackendCount(
            how=source(facts),
            named=named,
            inferred=inferred,
            unnamed=finished - named - inferred,
            seen=found.seen,
            estimate=found.estimate,
            high=found.high,
            least_share=least_share(named),
        ),
        known=None if named + inferred >= ENOUGH * finished else set(map(str, whose.values())),
    )


def _sole_senders(cube: Cube) -> Mapping[tuple[int, int | None], Hashable]:
    """By address and chain: the one server that sends it, and sends nothing else."""
    senders = defaultdict[tuple[int, int], Counter[Hashable]](Counter)
    sent = defaultdict[tuple[int, Hashable], set[int | None]](set)
    for cell in cube.cells:
        name = _backend(cell)
        if name is not None:
            sent[cell.address, name].add(cell.chain)
            if cell.chain is not None:
                senders[cell.address, cell.chain][name] += cell.count
    whose = dict[tuple[int, int | None], Hashable]()
    for (address, chain), counts in senders.items():
        ((name, count), *others) = counts.most_common(2)
        if not others and count >= FEWEST and sent[address, name] <= {chain, None}:
            whose[address, chain] = name
    return whose


def comparable(table: Table, servers: Met) -> Table:
    """The table with a column of servers in which those that are not named do no harm.

    Which attempts have a name depends on when they began, and so may failures. So nothing is said
    of "every server but one" where some have none; and where many have none, only of servers all of
    whose attempts are known.
    """
    if servers.count is None or not servers.count.unnamed:
        return table
    columns = []
    for column in table.columns:
        codes, values = column.codes, column.values
        if column.dimension is Dimension.BACKEND:
            if servers.known is not None:
                told = [one in servers.known for one in values]
                codes = np.where(np.isin(codes, np.flatnonzero(told)), codes, len(values))
                values = (*values, OTHERS)
            columns.append(Column(column.dimension, codes, values, partial=True))
        else:
            columns.append(column)
    return replace(table, columns=tuple(columns))


def _filled(cube: Cube, whose: Mapping[tuple[int, int | None], Hashable]) -> Cube:
    """The same attempts; those of unknown servers are counted to the only one with their chain."""

    def filled(cell: Cell) -> Cell:
        name = whose.get((cell.address, cell.chain))
        if name is None or _backend(cell) is not None:
            return cell
        others = list(cell.others or (None,) * len(CELL_OTHERS))
        others[_PLACE] = name
        return cell._replace(others=tuple(others))

    return replace(cube, cells=tuple(map(filled, cube.cells)))
