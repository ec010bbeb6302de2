"""What target and client agree on: nodes that differ, and worlds in which nothing is wrong.

python -m benchmarks.simulate [--trials 200] agreed
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.structures import Counted
from benchmarks.worlds import FACTS, GOOD, Generator
from stress.analysis.verdict import NANOSECONDS
from stress.model.attributes import place
from stress.model.plan import Address, Client, Load
from stress.model.run import Cell, Cube

ADDRESSES, CLIENTS, ATTEMPTS = 6, ("a", "b"), 1_200
OLD, OLD_ECDSA, OLD_RSA = 0x0303, 0xC02B, 0xC02F
Node = Callable[[Generator, int, int], dict[str, Any]]
"""What is agreed on at an address with a client."""


def at_the_third(odd: dict[str, Any]) -> Node:
    """One of the addresses differs."""
    return lambda _random, address, _client: odd if address == 2 else {}


def behind(odd: dict[str, Any]) -> Node:
    """One of three servers behind each address differs."""
    return lambda random, _address, _client: odd if random.integers(3) == 2 else {}


def resumed(accepted: Callable[[Generator, int], bool]) -> Node:
    """Seven in ten offer a session."""

    def agree(random: Generator, address: int, _client: int) -> dict[str, Any]:
        offers = random.random() < 0.7
        return {"resumed": bool(offers and accepted(random, address)), "others": (offers,)}

    return agree


DIFFERENT: dict[str, tuple[Node, str]] = {
    "ALPN, one address": (at_the_third({"alpn": None}), "different-alpn at 10.0.0.3:443"),
    "ALPN, one of three": (behind({"alpn": None}), "different-alpn"),
    "version, one address": (
        at_the_third({"tls_version": OLD, "cipher": OLD_ECDSA}),
        "different-version at 10.0.0.3:443",
    ),
    "suite, one address": (at_the_third({"cipher": 0x1302}), "different-suite at 10.0.0.3:443"),
    "suite, one of three": (behind({"cipher": 0x1302}), "different-suite"),
    "key group, one address": (
        at_the_third({"key_group": 23}),
        "different-key-exchange at 10.0.0.3:443",
    ),
}
ALIKE: dict[str, Node] = {
    "all agree on the same": lambda *_: {},
    "each client its own": lambda _r, _a, client: (
        {"alpn": "h2", "tls_version": OLD, "cipher": OLD_ECDSA} if client else {}
    ),
    "suite by the key's type": lambda _r, address, _c: {
        "tls_version": OLD,
        "cipher": OLD_RSA if address % 2 else OLD_ECDSA,
    },
}


def told(random: Generator, node: Node, alpn: str | None = "h2") -> list[str]:
    """What is said to differ, and where."""
    counts = Counter[Cell]()
    for number in range(ATTEMPTS):
        address, client = int(random.integers(ADDRESSES)), int(random.integers(len(CLIENTS)))
        usual = GOOD._replace(block=number // 50, address=address, client=client, alpn=alpn)
        counts[usual._replace(**node(random, address, client))] += 1
    farm = tuple(Address(f"10.0.0.{number}", 443) for number in range(1, ADDRESSES + 1))
    plan = replace(
        FACTS.plan,
        addresses=farm,
        clients=tuple(map(Client, CLIENTS)),
        load=Load(rate=50.0, count=ATTEMPTS),
    )
    cells = tuple(one._replace(count=number) for one, number in counts.items())
    run = Counted(replace(FACTS, plan=plan), Cube(NANOSECONDS, cells))
    return [
        " ".join(filter(None, (one.category, place(one.conditions))))
        for one in run.explained().claims
    ]


def agreed(trials: int) -> Iterator[str]:
    """Nodes that differ in one thing, and farms in which nothing differs that should not."""
    for number, (name, (node, right)) in enumerate(DIFFERENT.items()):
        random = np.random.default_rng([88, number])
        found = Counter(tuple(told(random, node)) for _ in range(trials))
        false = sum(count for one, count in found.items() if set(one) - {right})
        yield (
            f"agreed     {name:<24} found {found[right,] / trials:.3f}  false {false / trials:.3f}"
        )
    for number, (name, node) in enumerate(ALIKE.items()):
        random = np.random.default_rng([89, number])
        claimed = sum(bool(told(random, node)) for _ in range(trials))
        yield f"agreed     {name:<24} claimed {claimed / trials:.3f}"
