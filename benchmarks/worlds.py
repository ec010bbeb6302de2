"""Simulated worlds: attributes of handshakes, planted causes, and whether they were found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stress.analysis.causes.cohorts import Conjunction, Problem, search
from stress.analysis.causes.table import Column, Table
from stress.analysis.verdict import NANOSECONDS
from stress.model.attributes import Dimension
from stress.model.outcome import OK, Stage
from stress.model.plan import Address, Client, Plan, Target
from stress.model.run import Cell, End, RunFacts

FACTS = RunFacts(
    name="simulated",
    file="simulated.db",
    plan=Plan(Target("lab.test"), (Address("127.0.0.1", 443),), (Client("generic"),)),
    started_ns=1_790_000_000 * NANOSECONDS,
    ended_ns=None,
    end=End.COMPLETED,
    started=0,
    recorded=0,
    versions={},
    reasons=(),
    invalid=False,
    lag_p99_ns=None,
)
GOOD = Cell(
    block=0,
    address=0,
    source=None,
    client=0,
    chain=1,
    tls_version=0x0304,
    cipher=0x1301,
    key_group=29,
    alpn=None,
    resumed=False,
    segment=0,
    stage=Stage.FINISHED,
    outcome=OK.name,
    count=1,
)
"""An attempt that succeeded, as a cell of the cube."""
Generator = np.random.Generator
Codes = NDArray[np.int64]

# Eleven dimensions; those given as a function follow the address, as real ones do.
ADDRESSES = 16
_FREE = {
    Dimension.CLIENT: (4, None),
    Dimension.SNI: (3, None),
    Dimension.TLS_VERSION: (2, (0.8, 0.2)),
    Dimension.KEY_GROUP: (3, (0.6, 0.3, 0.1)),
    Dimension.RESUMED: (2, (0.7, 0.3)),
    Dimension.RATE: (3, None),
    Dimension.TIME: (4, None),
}
_OF_THE_ADDRESS: dict[Dimension, Callable[[Codes], Codes]] = {
    Dimension.LABEL: lambda address: address // 4,
    Dimension.FAMILY: lambda address: address % 2,
    Dimension.BACKEND: lambda address: address // 2,
}


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Counted rows with planted causes."""

    problem: Problem
    planted: tuple[NDArray[np.bool_], ...]
    """The rows of each cause."""


def attributes(random: Generator, rows: int) -> tuple[Column, ...]:
    """Random connections in eleven dimensions."""
    weights = random.dirichlet(np.full(ADDRESSES, 5.0))
    address = random.choice(ADDRESSES, size=rows, p=weights)
    codes = {Dimension.ADDRESS: address}
    for dimension, (size, shares) in _FREE.items():
        codes[dimension] = random.choice(size, size=rows, p=shares)
    for dimension, of in _OF_THE_ADDRESS.items():
        codes[dimension] = of(address)
    return tuple(
        Column(dimension, codes[dimension].astype(np.int64), _texts(codes[dimension]))
        for dimension in sorted(codes, key=lambda one: one.priority)
    )


def _texts(codes: Codes) -> tuple[str, ...]:
    return tuple(str(code) for code in range(int(codes.max()) + 1))


def counted_once(columns: tuple[Column, ...], blocks: Codes, failed: NDArray[np.bool_]) -> Table:
    """The table of these attempts, each a row of its own; all finished, some with a reset."""
    return Table(
        columns=columns,
        outcomes=Column(Dimension.STAGE, failed.astype(np.int64), ("ok", "reset")),
        stages=np.full(len(blocks), int(Stage.FINISHED)),
        blocks=blocks,
        chains=np.full(len(blocks), -1),
        counts=np.ones(len(blocks), dtype=np.int64),
    )


def plant(random: Generator, columns: Sequence[Column], rows: int, causes: int) -> World:
    """Plants that many causes of random shape above a small background, and counts the rows."""
    background = float(random.choice([0.0, 2e-5, 1e-4]))
    chance = np.full(rows, background)
    planted = []
    for _ in range(causes):
        inside, rate = _cause(random, columns, rows, causes)
        chance = 1.0 - (1.0 - chance) * (1.0 - rate * inside)
        planted.append(inside)
    if not causes:
        chance[:] = float(random.uniform(0.0005, 0.01))
    failed = random.random(rows) < chance
    return _counted(columns, failed, planted)


def _cause(
    random: Generator, columns: Sequence[Column], rows: int, causes: int
) -> tuple[NDArray[np.bool_], float]:
    """A conjunction of one to three conditions, and the rate inside it."""
    while True:
        depth = int(random.choice([1, 2, 3], p=[0.5, 0.35, 0.15]))
        chosen = random.choice(len(columns), size=depth, replace=False)
        inside = np.ones(rows, dtype=np.bool_)
        for number in chosen:
            inside &= columns[number].codes == random.integers(len(columns[number].values))
        share = float(inside.mean())
        failing = float(random.uniform(0.0005, 0.01)) / causes
        if 0.004 <= share <= 0.5 and 0.005 <= failing / share <= 1.0 and failing * rows >= 20:
            return inside, failing / share


def _counted(
    columns: Sequence[Column], failed: NDArray[np.bool_], planted: Sequence[NDArray[np.bool_]]
) -> World:
    """Rows of equal attributes become one, as in the cube."""
    key = np.zeros(len(failed), dtype=np.int64)
    for column in columns:
        key = key * len(column.values) + column.codes
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    attempts = np.bincount(inverse).astype(np.int64)
    failures = np.bincount(inverse, weights=failed).astype(np.int64)
    return World(
        Problem(tuple(column.where(first) for column in columns), attempts, failures),
        tuple(inside[first] for inside in planted),
    )


def same_rows(world: World, one: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    """Whether two row sets hold the same attempts, but for one in twenty."""
    attempts = world.problem.attempts
    both, either = attempts[one & other].sum(), attempts[one | other].sum()
    return bool(both >= 0.95 * either)


def found(world: World) -> tuple[int, int]:
    """How many of the planted causes were found exactly, and how many were claimed."""
    claimed = [world.problem.rows(words) for words in _claims(world.problem)]
    hits = sum(any(same_rows(world, rows, inside) for rows in claimed) for inside in world.planted)
    return hits, len(claimed)


def _claims(problem: Problem) -> list[Conjunction]:
    return [cohort.conditions for cohort in search(problem).cohorts]
