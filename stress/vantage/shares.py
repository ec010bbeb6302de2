"""Divides a run over its vantages: count, rate and concurrency are totals.

All get equal shares, because then every vantage tells as much about the target, unless a machine
cannot carry its share: then it gets what it can, and the others the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from stress.errors import UsageError
from stress.model.plan import Load, Plan
from stress.text.numbers import counted
from stress.vantage.messages import Examined


def shares_of(plan: Plan, vantages: Sequence[Examined], processes: int | None = None) -> list[Plan]:
    """Return the plan of each vantage's part.

    Args:
        plan: of the whole run.
        vantages: what each can do, and which addresses it sees.
        processes: of all together; None: one for each core.

    Raises:
        UsageError: there is too little for so many, or their open files do not suffice.
    """
    parts = divided(plan.load, vantages, processes)
    return [
        replace(
            plan,
            addresses=there.addresses,
            resolve_again_s=there.ttl_s,
            load=part,
            seed=(plan.seed + number) % (1 << 32),
        )
        for number, (there, part) in enumerate(zip(vantages, parts, strict=True))
    ]


def divided(load: Load, vantages: Sequence[Examined], processes: int | None = None) -> list[Load]:
    """Return each vantage's part of a load.

    Raises:
        UsageError: as `shares_of`.
    """
    number = len(vantages)
    totals = {"count": load.count, "concurrency": load.concurrency, "processes": processes}
    for name, total in totals.items():
        if total is not None and total < number:
            raise UsageError(
                f"--{name}: {total:,} for {counted(number, 'vantage')}",
                "Each needs at least one: raise it, or leave vantages out.",
            )
    fastest = max([load.rate or 0.0, *(max(s.rate, s.to or 0.0) for s in load.segments)])
    weights = level([one.rate / fastest if fastest else math.inf for one in vantages])
    if weights is None:  # the run will say that its generators were saturated
        weights = [1 / number] * number
    most = [math.inf if one.in_flight is None else one.in_flight for one in vantages]
    room = level([each / load.concurrency for each in most])
    if room is None:
        raise UsageError(
            f"--concurrency: {load.concurrency:,} in flight is more than the open files of these"
            f" machines allow together, {sum(most):,.0f}",
            "Lower --concurrency, or add vantages.",
        )
    cores = [one.cores for one in vantages]
    if processes is not None:
        cores = dealt(processes, [1 / number] * number)
    flying = dealt(load.concurrency, room)
    counts = [None] * number if load.count is None else dealt(load.count, weights)
    parts = []
    for most_of, weight, count, in_flight in zip(cores, weights, counts, flying, strict=True):
        parts.append(
            replace(
                load,
                count=count,
                concurrency=in_flight,
                rate=None if load.rate is None else load.rate * weight,
                segments=tuple(
                    replace(
                        each,
                        rate=each.rate * weight,
                        to=None if each.to is None else each.to * weight,
                    )
                    for each in load.segments
                ),
                processes=min(most_of, in_flight, count or in_flight),
            )
        )
    return parts


def level(most: Sequence[float]) -> list[float] | None:
    """Return shares of 1 that are as equal as their upper bounds allow; None: they add up to less.

    Args:
        most: upper bound of each share.
    """
    shares = [0.0] * len(most)
    open_, left = set(range(len(most))), 1.0
    while open_:
        each = left / len(open_)
        full = {one for one in open_ if most[one] < each}
        for one in full or open_:
            shares[one] = min(most[one], each)
            left -= shares[one]
        open_ -= full or open_
    return shares if left < 1e-9 else None


def dealt(total: int, shares: Sequence[float]) -> list[int]:
    """Return whole parts of a total, at least one each, by these shares of 1.

    What rounding leaves goes to the first; `total` must be at least the number of shares.
    """
    parts = [max(1, int(total * share)) for share in shares]
    while (left := total - sum(parts)) != 0:
        step = 1 if left > 0 else -1
        for one in range(min(abs(left), len(parts))):
            if parts[one] + step >= 1:
                parts[one] += step
    return parts
