"""What the resumption matrix says: how many groups of servers share sessions, and which one fails.

A session is accepted by the servers that share its keys or its cache, and by no other. So the part
of the connections that accept a session is the share of its group. Of sessions that come from
connections drawn as they come, that part is the sum of the squared shares: one over it is the
number of groups, if they have equal shares, and less than their number if not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import sqrt
from typing import TypeAlias

from stress.model.run import Probe, ResumptionMatrix
from stress.model.summary import Offers, ResumptionGroups

LEAST = 30
"""Offers from which on something is said about all servers."""
NEARLY_ALL = 0.98
UNLIKELY = 0.01
_Answers: TypeAlias = Mapping[int, Sequence[bool]]
"""By session, whether each connection that was offered it accepted it."""


def groups(matrix: ResumptionMatrix) -> ResumptionGroups:
    """Count what was offered, accepted and refused."""
    probes = matrix.probes
    asked = [one for one in probes if one.offered is not None and one.resumed is not None]
    full = [one for one in probes if one.resumed is False and one.offered is None]
    refused_good = [one for one in asked if not one.resumed and not _origin(probes, one).failed]
    drawn = [*full, *refused_good]
    share = sum(one.failed for one in drawn) / len(drawn) if drawn else 0.0
    answers = defaultdict[int, list[bool]](list), defaultdict[int, list[bool]](list)
    for one in asked:
        answers[_origin(probes, one).failed][one.offered or 0].append(bool(one.resumed))
    good, failing = (
        Offers(sum(map(len, those.values())), sum(map(sum, those.values()))) for those in answers
    )
    refusals = [one for one in asked if not one.resumed and _origin(probes, one).failed]
    also = sum(one.failed for one in refusals)
    named = [one for one in asked if not one.resumed and one.key is not None]
    accepted, offered = failing.accepted + good.accepted, failing.offered + good.offered
    met = [one.failed for one in probes if one.resumed is not None]
    effective, low, high = _effective(answers[1], answers[0], sum(met) / len(met) if met else 0.0)
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
        effective=effective,
        low=low,
        high=high,
    )


def _effective(
    failing: _Answers, good: _Answers, share: float
) -> tuple[float | None, float | None, float | None]:
    """How many groups with equal shares would accept as many sessions, and its interval.

    Sessions of failing connections are offered more often than they come, so each kind counts by
    its part of the connections. The interval is that of as many independent offers as have the
    same variance.
    """
    share = share if failing else 0.0
    parts = [(part, one) for part, one in ((share, failing), (1 - share, good)) if part]
    if sum(map(len, failing.values())) + sum(map(len, good.values())) < LEAST or not all(
        one for _, one in parts
    ):
        return None, None, None
    from stress.analysis.proportions.binomial import LEVEL, exact_bounds  # noqa: PLC0415 - numpy

    accepted = sum(part * _share(one) for part, one in parts)
    offers = 1 / sum(part * part / _independent(one) for part, one in parts)
    if not accepted:
        return None, None, None
    low, high = exact_bounds(accepted * offers, offers, (1 - LEVEL) / 2)
    return 1 / accepted, 1 / high, 1 / low


def _share(answers: _Answers) -> float:
    """The part of the offers that were accepted."""
    return sum(map(sum, answers.values())) / sum(map(len, answers.values()))


def _independent(answers: _Answers) -> float:
    """How many independent offers these are worth.

    Groups of unequal shares make some sessions accepted more often than others. Where these differ
    by more than chance makes them (two standard errors), a session is one observation.
    """
    share, offers = _share(answers), sum(map(len, answers.values()))
    chance = share * (1 - share) * offers
    if not chance or len(answers) < 2:
        return offers
    varied = sum((sum(one) - share * len(one)) ** 2 for one in answers.values())
    effect = varied / chance * len(answers) / (len(answers) - 1)
    return offers / effect if effect > 1 + 2 * sqrt(2 / (len(answers) - 1)) else offers


def _origin(probes: tuple[Probe, ...], one: Probe) -> Probe:
    """The probe whose session it offered; itself where a damaged file names none that is there."""
    place = one.offered
    return probes[place] if place is not None and place < len(probes) else one
