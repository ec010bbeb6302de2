"""Layer-4 balancing: which node gets the next connection. Arithmetic only.

The balancer knows the client's port and its own state, never the payload. The process that accepts
hands the connection itself to the node instead of copying bytes (as direct server return does), so
a node's RST, silence and timing reach the client unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, cycle
from random import Random
from zlib import crc32

from stress.lab.blueprint import Balancing

Choice = Callable[[int], int]
"""From the client's port to the index of a node."""


def balancer(policy: Balancing, weights: Sequence[float], seed: int) -> Choice:
    """Make a chooser over `len(weights)` nodes.

    Raises:
        ValueError: there is no node, or a weight is not positive.
    """
    if not weights or min(weights) <= 0:
        raise ValueError(f"a balancer needs nodes with positive weights, not {list(weights)}")
    nodes = range(len(weights))
    match policy:
        case Balancing.ROUND_ROBIN:
            order = cycle(nodes)
            return lambda _port: next(order)
        case Balancing.RANDOM:
            dice = Random(seed)  # noqa: S311 - a repeatable balancer, no secret
            limits = list(accumulate(weights))
            return lambda _port: dice.choices(nodes, cum_weights=limits)[0]
        case Balancing.SOURCE_PORT:
            # CRC-32 of the port, as in many switches: linear, so its buckets can be recovered.
            return lambda port: crc32(port.to_bytes(2, "big")) % len(nodes)
