"""What the resumption matrix says: how many groups of servers share sessions, and which one fails.

A session is accepted by the servers that share its keys or its cache, and by no other. So the part
of the connections that accept a session is the share of its group. Of sessions that come from
connections drawn as they come, that part is the sum of the squared shares: one over it is the
number of groups, if they have equal shares, and less than their number if not.
"""

from __future__ import annotations

from collections.abc import Iterable

from stress.model.run import Probe, ResumptionMatrix
from stress.model.summary import Offers, ResumptionGroups

LEAST = 30
"""Offers from which on something is said about all servers."""
NEARLY_ALL = 0.98
UNLIKELY = 0.01


def groups(matrix: ResumptionMatrix) -> ResumptionGroups:
    """Count what was offered, accepted and refused."""
    probes = matrix.probes
    asked = [one for one in probes if one.offered is not None and one.resumed is not None]
    full = [one for one in probes if one.resumed is False and one.offered is None]
    refused_good = [one for one in asked if not one.resumed and not _origin(probes, one).failed]
    drawn = [*full, *refused_good]
    share = sum(one.failed for one in drawn) / len(drawn) if drawn else 0.0
    failing = _offers(one for one in asked if _origin(probes, one).failed)
    good = _offers(one for one in asked if not _origin(probes, one).failed)
    refusals = [one for one in asked if not one.resumed and _origin(probes, one).failed]
    also = sum(one.failed for one in refusals)
    named = [one for one in asked if not one.resumed and one.key is not None]
    accepted, offered = failing.accepted + good.accepted, failing.offered + good.offered
    low = high = None
    if good.offered >= LEAST and good.accepted:
        from stress.analysis.proportions.binomial import clopper_pearson  # noqa: PLC0415 - numpy

        interval = clopper_pearson(good.accepted, good.offered)
        low, high = 1 / interval.high, 1 / interval.low
    return ResumptionGroups(
        tls_version=matrix.tls_version,
        connections=len(probes),
        failing=failing,
        good=good,
        refused_and_failed=also,
        one_group=bool(
            not also and failing.accepted >= 3 and (1 - share) ** len(refusals) <= UNLIKELY
        ),
        all_shared=offered >= LEAST and accepted >= NEARLY_ALL * offered,
        same_key_refused=sum(one.key == _origin(probes, one).key for one in named),
        effective=good.offered / good.accepted if low is not None else None,
        low=low,
        high=high,
    )


def _origin(probes: tuple[Probe, ...], one: Probe) -> Probe:
    """The probe whose session it offered; itself where a damaged file names none that is there."""
    place = one.offered
    return probes[place] if place is not None and place < len(probes) else one


def _offers(asked: Iterable[Probe]) -> Offers:
    answers = [bool(one.resumed) for one in asked]
    return Offers(len(answers), sum(answers))
