"""Valid answers that differ: two chains, leaves or issuers for one client and name.

No client fails because of them today, but the next renewal, pin or revocation may make one fail.
They are reported as inconsistencies and never change the verdict.

Imported late: it needs numpy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from stress.analysis.causes.classes import FailureClass
from stress.analysis.causes.cohorts import Mask
from stress.analysis.causes.isolation import Grade, Isolation, isolate
from stress.analysis.causes.table import Table
from stress.analysis.chains import issuer, short
from stress.analysis.dimensions import Dimension, leaf_text
from stress.analysis.proportions.binomial import Integers
from stress.analysis.recording import Recording
from stress.model.claims import Basis, Claim, FailureCount, Mechanism
from stress.model.outcome import OK
from stress.model.run import SeenChain

MOST = 3
"""Odd chains that are listed; a fleet with a certificate for each node has more."""
RENEWAL_NS = -1_000_000_000
"""Handshakes in flight at a renewal may receive the old chain after the new one was seen."""
MANY = 20
"""With more odd chains than this, and none that most connections received, no chain is odd."""


def inconsistencies(recording: Recording) -> Iterator[tuple[Claim, Isolation | None]]:
    """All odd chains, the commonest first, and where each was met."""
    table = recording.table
    if not recording.chains:
        return
    good = table.outcomes.codes == table.outcomes.code(OK.name)
    known = good & np.isin(table.chains, list(recording.chains))
    clients = table.column(Dimension.CLIENT)
    assert clients is not None
    # Odd chain -> the usual one of the same client, and how often the odd one was received.
    pairs: dict[int, tuple[int, int]] = {}
    for client in np.unique(clients.codes[known]):
        rows = known & (clients.codes == client)
        chains, met = _received(table, rows)
        most = int(chains[met.argmax()])
        for chain, count in zip(chains.tolist(), met.tolist(), strict=True):
            if chain != most:
                pairs[chain] = (most, pairs.get(chain, (most, 0))[1] + count)
    # One after the other is a renewal: at no time did two answers differ.
    together = {
        number: found
        for number, found in pairs.items()
        if _overlap(recording.chains[number], recording.chains[found[0]])
    }
    ordered = sorted(together.items(), key=lambda item: (-item[1][1], item[0]))
    chains, met = _received(table, known)
    if len(ordered) > MANY and 2 * met.max() < met.sum():
        usual = recording.chains[int(chains[met.argmax()])]
        seen = [recording.chains[one] for one in chains.tolist()]
        counts = FailureCount(int(met.sum() - met.max()), int(met.sum()))
        yield _difference(seen, None, usual, counts, len(seen)), None
        return
    for number, (most, _) in ordered[:MOST]:
        odd, usual = recording.chains[number], recording.chains[most]
        received = np.where(known & (table.chains == number), table.counts, 0)
        counts = FailureCount(int(received.sum()), int(table.counts[known].sum()))
        yield (
            _difference([odd, usual], odd, usual, counts, max(0, len(ordered) - MOST)),
            isolate(recording, FailureClass(OK.name, number, received, known)),
        )


def _overlap(odd: SeenChain, usual: SeenChain) -> bool:
    """Whether both were received at one time."""
    first, last = sorted((odd, usual), key=lambda chain: chain.first_ns)
    return last.first_ns < first.last_ns + RENEWAL_NS


def _difference(
    seen: Sequence[SeenChain],
    odd: SeenChain | None,
    usual: SeenChain,
    counts: FailureCount,
    others: int,
) -> Claim:
    """A claim about valid chains, called after what differs among those that were seen."""
    if len({issuer(one) for one in seen}) > 1:
        name = "different-issuer"
    else:
        leaves = {leaf_text(one) for one in seen}
        name = "different-leaf" if len(leaves) > 1 else "different-chain"
    return Claim(
        basis=Basis.DIFFERENCE,
        category=name,
        mechanism=Mechanism(short(odd), odd, FailureCount(0, counts.failures)) if odd else None,
        failures=0,
        grade=Grade.BY_DEFINITION.value,
        total=counts,
        usual=usual,
        others=others,
    )


def _received(table: Table, rows: Mask) -> tuple[Integers, Integers]:
    """The chains in these rows, and by how many attempts each was received."""
    chains, places = np.unique(table.chains[rows], return_inverse=True)
    return chains, np.bincount(places, weights=table.counts[rows]).astype(np.int64)
