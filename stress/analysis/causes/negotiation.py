"""What one client and the target agree on, where it differs: ALPN, version, suite, key exchange.

The same client offers the same every time, so the target has to choose the same. Where it does not,
its nodes are configured differently, although every handshake is good. It is the same with
sessions: where some offers are accepted and others are not, the nodes do not share their keys.

What follows from another choice is no difference of its own: a suite from the version or from the
type of the certificate's key, and everything in a resumed session from the first handshake.

Imported late: it needs numpy.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from stress.analysis.causes.classes import OF_THE_CHAIN, FailureClass
from stress.analysis.causes.cohorts import Mask
from stress.analysis.causes.isolation import Grade, Isolation, isolate
from stress.analysis.causes.table import UNKNOWN, Column, Table
from stress.analysis.proportions.binomial import Integers
from stress.analysis.recording import Recording
from stress.model.attributes import Dimension
from stress.model.claims import Basis, Claim, FailureCount, Mechanism
from stress.model.outcome import OK

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


def differences(recording: Recording) -> Iterator[tuple[Claim, Isolation | None]]:
    """All that differs, and where, if that is known."""
    table = recording.table
    good = table.counts * (table.outcomes.codes == table.outcomes.code(OK.name)) > 0
    full = good & ~_is(table, Dimension.RESUMED, "yes")
    rows = {Dimension.ALPN: good, Dimension.RESUMED: good & _is(table, Dimension.OFFERED, "yes")}
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


def _is(table: Table, dimension: Dimension, value: str) -> Mask:
    column = table.column(dimension)
    assert column is not None
    return np.asarray(column.codes == column.code(value))


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
