"""Simulates how many servers there are behind an address: from names, and from sessions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from statistics import median

from stress.analysis.matrix import groups
from stress.analysis.proportions.richness import richness
from stress.engine.matrix import Offered
from stress.handshake import Session
from stress.model.plan import PROBES
from stress.model.run import Probe, ResumptionMatrix

FARMS = (1, 2, 3, 5, 8, 12, 20, 50, 100, 200)
UNEVEN = (1.0, 2.0, 4.0)
"""How many times as many connections the busiest server may get as the idlest."""
TIMES = (4, 10)
"""Connections for each server, and at least 60."""


def how_many(trials: int, seed: int = 7) -> Iterator[str]:
    """Whether the interval holds the number of servers, and how wide it is."""
    for uneven in UNEVEN:
        for servers in FARMS:
            for times in TIMES:
                chance = random.Random(seed * servers)
                count, covered, widths = max(60, times * servers), 0, []
                for _ in range(trials):
                    weights = [uneven ** chance.random() for _ in range(servers)]
                    met = Counter(chance.choices(range(servers), weights, k=count))
                    found = richness(met.values())
                    high = found.high or 10**9
                    covered += found.seen <= servers <= high
                    widths.append(high - found.seen)
                width = median(widths)
                yield (
                    f"how many   {servers:>3} servers, uneven {uneven:.0f}x, {count:>5,} met"
                    f"  covers {covered / trials:.3f}  width {width / servers:.2f} of their number"
                )


GROUPS = (1, 2, 3, 5, 8, 12)


def session_groups(trials: int, seed: int = 8) -> Iterator[str]:
    """Whether the interval of the resumption matrix holds the number of groups, and how wide it is.

    One group fails, or none. Of groups with unequal shares it is about the number of groups with
    equal shares that would accept as many sessions: the inverse sum of the squared shares.
    """
    for uneven in UNEVEN[::2]:
        for servers in GROUPS:
            for failing in (0, 1) if servers > 1 else (0,):
                covered, widths, blamed = 0, [], 0
                for trial in range(trials):
                    chance = random.Random(f"{seed} {servers} {trial}")
                    weights = [uneven ** chance.random() for _ in range(servers)]
                    truth = sum(weights) ** 2 / sum(one * one for one in weights)
                    found = groups(_matrix(chance, weights, failing, trial))
                    low, high = found.low or 0.0, found.high or 10.0**9
                    covered += low <= truth + 1e-9 and truth <= high + 1e-9
                    widths.append(high - low)
                    blamed += found.one_group
                yield (
                    f"groups     {servers:>3}, uneven {uneven:.0f}x, {failing} failing"
                    f"  covers {covered / trials:.3f}  width {median(widths) / servers:.2f} of "
                    f"their number  one blamed {blamed / trials:.3f}"
                )


def _matrix(
    chance: random.Random, weights: list[float], failing: int, seed: int
) -> ResumptionMatrix:
    """What the engine's own choice of sessions meets; the first groups are the failing ones."""
    offers, probes, nodes = Offered(seed), list[Probe](), range(len(weights))
    for number in range(PROBES):
        node = chance.choices(nodes, weights)[0]
        offers.number = number
        session = offers.offer(0)
        resumed = session is not None and session.handle == node
        failed, origin = node < failing, number
        offers.keep(0, Session(node, reusable=True), resumed=resumed)
        if resumed and offers.offered is not None:
            failed, origin = probes[offers.offered].failed, offers.offered
        offers.put(origin, failed=failed)
        probes.append(Probe(0, None, offers.offered, resumed, failed))
    return ResumptionMatrix(0x0303, tuple(probes))
