"""Divides a run over its vantages: count, rate and concurrency are totals.

All get equal shares, because then every vantage tells as much about the target, unless the user
gave them weights. A machine that cannot carry its share gets what it can, and the others the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from stress.errors import UsageError
from stress.model.plan import Load, Plan
from stress.planning.consent import exceeds
from stress.text.numbers import counted
from stress.vantage.messages import Examined


def shares_of(
    plan: Plan,
    vantages: Sequence[Examined],
    processes: int | None = None,
    wishes: Sequence[float] | None = None,
) -> list[Plan]:
    """Return the plan of each vantage's part.

    Args:
        plan: of the whole run.
        vantages: what each can do, and which addresses it sees.
        processes: of all together; None: one for each core.
        wishes: weight of each; None: equal ones.

    Raises:
        UsageError: there is too little for so many, or their open files do not suffice.
    """
    parts = divided(plan.load, vantages, processes, wishes)
    # A part knows its own load only: it would let join what the total needs consent for.
    unasked = plan.authorized is None and exceeds(plan.load)
    return [
        replace(
            plan,
            addresses=there.addresses,
            resolve_again_s=None if unasked else there.ttl_s,
            load=part,
            seed=(plan.seed + number) % (1 << 32),
        )
        for number, (there, part) in enumerate(zip(vantages, parts, strict=True))
    ]


def divided(
    load: Load,
    vantages: Sequence[Examined],
    processes: int | None = None,
    wishes: Sequence[float] | None = None,
) -> list[Load]:
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
    wishes = wishes or [1.0] * number
    weights = level([one.rate / fastest if fastest else math.inf for one in vantages], wishes)
    if weights is None:  # the run will say that its generators were saturated
        weights = [wish / sum(wishes) for wish in wishes]
    most = [math.inf if one.in_flight is None else one.in_flight for one in vantages]
    room = level([each / load.concurrency for each in most], wishes)
    if room is None:
        raise UsageError(
            f"--concurrency: {load.concurrency:,} in flight is more than the open files of these"
            f" machines allow together, {sum(most):,.0f}",
            "Lower --concurrency, or add vantages.",
        )
    cores = [one.cores for one in vantages]
    if processes is not None:
        cores = dealt(processes, [wish / sum(wishes) for wish in wishes])
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


def level(most: Sequence[float], wishes: Sequence[float]) -> list[float] | None:
    """Return shares of 1 as near to their weights as upper bounds allow; None: these are too low.

    Args:
        most: upper bound of each share.
        wishes: weight of each.
    """
    shares = [0.0] * len(most)
    open_, left = set(range(len(most))), 1.0
    while open_:
        each = left / sum(wishes[one] for one in open_)
        full = {one for one in open_ if most[one] < each * wishes[one]}
        for one in full or open_:
            shares[one] = min(most[one], each * wishes[one])
            left -= shares[one]
        open_ -= full or open_
    return shares if left < 1e-9 else None


def dealt(total: int, shares: Sequence[float]) -> list[int]:
    """Return whole parts of a total, at least one each, by these shares of 1.

    What rounding leaves goes to the first, and what it takes comes from the largest; `total` must
    be at least the number of shares.
    """
    parts = [max(1, int(total * share)) for share in shares]
    for one in range(total - sum(parts)):
        parts[one % len(parts)] += 1
    for _ in range(sum(parts) - total):
        parts[parts.index(max(parts))] -= 1
    return parts
