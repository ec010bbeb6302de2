"""The next experiment for a cause: the run that would confirm it, or separate it from a rival."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log

from stress.analysis.causes.isolation import Grade, Slice, SliceCondition
from stress.analysis.command import Change, run_line
from stress.analysis.dimensions import Dimension
from stress.analysis.recording import Recording
from stress.analysis.tested import duration_s
from stress.model.outcome import Category
from stress.model.target import Address

SURE = 0.99
"""At least one failure shows with this confidence, if the cause is right."""
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
"""What a target may do when it is asked too fast."""
ENOUGH_FAILURES = 20
"""What isolation wants to see."""


def confirm(recording: Recording, locus: Slice, category: str = "") -> str:
    """The run that pins the cohort; of rivals, the rows in which they disagree."""
    precision = locus.cohort.failures / max(1, locus.cohort.attempts)
    wanted = list(locus.conditions)
    if locus.grade is Grade.AMBIGUOUS and locus.rivals:
        return _pinned(recording, _apart(wanted, locus.rivals[0]), _attempts(precision), category)
    return _pinned(recording, wanted, _attempts(precision), category)


def more(recording: Recording, failures: int, attempts: int) -> str:
    """The run which would see enough failures to say what they have in common; empty: it did."""
    if not failures or failures >= ENOUGH_FAILURES:
        return ""
    wanted = min(1_000_000, ceil(ENOUGH_FAILURES * attempts / failures))
    return run_line(recording.facts.plan, Change(count=wanted))


def _attempts(precision: float) -> int:
    """Handshakes inside the cohort after which at least one should have failed."""
    if precision >= 1.0:
        return FEWEST
    return max(FEWEST, min(MOST, ceil(log(1.0 - SURE) / log(1.0 - precision))))


def _apart(
    conditions: Sequence[SliceCondition], rival: Sequence[SliceCondition]
) -> list[SliceCondition]:
    """Conditions of the winner that the rival does not share: where they disagree."""
    return [one for one in conditions if one not in rival] or list(conditions)


def slower(recording: Recording) -> str:
    """The same run at a quarter of the load: does it go away?"""
    plan = recording.facts.plan
    elapsed = duration_s(recording.facts) or 0.0
    rate = plan.load.rate or (recording.facts.recorded / elapsed if elapsed else 0.0)
    if rate < LEAST_RATE:
        return ""
    return run_line(plan, Change(rate=float(f"{rate / SLOWER:.2g}")))


def _pinned(
    recording: Recording, conditions: Sequence[SliceCondition], count: int, category: str = ""
) -> str:
    """The run line with everything pinned that an option can pin; empty when nothing can be."""
    values = {one.dimension: one.value for one in conditions}
    plan = recording.facts.plan
    if set(values) == {Dimension.TIME} and category in _OF_LOAD:
        return slower(recording)
    addresses = _addresses(recording, values)
    client, name = values.get(Dimension.CLIENT), values.get(Dimension.SNI)
    rate = _per_second(values.get(Dimension.RATE, ""))
    source = values.get(Dimension.VANTAGE)
    if not (addresses or client or name or rate or source):
        return ""
    change = Change(
        count=count,
        addresses=addresses or None,
        clients=(client,) if client else None,
        server_name=name,
        rate=rate,
        extra=("--source", source) if source and source not in plan.sources[1:] else (),
    )
    return run_line(plan, change)


def _per_second(rate: str) -> float | None:
    """Of `240/s` or `240/s or more`; None where it is a bound from above, or no rate."""
    number, per_second, _ = rate.partition("/s")
    return float(number) if per_second and number.replace(".", "").isdigit() else None


def _addresses(recording: Recording, values: dict[Dimension, str]) -> tuple[Address, ...]:
    """The addresses that meet the conditions; empty when none of them is about addresses."""
    if not set(values) & {Dimension.ADDRESS, Dimension.LABEL, Dimension.FAMILY}:
        return ()
    return tuple(
        address
        for address in recording.addresses
        if values.get(Dimension.ADDRESS, str(address)) == str(address)
        and values.get(Dimension.LABEL, address.label) == address.label
        and values.get(Dimension.FAMILY, address.family) == address.family
    )
