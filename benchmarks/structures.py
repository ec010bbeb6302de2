"""Worlds whose structure is more than one bad value: all but a few addresses, a node and the load.

python -m benchmarks.simulate [--trials 200] structures
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.queues import varied
from benchmarks.worlds import FACTS, GOOD, Generator, counted_once
from stress.analysis.causes.causes import explain
from stress.analysis.causes.classes import failure_classes
from stress.analysis.causes.isolation import isolate
from stress.analysis.causes.table import Column
from stress.analysis.recording import Recording, record
from stress.analysis.tally import count
from stress.analysis.verdict import NANOSECONDS
from stress.model.attributes import Dimension, place
from stress.model.chain import Verdict
from stress.model.claims import ClaimSet
from stress.model.plan import Address
from stress.model.record import Record
from stress.model.run import Cube, HistogramRow, PortCount, RunFacts, SeenChain


@dataclass(frozen=True, slots=True)
class Counted:
    """A run that is known by its counts alone."""

    the_facts: RunFacts
    the_cube: Cube
    ports_used: Sequence[PortCount] = ()

    def facts(self) -> RunFacts:
        return self.the_facts

    def cube(self) -> Cube:
        return self.the_cube

    def addresses(self) -> Sequence[Address]:
        return self.the_facts.plan.addresses

    def ports(self) -> Sequence[PortCount]:
        return self.ports_used

    def chains(self) -> Sequence[SeenChain]:
        return ()

    def verdicts(self) -> Sequence[Verdict]:
        return ()

    def histograms(self) -> Sequence[HistogramRow]:
        return ()

    def failures(self, limit: int) -> Iterator[Record]:  # noqa: ARG002 - the protocol's name
        return iter(())

    def explained(self) -> ClaimSet:
        """What the analysis claims of it."""
        return explain(record(self), count(self.the_cube.cells))


def all_but(random: Generator, rate: float, good: Sequence[int], rows: int = 5_000) -> list[str]:
    """Twelve addresses, and where the search says that the failures are."""
    address, client = random.integers(0, 12, rows), random.integers(0, 4, rows)
    failed = ~np.isin(address, good) & (random.random(rows) < rate)
    columns = (
        Column(Dimension.ADDRESS, address, tuple(f"a{number:02}" for number in range(12))),
        Column(Dimension.CLIENT, client, tuple("abcd")),
    )
    table = counted_once(columns, np.sort(random.integers(0, 40, rows)), failed)
    recording = Recording(FACTS, table, Cube(NANOSECONDS, ()))
    return [place(one.conditions) for one in isolate(recording, failure_classes(table)[0]).slices]


def complements(trials: int) -> Iterator[str]:
    """All but one, or but two, of twelve addresses fail."""
    for good in ((3,), (3, 7)):
        for rate in (1.0, 0.05):
            random = np.random.default_rng([81, len(good), int(100 * rate)])
            told = Counter(tuple(all_but(random, rate, good)) for _ in range(trials))
            names = " and ".join(f"a{number:02}" for number in good)
            right = told[(f"at every address except {names}",)]
            false = trials - right - told[()]
            yield (
                f"all but    {len(good)} of 12 good, the others fail {rate:.0%}  "
                f"found {right / trials:.3f}  false {false / trials:.3f}"
            )


def node_and_load(seed: int, node: float, power: float) -> ClaimSet:
    """One of eight addresses fails at any load, and all of them with some power of the load."""
    random, load = np.random.default_rng([82, seed]), varied(480.0, 200.0, seed)
    counts: Counter[tuple[int, int, bool, int]] = Counter()
    begin_s = 0.0
    for number, one in enumerate(load.segments):
        attempts = random.poisson(one.rate * one.seconds)
        due = random.uniform(begin_s, begin_s + one.seconds, attempts).astype(int)
        address = random.integers(0, 8, attempts)
        chance = np.where(address == 3, node, 0.0) + 0.004 * (one.rate / 480.0) ** power
        failed = random.random(attempts) < chance
        counts.update(
            zip(due.tolist(), address.tolist(), failed.tolist(), [number] * attempts, strict=True)
        )
        begin_s += one.seconds
    cells = tuple(
        replace(
            GOOD,
            block=block,
            address=address,
            segment=segment,
            outcome="timeout-handshake" if failed else GOOD.outcome,
            count=times,
        )
        for (block, address, failed, segment), times in counts.items()
    )
    farm = tuple(Address(f"127.0.0.{number}", 443) for number in range(1, 9))
    facts = replace(FACTS, plan=replace(FACTS.plan, addresses=farm, load=load))
    return Counted(facts, Cube(NANOSECONDS, cells)).explained()


def both(trials: int) -> Iterator[str]:
    """A bad node beside a curve that rises with the load, or beside none."""
    for node, power in ((0.02, 2.0), (0.05, 2.0), (0.1, 2.0), (0.05, 0.0)):
        told: Counter[str] = Counter()
        runs = -(-trials // 4)
        for seed in range(runs):
            found = node_and_load(seed, node, power)
            load = found.load
            assert load is not None
            told["node"] += any(
                {one.dimension for one in claim.conditions} == {Dimension.ADDRESS}
                for claim in found.claims
            )
            told["load"] += bool(load.dependent or load.elsewhere)
            told["against"] += load.dependent is False and not load.low <= 0.0 <= load.high
        curve = f"a curve of power {power:g}" if power else "no curve"
        yield (
            f"both       node {node:.0%}, {curve}  node named {told['node'] / runs:.2f}  "
            f"load named {told['load'] / runs:.2f}  "
            f"independent against the interval {told['against'] / runs:.2f}"
        )


PARTS: Sequence[Callable[[int], Iterator[str]]] = (complements, both)


def structures(trials: int) -> Iterator[str]:
    """All of them."""
    for part in PARTS:
        yield from part(trials)
