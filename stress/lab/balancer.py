"""Layer-4 balancing: which node gets the next connection. Arithmetic only.

The balancer knows the client's port and its own order, never a byte of what is said. The process
that accepts hands the connection itself to the node instead of copying bytes (as direct server
return does), so a node's RST, silence and timing reach the client unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from random import Random
from zlib import crc32

from stress.lab.blueprint import Policy

Choice = Callable[[int], int]
"""From the client's port to the index of a node."""


def balancer(policy: Policy, weights: Sequence[float], seed: int) -> Choice:
    """Make a chooser over `len(weights)` nodes.

    Raises:
        ValueError: there is no node, or a weight is not positive.
    """
    if not weights or min(weights) <= 0:
        raise ValueError(f"a balancer needs nodes with positive weights, not {list(weights)}")
    match policy:
        case Policy.ROUND_ROBIN:
            return _round_robin(len(weights))
        case Policy.WEIGHTED:
            return _weighted(weights)
        case Policy.RANDOM:
            return _random(weights, seed)
        case Policy.SOURCE_PORT:
            return _source_port(len(weights))


def _round_robin(nodes: int) -> Choice:
    order = count()
    return lambda _port: next(order) % nodes


def _weighted(weights: Sequence[float]) -> Choice:
    """Smooth weighted round robin: raise each by its weight, take the largest, lower it by all."""
    total = sum(weights)
    balance = [0.0] * len(weights)

    def choose(_port: int) -> int:
        for index, weight in enumerate(weights):
            balance[index] += weight
        best = max(range(len(weights)), key=balance.__getitem__)
        balance[best] -= total
        return best

    return choose


def _random(weights: Sequence[float], seed: int) -> Choice:
    dice = Random(seed)  # noqa: S311 - a repeatable balancer, no secret
    nodes = range(len(weights))
    limits = [sum(weights[: index + 1]) for index in nodes]
    return lambda _port: dice.choices(nodes, cum_weights=limits)[0]


def _source_port(nodes: int) -> Choice:
    """CRC-32 of the port, as many switches do it: linear, so its buckets can be recovered."""
    return lambda port: crc32(port.to_bytes(2, "big")) % nodes
