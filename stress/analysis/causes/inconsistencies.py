"""Answers that differ and are all good: two chains, two leaves or two issuers for one question.

They fail nobody today. They are how a fleet looks in which the next renewal, pin or revocation
will fail somebody, so they are told, marked as what they are, and never change the verdict.

Imported late: it needs numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stress.analysis.causes.classes import FailureClass
from stress.analysis.causes.isolation import Isolation, isolate
from stress.analysis.causes.table import UNKNOWN
from stress.analysis.chains import issuer, short
from stress.analysis.dimensions import Dimension, leaf_text
from stress.analysis.recording import Recording
from stress.model.outcome import OK
from stress.model.run import SeenChain

MOST = 3
"""Odd chains that are told; a fleet with a certificate for each node has more."""


@dataclass(frozen=True, slots=True, eq=False)
class Inconsistency:
    """A good chain that differs from the usual one for the same client and name."""

    name: str
    """`different-issuer`, `different-leaf` or `different-chain`."""
    odd: SeenChain
    usual: SeenChain
    met: int
    """Good attempts that met the odd chain."""
    good: int
    """Good attempts of the clients that met both."""
    others: int
    """How many more odd chains there are beyond those that are told."""
    isolation: Isolation


def inconsistencies(recording: Recording) -> tuple[Inconsistency, ...]:
    """All odd chains, the commonest first."""
    table = recording.table
    good = table.outcomes.codes == _code(table.outcomes.values)
    known = good & np.isin(table.chains, list(recording.chains))
    pairs = _pairs(recording, known)
    told = sorted(pairs.items(), key=lambda item: (-item[1][1], item[0]))
    return tuple(
        _inconsistency(recording, known, odd, usual, max(0, len(told) - MOST))
        for odd, (usual, _) in told[:MOST]
    )


def _code(outcomes: tuple[str, ...]) -> int:
    return outcomes.index(OK.name) if OK.name in outcomes else UNKNOWN - 1


def _pairs(
    recording: Recording, known: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> dict[int, tuple[int, int]]:
    """Odd chain -> the usual one of the same client, and how often the odd one was met."""
    table = recording.table
    clients = table.column(Dimension.CLIENT)
    assert clients is not None
    found: dict[int, tuple[int, int]] = {}
    for client in np.unique(clients.codes[known]):
        rows = known & (clients.codes == client)
        chains, places = np.unique(table.chains[rows], return_inverse=True)
        met = np.bincount(places, weights=table.counts[rows])
        usual = int(chains[met.argmax()])
        for chain, count in zip(chains.tolist(), met.tolist(), strict=True):
            if chain != usual:
                found[chain] = (usual, found.get(chain, (usual, 0))[1] + int(count))
    return found


def _inconsistency(
    recording: Recording,
    known: np.ndarray[tuple[int], np.dtype[np.bool_]],
    odd: int,
    usual: int,
    others: int,
) -> Inconsistency:
    table = recording.table
    met = np.where(known & (table.chains == odd), table.counts, 0)
    failing = FailureClass(OK.name, odd, met, known)
    one, two = recording.chains[odd], recording.chains[usual]
    return Inconsistency(
        name=_kind(one, two),
        odd=one,
        usual=two,
        met=int(met.sum()),
        good=int(table.counts[known].sum()),
        others=others,
        isolation=isolate(recording, failing),
    )


def _kind(odd: SeenChain, usual: SeenChain) -> str:
    if issuer(odd) != issuer(usual):
        return "different-issuer"
    return "different-leaf" if leaf_text(odd) != leaf_text(usual) else "different-chain"


def sentence(found: Inconsistency, where: str) -> str:
    """What differs, how often, and where it is met; all of it good."""
    from stress.analysis.chains import difference  # noqa: PLC0415 - the words, not the counting
    from stress.text.numbers import of, thousands  # noqa: PLC0415 - the same

    more = f" {thousands(found.others)} more chains differ too." if found.others else ""
    return (
        f"Two good answers to one question: {of(found.met, found.good)} met chain "
        f"{short(found.odd)} ({difference(found.usual, found.odd)}){where}.{more}"
    )
