"""Simulates the servers behind an address: how many there are, and what tells a bad one apart.

How many are told from names, and from sessions.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks.worlds import FACTS, Codes, Generator, counted_once
from stress.analysis.backends import groups, richness
from stress.analysis.causes.classes import failure_classes
from stress.analysis.causes.isolation import Grade, Isolation, isolate
from stress.analysis.causes.table import Column
from stress.analysis.recording import Recording
from stress.analysis.verdict import NANOSECONDS
from stress.engine.matrix import Offered
from stress.handshake import Session
from stress.model.attributes import Dimension
from stress.model.plan import PROBES
from stress.model.run import Cube, Probe, ResumptionMatrix
from stress.model.summary import Condition

FARMS = (1, 2, 3, 5, 8, 12, 20, 50, 100, 200)
UNEVEN = (1.0, 2.0, 4.0)
"""How many times as many connections the busiest server may get as the idlest."""
TIMES = (4, 10)
"""Connections for each server, and at least 60."""
SERVERS, ROWS, BLOCKS = 12, 2_000, 60


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


def signals(trials: int, seed: int = 11) -> Iterator[str]:
    """Twelve servers of a few kinds: is one told by its signals, and is anything else ever told."""
    for name, bursts in (("follow nothing", False), ("come in bursts", True)):
        random, claimed = np.random.default_rng([seed, bursts]), 0
        for _ in range(trials):
            columns, server, blocks = _farm(random)
            chance = np.full(ROWS, 10.0 ** random.uniform(-3.0, -1.0))
            if bursts:
                chance *= 6.0 * np.isin(blocks, random.choice(BLOCKS, 10, replace=False))
            found = _isolated(columns, blocks, random.random(ROWS) < chance)
            claimed += bool(found and found.suggested)
        yield f"signals    failures {name}  claimed {claimed / trials:.3f}"
    random, right, wrong, strong = np.random.default_rng([seed, 2]), 0, 0, 0
    for _ in range(trials):
        columns, server, blocks = _farm(random, alone=True)
        found = _isolated(columns, blocks, (server == 0) & (random.random(ROWS) < 0.5))
        told = [_told(part.conditions) for part in found.suggested] if found else []
        right += told == [{Dimension.TCP_OPTIONS: "0"}]
        wrong += any(one != {Dimension.TCP_OPTIONS: "0"} for one in told)
        strong += any(part.grade is Grade.STRONG for part in found.suggested) if found else False
    yield (
        f"signals    one of {SERVERS} resets half, alone in its TCP options  "
        f"found {right / trials:.3f}  false {wrong / trials:.3f}  strong {strong / trials:.3f}"
    )
    random, right, wrong = np.random.default_rng([seed, 3]), 0, 0
    for _ in range(trials):
        columns, server, blocks = _farm(random)
        client = next(one for one in columns if one.dimension is Dimension.CLIENT)
        failed = (client.codes == 0) & (random.random(ROWS) < 0.2)
        found = _isolated(columns, blocks, failed)
        told = [_told(part.conditions) for part in found.slices] if found else []
        right += told == [{Dimension.CLIENT: "0"}]
        wrong += bool(found and found.suggested)
    yield (
        "signals    a client fails, and each client gets a ServerHello of its own  "
        f"client found {right / trials:.3f}  claimed {wrong / trials:.3f}"
    )


def _farm(random: Generator, *, alone: bool = False) -> tuple[tuple[Column, ...], Codes, Codes]:
    """What connections show, which server each met, and in which block of time.

    Args:
        random: makes the servers, of one to three kinds in each signal.
        alone: nobody else has the TCP options of the first server.
    """
    tcp, hello = (random.integers(0, random.integers(1, 4), SERVERS) for _ in range(2))
    if alone:
        tcp += 1
        tcp[0] = 0
    server = random.integers(0, SERVERS, ROWS)
    client = random.integers(0, 2, ROWS)
    codes = {
        Dimension.CLIENT: client,
        Dimension.JA3S: hello[server] + 3 * client,
        Dimension.TCP_OPTIONS: tcp[server],
    }
    columns = tuple(
        Column(name, one.astype(np.int64), tuple(map(str, range(int(one.max()) + 1))))
        for name, one in codes.items()
    )
    return columns, server, np.sort(random.integers(0, BLOCKS, ROWS)).astype(np.int64)


def _isolated(
    columns: tuple[Column, ...], blocks: Codes, failed: NDArray[np.bool_]
) -> Isolation | None:
    """What is isolated; None where nothing failed."""
    if not failed.any():
        return None
    table = counted_once(columns, blocks, failed)
    (failing,) = failure_classes(table)
    return isolate(Recording(FACTS, table, Cube(NANOSECONDS, ())), failing, signals=True)


def _told(conditions: Iterable[Condition]) -> dict[str, str]:
    return {one.dimension: one.text for one in conditions}


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
