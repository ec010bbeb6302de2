"""What the order in which servers were met says about the balancer; or nothing.

Three things show in rows whose server is known. A balancer that takes turns hardly ever gives two
connections in a row to one server; one that draws each anew does so with the sum of the squared
shares. One that goes by the client's port, or by its address, gives the same to the same. Shares
that are not equal are weights, or something that acts like them. Least connections and a random
choice look alike while a server is as fast as the others, so neither is named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise
from math import sqrt

from stress.analysis.recording import Recording
from stress.model.record import Record
from stress.model.summary import Spread

SURE = 1e-3
"""Chance at which an order is no accident."""
LEAST = 20
"""Pairs of which something is said."""
LEAST_EXPECTED = 5.0
"""Of two in a row at one server, or connections of a server."""


def balancing_of(recording: Recording, attempts: int) -> Spread | None:
    """How the connections of a run to one address were spread; None: nothing decides it.

    Only where each attempt can be looked at, because a sample has no order, and from one machine:
    the clocks of several do not tell which of two connections came first.
    """
    rows = (*recording.good, *recording.failing)
    several = len(recording.addresses) != 1 or len(recording.facts.vantages) > 1
    if several or len(rows) < attempts:
        return None
    return balancing(rows)


def balancing(rows: Sequence[Record]) -> Spread | None:
    """How connections were spread, from all attempts of one address; None: nothing decides it.

    Args:
        rows: in any order; those whose server is not known count as a gap in the order. Where
            tickets are read of a sample, so do those that were not drawn: that a failure names its
            server always, and a success rarely, says nothing of the shares.
    """
    ordered = sorted(rows, key=lambda row: (row.started_ns, row.id))
    if any(row.sampled for row in ordered):
        ordered = [row if row.sampled else row._replace(backend=None) for row in ordered]
    names = Counter(row.backend for row in ordered if row.backend is not None)
    total = names.total()
    if len(names) < 2:
        return None
    from scipy.special import bdtr  # noqa: PLC0415 - heavy, and one server is no balancer

    again = sum((count / total) ** 2 for count in names.values())
    pairs = [(a, b) for a, b in pairwise(ordered) if a.backend and b.backend]
    same = sum(a.backend == b.backend for a, b in pairs)
    expected = again * len(pairs)
    by_turns = expected >= LEAST_EXPECTED and float(bdtr(same, len(pairs), again)) <= SURE
    by = ""
    for what, key in _KEYS.items():
        if _decides(ordered, key, again):
            by = what
            break
    mean = total / len(names)
    unequal = mean >= LEAST_EXPECTED and _spread(names, mean) > 4.0
    if not (by_turns or by or unequal):
        return None
    return Spread(
        pairs=len(pairs),
        same=same,
        expected=expected,
        by_turns=by_turns and not by,
        by=by,
        least=min(names.values()) / total if unequal else None,
        most=max(names.values()) / total if unequal else None,
    )


_KEYS: dict[str, Callable[[Record], Hashable]] = {
    "source": lambda row: row.source,
    "local_port": lambda row: (row.source, row.local_port),
}


def _decides(rows: Sequence[Record], key: Callable[[Record], Hashable], again: float) -> bool:
    """Whether rows with one key always met one server, and chance would not have done that."""
    met: dict[Hashable, str] = {}
    repeats = 0
    for row in rows:
        value = key(row)
        if row.backend is None or value is None:
            continue
        if met.setdefault(value, row.backend) != row.backend:
            return False
        repeats += 1
    repeats -= len(met)
    return len(met) > 1 and repeats >= LEAST and again**repeats <= SURE


def _spread(names: Counter[str], mean: float) -> float:
    """How far the counts are from equal, in standard deviations of a chi-square statistic."""
    free = len(names) - 1
    statistic = sum((count - mean) ** 2 / mean for count in names.values())
    return (statistic - free) / sqrt(2 * free)
