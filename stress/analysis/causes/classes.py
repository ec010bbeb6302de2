"""Splits the failures into classes that may have a cause each: by outcome, and by bad chain.

The outcome of a connection never explains anything; it defines which failures belong together. A
trust failure is decided by the chain (and by the client's policy), so each bad chain is a class of
its own and that chain is its *mechanism*: what failed. Where it occurs is searched separately.

Imported late: it needs numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stress.analysis.causes.cohorts import Mask
from stress.analysis.causes.table import UNKNOWN, Column, Table
from stress.analysis.proportions.binomial import Integers
from stress.model.attributes import Dimension, KnownFrom
from stress.model.outcome import OK, Category, Kind, Stage, kind_of

MOST_CHAINS = 8
"""Bad chains with a class of their own in one outcome; the rest stays together."""
OFTEN = 3
"""Where there are more bad chains than that, one needs so many failures for a class of its own:
a target may have a chain for each connection, and then a single chain means nothing."""
LATE_KNOWN = 0.8
"""A late dimension may explain a class only if this part of the failures knows its value."""
OF_THE_CHAIN = frozenset({Dimension.CHAIN, Dimension.LEAF, Dimension.ISSUER})
"""Functions of the chain: they decide a trust verdict by definition, so they are its mechanism."""
_DATED = frozenset({Category.NOT_YET_VALID.value, Category.EXPIRED_LEAF.value})
_NAMES_KEY = ("TLS_ECDHE_", "TLS_DHE_", "TLS_RSA")
"""Begins the name of a suite that fixes the type of the server's key (not in TLS 1.3)."""
DECIDES = 0.998
"""A chain with at least this failure rate decides the outcome by definition."""


@dataclass(frozen=True, slots=True, eq=False)
class FailureClass:
    """Failures that are searched together, among the attempts that came as far."""

    outcome: str
    chain: int | None
    """The mechanism: the chain that all of them received; None: no chain decides."""
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
        reached = table.stages >= Stage.FINISHED.order
        members: list[tuple[int | None, Mask]]
        if _is_trust(name):
            # The commonest bad chains have a class each, all others share one.
            chains, places = np.unique(table.chains[rows], return_inverse=True)
            counts = np.bincount(places, weights=table.counts[rows])
            common = chains[np.argsort(-counts, kind="stable")][:MOST_CHAINS].tolist()
            fewest = OFTEN if len(chains) > MOST_CHAINS else 1
            often = set(chains[counts >= fewest].tolist()) - {UNKNOWN}
            # Time decides and not the chain where several were refused for a while and accepted
            # later, as certificates are that are served too early again after each renewal.
            good = table.outcomes.codes == table.outcomes.code(OK.name)
            both = np.isin(chains, np.unique(table.chains[good])).sum()
            by_clock = name in _DATED and len(chains) > 1 and both >= len(chains) - 1
            chosen = [chain for chain in common if chain in often and not by_clock]
            rest = rows & ~np.isin(table.chains, chosen)
            members = [(chain, rows & (table.chains == chain)) for chain in chosen]
            members += [(None, rest)] if rest.any() else []
        else:
            # Only attempts that came as far as these failures could fail like this.
            reached = table.stages >= table.stages[rows].min()
            # The one chain with which this outcome always comes, and never without it.
            chains = np.unique(table.chains[rows])
            received = reached & (table.chains == chains[0])
            always = table.counts[rows].sum() >= DECIDES * table.counts[received].sum()
            alone = len(chains) == 1 and chains[0] != UNKNOWN and (reached & ~received).any()
            members = [(int(chains[0]) if alone and always else None, rows)]
        found += [
            FailureClass(name, chain, np.where(own, table.counts, 0), reached | own)
            for chain, own in members
        ]
    return tuple(sorted(found, key=lambda one: (-one.count, one.outcome, one.chain or UNKNOWN)))


def _is_trust(outcome: str) -> bool:
    return kind_of(outcome) is Kind.TRUST


def explaining(table: Table, failing: FailureClass) -> tuple[Column, ...]:
    """The columns that may explain a class: no outcomes, no tautologies, no unknowns."""
    decided_by_chain = failing.chain is not None or _is_trust(failing.outcome)
    columns: list[Column] = []
    for column in table.columns:
        tautology = column.dimension in OF_THE_CHAIN or (
            column.dimension is Dimension.CIPHER and _by_key(column, failing)
        )
        if decided_by_chain and tautology:
            continue
        known = int(failing.failures[column.codes != UNKNOWN].sum())
        if known_enough(column.dimension, known, failing.count):
            columns.append(column)
    return tuple(columns)


def _by_key(suites: Column, failing: FailureClass) -> bool:
    """Whether the failing suites differ from the others in the key type that they ask for.

    Up to TLS 1.2 a suite names the type of the certificate's key, so a chain with a key of another
    type brings another suite with it: an effect of the chain, never its reason.
    """
    failed = failing.failures > 0

    def exchanges(rows: Mask) -> set[str]:
        codes = np.unique(suites.codes[rows & (suites.codes != UNKNOWN)]).tolist()
        return {suites.values[code].partition("_WITH_")[0] for code in codes}

    bad, good = exchanges(failed), exchanges(failing.reached & ~failed)
    return not bad & good and all(one.startswith(_NAMES_KEY) for one in bad | good)


def known_enough(dimension: Dimension, known: int, failures: int) -> bool:
    """Whether a dimension may explain failures of which so many know its value."""
    if dimension.when is KnownFrom.OUTCOME:
        return False
    return dimension.when is not KnownFrom.LATE or known >= LATE_KNOWN * failures
