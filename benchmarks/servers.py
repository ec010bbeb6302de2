"""Simulates how many servers there are behind an address, from whom each connection met."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from statistics import median

from stress.analysis.proportions.richness import richness

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
