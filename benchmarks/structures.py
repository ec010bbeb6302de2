"""Worlds whose structure is more than one bad value: all but a few addresses, a node and the load.

python -m benchmarks.simulate [--trials 200] complements ranges ports both slow lockouts
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from benchmarks.adversarial import attempt
from benchmarks.queues import varied
from benchmarks.worlds import FACTS, GOOD, Generator, counted_once
from stress.analysis.causes.causes import explain
from stress.analysis.causes.changes import lockout
from stress.analysis.causes.classes import failure_classes
from stress.analysis.causes.isolation import isolate
from stress.analysis.causes.ports import port_structure
from stress.analysis.causes.slowness import slowness
from stress.analysis.causes.table import Column, tabulate
from stress.analysis.recording import Recording, record, timed_table
from stress.analysis.tally import count
from stress.analysis.verdict import NANOSECONDS
from stress.model.attributes import Dimension, place
from stress.model.chain import Verdict
from stress.model.claims import ClaimSet
from stress.model.plan import Address, Client, Load
from stress.model.record import Record
from stress.model.run import Cube, HistogramRow, PortCount, RunFacts, SeenChain

EMPTY = tabulate((), ())


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

    def good(self, most: int) -> Iterator[Record]:  # noqa: ARG002 - the protocol's name
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


VERSIONS = tuple(f"17.{number}" for number in range(16))


def versions(random: Generator, bad: range, rate: float, rows: int) -> list[str]:
    """An app in sixteen versions, of which some neighbours fail, and where it is said to fail."""
    weights = random.dirichlet(np.full(len(VERSIONS), 3.0))
    app, carrier = random.choice(16, rows, p=weights), random.integers(0, 5, rows)
    failed = random.random(rows) < np.where(np.isin(app, bad) | (not bad), rate, rate / 100.0)
    columns = (
        Column(Dimension("app"), app, VERSIONS),
        Column(Dimension("carrier"), carrier, tuple("abcde")),
    )
    table = counted_once(columns, np.sort(random.integers(0, 40, rows)), failed)
    recording = Recording(FACTS, table, Cube(NANOSECONDS, ()))
    return [place(one.conditions) for one in isolate(recording, failure_classes(table)[0]).slices]


def ranges(trials: int) -> Iterator[str]:
    """Neighbouring versions fail: one range, and no value of it alone."""
    for bad, rate in (
        (range(4, 9), 0.3),
        (range(4, 9), 0.02),
        (range(7, 9), 0.3),
        (range(0), 0.02),
    ):
        random = np.random.default_rng([87, len(bad), int(100 * rate)])
        told = Counter(tuple(versions(random, bad, rate, 10_000)) for _ in range(trials))
        named = [f"where app is between 17.{bad[0]} and 17.{bad[-1]}"] if bad else []
        right = told[tuple(named)]
        what = f"{len(bad)} of 16 versions fail {rate:.0%}" if bad else "no version fails more"
        part = f"found {right / trials:.3f}" if bad else f"claimed {1.0 - right / trials:.3f}"
        yield f"range      {what:<28} {part}  nothing told {told[()] / trials:.3f}"


def _crc(port: int) -> int:
    return crc32(port.to_bytes(2, "big")) % 8


HASHES: Mapping[str, Callable[[int], bool]] = {
    "a remainder": lambda port: port % 8 == 3,
    "three remainders": lambda port: port % 8 in {1, 4, 6},
    "(port // 2) mod 4": lambda port: port // 2 % 4 == 1,
    "two buckets of a CRC": lambda port: _crc(port) in {2, 7},
    "three buckets of a CRC": lambda port: _crc(port) in {2, 4, 7},
    "a contiguous range": lambda port: 41_000 <= port < 45_000,
    "no structure": lambda port: port >= 0,
}


def ports(trials: int) -> Iterator[str]:
    """Local ports of which some fail: exactly those of the structure are told."""
    for number, (name, bad) in enumerate(HASHES.items()):
        random = np.random.default_rng([88, number])
        right = silent = 0
        for _ in range(trials):
            used = random.choice(np.arange(32_768, 60_999), 5_000, replace=False).tolist()
            chance = [0.3 if bad(port) and number < len(HASHES) - 1 else 0.003 for port in used]
            failed = (random.random(len(used)) < chance).tolist()
            counts = [PortCount(*one) for one in zip(used, [1] * len(used), failed, strict=True)]
            found = port_structure(counts)
            silent += found is None
            # The ends of a range are known to a few ports.
            near = 0.02 * len(used) if found and found.span else 0.0
            right += found is not None and abs(found.attempts - sum(map(bad, used))) <= near
        if number == len(HASHES) - 1:
            yield f"ports      {name:<28} claimed {1.0 - silent / trials:.3f}"
        else:
            false = (trials - right - silent) / trials
            yield f"ports      {name:<28} found {right / trials:.3f}  false {false:.3f}"


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
        GOOD._replace(
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


@dataclass(frozen=True, slots=True)
class Farm:
    """A minute of good handshakes at eight addresses, with three clients."""

    tail: float = 0.5
    """Standard deviation of the logarithm of a duration."""
    usual_ms: float = 12.0
    slow: Sequence[int] = ()
    """Addresses that are slower …"""
    by_ms: float = 60.0
    part: float = 1.0
    """… in this part of their handshakes."""
    window: tuple[float, float] = (0.0, 0.0)
    """Seconds in which all are slower."""
    stall_ms: float = 0.0
    """How long the target stops, at each twentieth connection."""
    busy_ms: float = 0.0
    """How long this machine lags in two stretches of the run; the target is as slow then."""
    passes: float = 0.0
    """How many a second get through; the rest waits. 0: all."""
    addresses: int = 8
    attempts: int = 3_000
    per_s: float = 50.0

    def recording(self, random: Generator) -> Recording:
        """The measured handshakes of such a run."""
        began = np.cumsum(random.exponential(1.0 / self.per_s, self.attempts))
        address, client = (
            random.integers(0, self.addresses, self.attempts),
            random.integers(0, 3, self.attempts),
        )
        took = self.usual_ms * np.exp(random.normal(0.0, self.tail, self.attempts))
        slower = np.isin(address, self.slow) & (random.random(self.attempts) < self.part)
        took += self.by_ms * (slower | ((began >= self.window[0]) & (began < self.window[1])))
        lag = random.exponential(0.2, self.attempts)
        if self.busy_ms:
            busy = (began // 10.0) % 3 == 1
            took += busy * random.exponential(self.busy_ms, self.attempts)
            lag += busy * random.exponential(self.busy_ms / 4.0, self.attempts)
        if self.stall_ms:
            for first in began[19::20]:
                wait = self.stall_ms - 1e3 * (began - first)
                held = (wait > 0.0) & (wait <= self.stall_ms)
                took = np.where(held, np.maximum(took, wait + 1.0), took)
        if self.passes:
            ended = 0.0
            for place, start in enumerate((began + took / 1e3).tolist()):
                ended = max(start, ended + random.uniform(0.5, 1.5) / self.passes)
                took[place] = 1e3 * (ended - began[place])
        rows = tuple(
            attempt(
                number, round(began[number] * NANOSECONDS), int(address[number]), which
            )._replace(
                outcome=GOOD.outcome,
                tls_version=GOOD.tls_version,
                resumed=False,
                segment=0,
                connect_ns=100_000,
                server_ns=round(1e6 * took[number]),
                total_ns=round(1e6 * (took[number] + lag[number])),
                lag_ns=round(1e6 * lag[number]),
            )
            for number, which in enumerate(client.tolist())
        )
        farm = tuple(Address(f"127.0.0.{number}", 443) for number in range(1, 9))
        clients = tuple(Client(name) for name in ("a", "b", "c"))
        load = Load(rate=self.per_s)
        facts = replace(FACTS, plan=replace(FACTS.plan, addresses=farm, clients=clients, load=load))
        cells = (GOOD._replace(count=self.attempts),)
        width = max(1, round(began[-1] / 200.0))
        cube = Cube(width * NANOSECONDS, cells)
        table = timed_table(Recording(facts, EMPTY, cube, addresses=farm), rows)
        return Recording(facts, table, cube, addresses=farm, good=rows)

    def told(self, random: Generator) -> list[str]:
        """What is claimed to be slow: places, `stalls` or a `ceiling`."""
        return [place(one.conditions) or one.category for one in slowness(self.recording(random))]


HEALTHY = {
    "short tail": Farm(tail=0.3),
    "long tail": Farm(tail=1.0, usual_ms=20.0),
    "very long tail": Farm(tail=1.6, usual_ms=20.0),
    "slow everywhere": Farm(usual_ms=400.0),
    "rare second": Farm(slow=range(8), by_ms=1000.0, part=0.02),
    "busy machine": Farm(busy_ms=80.0),
    "four seconds each": Farm(usual_ms=4_000.0, tail=0.1),
    "twice as many pass": Farm(passes=100.0),
}
SLOW = {
    "one address": (Farm(slow=(3,)), "at 127.0.0.4:443"),
    "one address, a fifth": (Farm(slow=(3,), part=0.2, by_ms=150.0), "at 127.0.0.4:443"),
    "all but one": (
        Farm(slow=(0, 1, 2, 4, 5, 6, 7)),
        "at every address except 127.0.0.4:443",
    ),
    "stalls": (Farm(stall_ms=120.0, addresses=1), "stalls"),
    "a limit of 30/s": (Farm(passes=30.0, addresses=1, attempts=1_000), "ceiling"),
    "a limit of 40/s": (Farm(passes=40.0, attempts=2_000), "ceiling"),
}


def slow(trials: int) -> Iterator[str]:
    """Healthy farms, in which nothing is slower, and slow nodes, windows and event loops."""
    for number, (name, farm) in enumerate(HEALTHY.items()):
        random = np.random.default_rng([83, number])
        false = sum(bool(farm.told(random)) for _ in range(trials))
        yield f"healthy    {name:<22} claimed {false / trials:.3f}"
    for number, (name, (farm, where)) in enumerate(SLOW.items()):
        random = np.random.default_rng([84, number])
        told = Counter(tuple(farm.told(random)) for _ in range(trials))
        right = told[where,]
        yield (
            f"slow       {name:<22} found {right / trials:.3f}  "
            f"false {(trials - right - told[()]) / trials:.3f}"
        )
    random = np.random.default_rng(85)
    farm = Farm(window=(20.0, 35.0))
    windows = Counter(one.startswith("between") for _ in range(trials) for one in farm.told(random))
    yield (
        f"slow       {'a window of 15 s':<22} found {windows[True] / trials:.3f}  "
        f"false {windows[False] / trials:.3f}"
    )


def lockouts(trials: int) -> Iterator[str]:
    """Nothing gets through after the first fifty attempts; or a steady part of all fails."""
    random = np.random.default_rng(86)
    for share in (0.5, 0.9, 0.98, 0.0):
        told = 0
        for _ in range(trials):
            failed = random.random(800) < (share or 0.2)
            failed[50:] |= not share
            good = np.flatnonzero(~failed).tolist()
            bad = np.flatnonzero(failed).tolist()
            told += lockout(good, bad, len(bad)) is not None
        what = f"{share:.0%} fail all the time" if share else "nothing after 50 attempts"
        yield f"lockout    {what:<26} claimed {told / trials:.3f}"


STRUCTURES: Sequence[Callable[[int], Iterator[str]]] = (
    complements,
    ranges,
    ports,
    both,
    slow,
    lockouts,
)
