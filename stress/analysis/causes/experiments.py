"""The next experiment for a claim: the run that confirms it, or separates it from a rival."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log

from stress.analysis.causes.isolation import Grade, Slice, SliceCondition
from stress.analysis.dimensions import Dimension
from stress.analysis.recording import Recording
from stress.analysis.tested import duration_s
from stress.model.claims import RunChange
from stress.model.outcome import Category

SURE = 0.99
"""At least one failure shows with this confidence, if the claim is right."""
FEWEST, MOST = 20, 20_000
SLOWER = 4.0
LEAST_RATE = 20.0
_OF_LOAD = {
    Category.REFUSED,
    Category.TIMEOUT_CONNECT,
    Category.TIMEOUT_HANDSHAKE,
    Category.RESET,
    Category.EOF,
}
"""What a target may do when the load is too high."""
ENOUGH_FAILURES = 20
"""Failures that isolation needs."""


def confirm(recording: Recording, locus: Slice, category: str = "") -> RunChange | None:
    """The run that pins the slice; with a rival, the part in which the two disagree.

    None when no option can pin any of its conditions.
    """
    plan = recording.facts.plan
    conditions: Sequence[SliceCondition] = locus.conditions
    if locus.grade is Grade.AMBIGUOUS and locus.rivals:
        disputed = [one for one in conditions if one not in locus.rivals[0]]
        conditions = disputed or conditions
    values = {one.dimension: one.value for one in conditions}
    if set(values) == {Dimension.TIME} and category in _OF_LOAD:
        return slower(recording)
    addresses = (
        tuple(
            address
            for address in recording.addresses
            if values.get(Dimension.ADDRESS, str(address)) == str(address)
            and values.get(Dimension.LABEL, address.label) == address.label
            and values.get(Dimension.FAMILY, address.family) == address.family
        )
        if set(values) & {Dimension.ADDRESS, Dimension.LABEL, Dimension.FAMILY}
        else ()
    )
    client, name = values.get(Dimension.CLIENT), values.get(Dimension.SNI)
    # Of `240/s` or `240/s or more`; `less than 240/s` is a bound from above, which nothing offers.
    number, per_second, _ = values.get(Dimension.RATE, "").partition("/s")
    rate = float(number) if per_second and number.replace(".", "").isdigit() else None
    source = values.get(Dimension.VANTAGE)
    if not (addresses or client or name or rate or source):
        return None
    return RunChange(
        count=_attempts(locus.cohort.failures / max(1, locus.cohort.attempts)),
        addresses=addresses or None,
        clients=(client,) if client else None,
        server_name=name,
        rate=rate,
        extra=("--source", source) if source and source not in plan.sources[1:] else (),
    )


def _attempts(precision: float) -> int:
    """Handshakes inside the slice after which at least one should have failed."""
    if precision >= 1.0:
        return FEWEST
    return max(FEWEST, min(MOST, ceil(log(1.0 - SURE) / log(1.0 - precision))))


def more(failures: int, attempts: int) -> RunChange | None:
    """The run that sees enough failures to say what they share; None: this one did."""
    if not failures or failures >= ENOUGH_FAILURES:
        return None
    return RunChange(count=min(1_000_000, ceil(ENOUGH_FAILURES * attempts / failures)))


def slower(recording: Recording) -> RunChange | None:
    """The same run at a quarter of the load: does the failure go away?"""
    plan = recording.facts.plan
    elapsed = duration_s(recording.facts) or 0.0
    rate = plan.load.rate or (recording.facts.recorded / elapsed if elapsed else 0.0)
    return None if rate < LEAST_RATE else RunChange(rate=float(f"{rate / SLOWER:.2g}"))
