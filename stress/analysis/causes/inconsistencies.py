"""Valid answers that differ: two chains, leaves or issuers for one client and name.

No client fails because of them today, but the next renewal, pin or revocation may make one fail.
They are reported as inconsistencies and never change the verdict.

Imported late: it needs numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stress.analysis.causes.classes import FailureClass
from stress.analysis.causes.cohorts import Mask
from stress.analysis.causes.isolation import Isolation, isolate
from stress.analysis.causes.table import UNKNOWN, Table
from stress.analysis.chains import issuer
from stress.analysis.dimensions import Dimension, leaf_text
from stress.analysis.proportions.binomial import Integers
from stress.analysis.recording import Recording
from stress.model.outcome import OK
from stress.model.run import SeenChain

MOST = 3
"""Odd chains that are listed; a fleet with a certificate for each node has more."""
MANY = 20
"""With more odd chains than this, and none that most connections received, no chain is odd."""


@dataclass(frozen=True, slots=True, eq=False)
class Inconsistency:
    """A good chain that differs from the usual one for the same client and name."""

    name: str
    """`different-issuer`, `different-leaf` or `different-chain`."""
    odd: SeenChain | None
    """None: there are many, and none that is usual."""
    usual: SeenChain
    met: int
    """Good attempts that received the odd chain."""
    good: int
    """Good attempts of the clients that received both."""
    others: int
    """How many more odd chains there are beyond those that are listed; without one, all."""
    isolation: Isolation | None


def inconsistencies(recording: Recording) -> tuple[Inconsistency, ...]:
    """All odd chains, the commonest first."""
    table = recording.table
    outcomes = table.outcomes.values
    ok = outcomes.index(OK.name) if OK.name in outcomes else UNKNOWN - 1
    good = table.outcomes.codes == ok
    known = good & np.isin(table.chains, list(recording.chains))
    clients = table.column(Dimension.CLIENT)
    assert clients is not None
    # Odd chain -> the usual one of the same client, and how often the odd one was received.
    pairs: dict[int, tuple[int, int]] = {}
    for client in np.unique(clients.codes[known]):
        rows = known & (clients.codes == client)
        chains, counts = _received(table, rows)
        usual = int(chains[counts.argmax()])
        for chain, count in zip(chains.tolist(), counts.tolist(), strict=True):
            if chain != usual:
                pairs[chain] = (usual, pairs.get(chain, (usual, 0))[1] + count)
    ordered = sorted(pairs.items(), key=lambda item: (-item[1][1], item[0]))
    chains, met = _received(table, known)
    if len(ordered) > MANY and 2 * met.max() < met.sum():
        commonest = recording.chains[int(chains[met.argmax()])]
        seen = [recording.chains[one] for one in chains.tolist()]
        leaves, issuers = {leaf_text(one) for one in seen}, {issuer(one) for one in seen}
        return (
            Inconsistency(
                name=_kind(issuers, leaves),
                odd=None,
                usual=commonest,
                met=int(met.sum() - met.max()),
                good=int(met.sum()),
                others=len(seen),
                isolation=None,
            ),
        )
    return tuple(
        _inconsistency(recording, known, odd, usual, max(0, len(ordered) - MOST))
        for odd, (usual, _) in ordered[:MOST]
    )


def _inconsistency(
    recording: Recording,
    known: Mask,
    odd: int,
    usual: int,
    others: int,
) -> Inconsistency:
    table = recording.table
    met = np.where(known & (table.chains == odd), table.counts, 0)
    failing = FailureClass(OK.name, odd, met, known)
    one, two = recording.chains[odd], recording.chains[usual]
    return Inconsistency(
        name=_kind({issuer(one), issuer(two)}, {leaf_text(one), leaf_text(two)}),
        odd=one,
        usual=two,
        met=int(met.sum()),
        good=int(table.counts[known].sum()),
        others=others,
        isolation=isolate(recording, failing),
    )


def _kind(issuers: set[str], leaves: set[str]) -> str:
    """The name, by what differs."""
    if len(issuers) > 1:
        return "different-issuer"
    return "different-leaf" if len(leaves) > 1 else "different-chain"


def _received(table: Table, rows: Mask) -> tuple[Integers, Integers]:
    """The chains in these rows, and by how many attempts each was received."""
    chains, places = np.unique(table.chains[rows], return_inverse=True)
    return chains, np.bincount(places, weights=table.counts[rows]).astype(np.int64)
