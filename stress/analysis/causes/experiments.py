"""The next experiment: a run that pins a place where failures are claimed, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, log

from stress.analysis.causes.isolation import Grade, Slice
from stress.analysis.causes.signs import TLS_1_3
from stress.analysis.recording import Recording
from stress.analysis.verdict import duration_s
from stress.model.attributes import Dimension
from stress.model.claims import RunChange
from stress.model.outcome import Category
from stress.model.plan import Address, Plan, Stack
from stress.model.summary import Comparator, Condition

CERTAIN = 0.99
"""At least one failure shows in an experiment with this confidence, if the claim is right."""
FEWEST, MOST = 20, 20_000
"""Handshakes of an experiment."""
SLOWER = 4.0
LEAST_RATE = 20.0
ENOUGH_FAILURES = 20
"""Failures that isolation needs."""
_OF_LOAD = {
    Category.REFUSED,
    Category.TIMEOUT_CONNECT,
    Category.TIMEOUT_HANDSHAKE,
    Category.RESET,
    Category.EOF,
}
"""What a target may do when the load is too high."""


def confirm(recording: Recording, locus: Slice, category: str = "") -> RunChange | None:
    """The next experiment: the run that pins the slice, or the part in which a rival disagrees.

    None when no option can pin any of its conditions.
    """
    plan = recording.facts.plan
    if recording.facts.records:
        return None
    conditions: Sequence[Condition] = locus.conditions
    if locus.grade is Grade.AMBIGUOUS and locus.rivals:
        conditions = [one for one in conditions if one not in locus.rivals[0]] or conditions
    if {one.dimension for one in conditions} == {Dimension.TIME} and category in _OF_LOAD:
        # The same run at a quarter of the load: does the failure go away?
        elapsed = duration_s(recording.facts) or 0.0
        before = plan.load.rate or (recording.facts.recorded / elapsed if elapsed else 0.0)
        return None if before < LEAST_RATE else RunChange(rate=float(f"{before / SLOWER:.2g}"))

    # Handshakes inside the slice after which at least one should have failed.
    count, precision = FEWEST, locus.cohort.failures / max(1, locus.cohort.attempts)
    if precision < 1.0:
        count = max(FEWEST, min(MOST, ceil(log(1.0 - CERTAIN) / log(1.0 - precision))))
    return pinned(recording, conditions, count)


def pinned(recording: Recording, conditions: Sequence[Condition], count: int) -> RunChange | None:
    """The run that meets these conditions only; None when no option can pin any of them."""
    plan = recording.facts.plan
    values = {one.dimension: one.text for one in conditions if one.op is not Comparator.IS_NOT}

    def is_met(address: Address) -> bool:
        own = (str(address), address.label, address.family)
        mine = dict(zip((Dimension.ADDRESS, Dimension.LABEL, Dimension.FAMILY), own, strict=True))
        tests = [one for one in conditions if one.dimension in mine]
        return bool(tests) and all(one.allows(mine[Dimension(one.dimension)]) for one in tests)

    addresses = tuple(filter(is_met, recording.addresses))
    told = [one for one in conditions if one.dimension == Dimension.CLIENT]
    names = [client.name for client in plan.clients]
    clients = tuple(name for name in names if told and all(one.allows(name) for one in told))
    name = values.get(Dimension.SNI)
    # Of `240/s` or `240/s or more`; `less than 240/s` is a bound from above, which nothing offers.
    number, per_second, _ = values.get(Dimension.RATE, "").partition("/s")
    rate = float(number) if per_second and number.replace(".", "").isdigit() else None
    source = values.get(Dimension.VANTAGE) if not recording.facts.vantages else None
    if not (addresses or clients or name or rate or source):
        return None
    return RunChange(
        count=count,
        addresses=addresses or None,
        clients=clients or None,
        server_name=name,
        rate=rate,
        extra=("--source", source) if source and source not in plan.sources[1:] else (),
    )


def more(failures: int, attempts: int) -> RunChange | None:
    """The run that sees enough failures to say what they share; None: this one did."""
    if not failures or failures >= ENOUGH_FAILURES:
        return None
    return RunChange(count=min(1_000_000, ceil(ENOUGH_FAILURES * attempts / failures)))


def cheaper(plan: Plan, change: RunChange) -> RunChange:
    """The same with sessions resumed.

    More of them get through where CPU is the limit, but not where a limiter counts. BoringSSL's
    binding keeps no TLS 1.3 tickets. Where a client would need them, OpenSSL speaks for it; or one
    of TLS 1.2 takes its place, because OpenSSL cannot send every hello.
    """
    resumed = replace(change, extra=(*change.extra, "--resumption", "90%"))
    boring = any(
        plan.stack_of(one) is Stack.BORINGSSL and TLS_1_3 in one.versions for one in plan.clients
    )
    if not boring:
        return resumed
    if plan.stack is None and {one.name for one in plan.clients} == {"generic"}:
        return replace(resumed, extra=(*resumed.extra, "--stack", "openssl"))
    return replace(resumed, clients=("tls12-only",))
