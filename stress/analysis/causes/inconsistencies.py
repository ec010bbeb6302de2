"""Valid answers that differ: two chains, leaves or issuers for one client, or what is agreed on.

No client fails because of them today, but the next renewal, pin or revocation may make one fail.
They are reported as inconsistencies and never change the verdict.

The same client offers the same every time, so the target has to choose the same ALPN, version,
suite and key exchange. Where it does not, its nodes are configured differently, although every
handshake is good. It is the same with sessions: where some offers are accepted and others are not,
the nodes do not share their keys. What follows from another choice is no difference of its own: a
suite from the version or from the type of the certificate's key, and everything in a resumed
session from the first handshake.

Imported late: it needs numpy.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from stress.analysis.causes.classes import OF_THE_CHAIN, FailureClass
from stress.analysis.causes.cohorts import Mask
from stress.analysis.causes.isolation import Grade, Isolation, isolate
from stress.analysis.causes.table import UNKNOWN, Column, Table
from stress.analysis.chains import issuer, leaf_text, short
from stress.analysis.proportions.binomial import Integers
from stress.analysis.recording import Recording
from stress.model.attributes import Dimension
from stress.model.claims import Basis, Claim, FailureCount, Mechanism
from stress.model.outcome import OK
from stress.model.run import SeenChain

MOST = 3
"""Odd chains that are listed; a fleet with a certificate for each node has more."""
RENEWAL_NS = -1_000_000_000
"""Handshakes in flight at a renewal may receive the old chain after the new one was seen."""
MANY = 20
"""With more odd chains than this, and none that most connections received, no chain is odd."""
NONE = "none"
"""What is agreed on where nothing is."""
NAMES = {
    Dimension.ALPN: "different-alpn",
    Dimension.TLS_VERSION: "different-version",
    Dimension.CIPHER: "different-suite",
    Dimension.KEY_GROUP: "different-key-exchange",
    Dimension.RESUMED: "different-resumption",
}
NEGOTIATED = frozenset({*NAMES, Dimension.OFFERED, Dimension.HELLO_RETRY})
"""None of these is a place: each is something that was agreed on."""
SOME = 0.05
"""Of the offered sessions: a smaller part is refused or accepted by any server now and then."""
FEWEST_OFFERS = 20
_KEY_TYPE = re.compile(r"^(TLS_(?:EC)?DHE)_(?:ECDSA|RSA|DSS)_")


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
    together: dict[int, tuple[int, int]] = {}
    for number, found in pairs.items():
        both = recording.chains[number], recording.chains[found[0]]
        first, last = sorted(both, key=lambda chain: chain.first_ns)
        if last.first_ns < first.last_ns + RENEWAL_NS:
            together[number] = found
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


def differences(recording: Recording) -> Iterator[tuple[Claim, Isolation | None]]:
    """All that differs, and where, if that is known."""
    table = recording.table
    good = table.counts * (table.outcomes.codes == table.outcomes.code(OK.name)) > 0
    full = good & ~_yes(table, Dimension.RESUMED)
    rows = {Dimension.ALPN: good, Dimension.RESUMED: good & _yes(table, Dimension.OFFERED)}
    for dimension, name in NAMES.items():
        column = table.column(dimension)
        if column is None:
            continue
        known = rows.get(dimension, full)
        if dimension is Dimension.ALPN:
            # To agree on nothing is an answer, too.
            codes = np.where(column.codes == UNKNOWN, len(column.values), column.codes)
            column = Column(dimension, codes.astype(np.int64), (*column.values, NONE))
        if dimension is Dimension.CIPHER:
            column = _without_key_type(column)
        # Version decides what else can be chosen.
        by = [Dimension.CLIENT]
        by += (
            [Dimension.TLS_VERSION] if dimension in {Dimension.CIPHER, Dimension.KEY_GROUP} else []
        )
        found = _odd(table, column, known & (column.codes != UNKNOWN), by)
        if found is not None:
            yield _told(recording, name, column, *found)


def facts_of_what_was_agreed(table: Table, loci: Collection[str]) -> set[str]:
    """Whether one client met several values of such a dimension, so that the target chose it."""
    clients = table.column(Dimension.CLIENT)
    for column in table.columns:
        if column.dimension in NEGOTIATED and column.dimension in loci:
            known = column.codes != UNKNOWN
            by = clients.codes[known] if clients else np.zeros(int(known.sum()), np.int64)
            met = set(zip(by.tolist(), column.codes[known].tolist(), strict=True))
            if len(met) > len(set(by.tolist())):
                return {"answered-differently"}
    return set()


def _odd(
    table: Table, column: Column, known: Mask, by: list[Dimension]
) -> tuple[Mask, Mask] | None:
    """Rows with another answer than most of their kind, and all rows of these kinds."""
    strata = np.zeros(len(table), dtype=np.int64)
    for dimension in by:
        other = table.column(dimension)
        assert other is not None
        strata = strata * (len(other.values) + 1) + other.codes + 1
    odd, alike = np.zeros_like(known), np.zeros_like(known)
    for stratum in np.unique(strata[known]):
        rows = known & (strata == stratum)
        counts = np.bincount(column.codes[rows], table.counts[rows], len(column.values))
        if np.count_nonzero(counts) < 2:
            continue
        usual = int(counts.argmax())
        if column.dimension is Dimension.RESUMED:
            # A refused offer is what needs an explanation, however many are.
            usual = column.code("yes")
            part = counts[usual] / counts.sum()
            if counts.sum() < FEWEST_OFFERS or not SOME <= part <= 1.0 - SOME:
                continue
        alike |= rows
        odd |= rows & (column.codes != usual)
    return (odd, alike) if odd.any() else None


def _told(
    recording: Recording, name: str, column: Column, odd: Mask, alike: Mask
) -> tuple[Claim, Isolation]:
    """The claim, and where the odd answers are."""
    table = recording.table
    met = np.where(odd, table.counts, 0)
    values: Counter[str] = Counter()
    for code in np.unique(column.codes[alike]).tolist():
        values[column.values[code]] = int(table.counts[alike & (column.codes == code)].sum())
    counts = FailureCount(int(met.sum()), int(table.counts[alike].sum()))
    kept = NEGOTIATED | (OF_THE_CHAIN if column.dimension is Dimension.RESUMED else set())
    places = tuple(one for one in table.columns if one.dimension not in kept)
    given = {column.values[code] for code in np.unique(column.codes[odd]).tolist()}
    rest = [value for value, _ in values.most_common() if value in given]
    claim = Claim(
        basis=Basis.NEGOTIATED,
        category=name,
        mechanism=Mechanism(
            " or ".join(rest), None, FailureCount(0, counts.failures), column.dimension.value
        ),
        failures=0,
        grade=Grade.BY_DEFINITION.value,
        total=counts,
        values=dict(values.most_common()),
    )
    where = replace(recording, table=replace(table, columns=places))
    return claim, isolate(where, FailureClass(OK.name, None, met, alike))


def _yes(table: Table, dimension: Dimension) -> Mask:
    column = table.column(dimension)
    assert column is not None
    return np.asarray(column.codes == column.code("yes"))


def _without_key_type(column: Column) -> Column:
    """Suites that differ only in the type of the certificate's key are one answer."""
    plain = [_KEY_TYPE.sub(r"\1_", value) for value in column.values]
    names = sorted(set(plain))
    lookup: Integers = np.asarray([*map(names.index, plain), UNKNOWN], dtype=np.int64)
    full = {
        name: " or ".join(v for v, p in zip(column.values, plain, strict=True) if p == name)
        for name in names
    }
    return Column(column.dimension, lookup[column.codes], tuple(full[name] for name in names))
