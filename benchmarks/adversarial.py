"""Adversarial worlds: bursts of 0.2 to 40 seconds, and a mix of clients that drifts inside a block.

Both sides are measured through the product's own functions: what is claimed that is not so, and
how much it costs in steady worlds to be that careful.

    python -m benchmarks.simulate [--trials 400] assertions until percentiles price …
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import exp, log
from statistics import fmean, median
from types import SimpleNamespace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.worlds import FACTS, GOOD, Generator, counted_once
from stress.analysis.causes.classes import FailureClass, failure_classes
from stress.analysis.causes.isolation import isolate
from stress.analysis.causes.table import Column
from stress.analysis.compare.compare import Change, Comparison, compare
from stress.analysis.goals.evidence import Evidence, Holds, Stopping, holds, while_running
from stress.analysis.goals.goal import parse_goal
from stress.analysis.proportions.binomial import clopper_pearson, evidence_above, evidence_below
from stress.analysis.proportions.estimate import BlockCounts, effective, estimate
from stress.analysis.recording import Recording
from stress.analysis.verdict import NANOSECONDS
from stress.model.attributes import Dimension
from stress.model.outcome import Stage
from stress.model.plan import Address
from stress.model.record import Record
from stress.model.run import Cube, End, HistogramRow, Run, RunFacts
from stress.model.summary import Summary

TICK_S = 0.1


@dataclass(frozen=True, slots=True)
class Bursts:
    """A target that fails in bursts, offered Poisson arrivals."""

    lasts_s: float
    each_s: float
    """Mean time from one start to the next."""
    periodic: bool = False
    severity: tuple[float, float] = (0.2, 1.0)
    background: float = 0.0
    seconds: int = 600
    per_s: float = 100.0

    @property
    def name(self) -> str:
        """As it stands in the table."""
        how = "periodic" if self.periodic else "random"
        steady = f" +{self.background:.2%}" if self.background else ""
        return f"{self.lasts_s:g} s each {self.each_s:g} s {how}{steady}"

    @property
    def truth(self) -> float:
        """The failure rate in the long run."""
        failing = self.lasts_s / self.each_s * sum(self.severity) / 2
        good = 1.0 - failing if self.periodic else exp(-failing)
        return 1.0 - (1.0 - self.background) * good

    def run(self, random: Generator) -> BlockCounts:
        """Attempts and failures by second."""
        ticks = round(self.seconds / TICK_S)
        good = np.full(ticks, 1.0 - self.background)
        if self.periodic:
            phase = (random.random() - 1.0) * self.each_s
            starts = np.arange(phase, self.seconds, self.each_s)
        else:
            span = self.seconds + self.lasts_s
            starts = random.random(random.poisson(span / self.each_s)) * span - self.lasts_s
        for start in starts:
            begin, end = round(start / TICK_S), round((start + self.lasts_s) / TICK_S)
            good[max(0, begin) : max(0, end)] *= 1.0 - random.uniform(*self.severity)
        attempts = random.poisson(self.per_s * TICK_S, size=ticks)
        failures = random.binomial(attempts, 1.0 - good)
        width = round(1.0 / TICK_S)
        return BlockCounts(
            tuple(attempts.reshape(-1, width).sum(axis=1).tolist()),
            tuple(failures.reshape(-1, width).sum(axis=1).tolist()),
            NANOSECONDS,
        )


WORLDS = (
    Bursts(0.2, 150.0),
    Bursts(0.2, 100.0, periodic=True),
    Bursts(0.2, 120.0, background=0.0005),
    Bursts(2.0, 150.0),
    Bursts(2.0, 120.0, background=0.001),
    Bursts(2.0, 200.0, periodic=True),
    Bursts(10.0, 120.0),
    Bursts(10.0, 150.0, background=0.001),
    Bursts(40.0, 240.0, seconds=1000),
    Bursts(40.0, 200.0, periodic=True, seconds=1000),
)
"""Three to six bursts are expected in a run."""
DENSE = (
    Bursts(0.2, 15.0),
    Bursts(0.2, 12.0, periodic=True),
    Bursts(2.0, 15.0),
    Bursts(2.0, 20.0, periodic=True),
    Bursts(2.0, 15.0, background=0.001),
    Bursts(10.0, 20.0),
)
"""As many in the shortest time after which a clean run may stop."""
EDGE = (
    Bursts(0.2, 25.0),
    Bursts(2.0, 25.0),
    Bursts(10.0, 25.0),
    Bursts(2.0, 25.0, background=0.001),
)
"""Three are expected in that time: no less frequent bursts are excluded by its answer."""
WATCHED = "12m"
"""Three times as long as the rarest bursts are apart."""
WATCHED_S = 900
STEADY = 0.001
"""The limit in steady worlds."""


def cube(counts: BlockCounts) -> Cube:
    """The cells of a run, as the run file counts them."""
    cells = []
    for block, (size, failed) in enumerate(zip(counts.attempts, counts.failures, strict=True)):
        cells.append(GOOD._replace(block=block, count=size - failed))
        if failed:
            cells.append(GOOD._replace(block=block, count=failed, outcome="reset"))
    return Cube(counts.block_ns, tuple(cells))


def evidence(counts: BlockCounts, stopping: Stopping = Stopping.ANYTIME) -> Evidence:
    """What a run knows about its failure rate."""
    failures, attempts = counts.totals
    seconds = len(counts.attempts) * counts.block_ns / NANOSECONDS
    worth = effective(counts.failures, counts.attempts)
    return Evidence(attempts, failures, seconds, counts.clean_s, stopping, worth=worth)


def assertions(trials: int, worlds: Sequence[Bursts] = WORLDS) -> Iterator[str]:
    """False claims of an assertion, contradictions, and coverage, where failures come in bursts."""
    for number, world in enumerate(worlds):
        random = np.random.default_rng([71, number])
        false = contradicts = covered = plenty = covered_plenty = 0
        for _ in range(trials):
            counts = world.run(random)
            found = estimate(cube(counts), End.COMPLETED)
            known = evidence(counts, Stopping.PLANNED)
            false += holds(parse_goal(f"failing<{0.99 * world.truth:.8f}"), known) is Holds.YES
            low, high = found.interval.low, found.interval.high
            limits = [max(1e-7, world.truth * factor) for factor in (0.3, 0.6, 1.0, 1.5, 2.5)]
            for limit in limits:
                answer = holds(parse_goal(f"failing<{limit:.8f}"), known)
                beside = high < limit or low > limit
                contradicts += (answer is not Holds.UNKNOWN) != beside
            inside = low <= world.truth <= high
            covered += inside
            if bursts_seen(counts, world.background) >= 3:
                plenty += 1
                covered_plenty += inside
        yield (
            f"assert     {world.name:<32} false {false / trials:.3f}  covers {covered / trials:.3f}"
            f"  of 3 or more bursts {covered_plenty / max(1, plenty):.3f}  "
            f"contradictions {contradicts}"
        )


def bursts_seen(counts: BlockCounts, background: float) -> int:
    """Runs of failing seconds, with quiet of two seconds between them."""
    usual = 3 + 3 * background * max(counts.attempts)
    failing = [block for block, failed in enumerate(counts.failures) if failed > usual]
    return sum(
        1 for place, block in enumerate(failing) if not place or block - failing[place - 1] > 2
    )


def looks(seconds: int) -> list[int]:
    """When a run is looked at: eighty times, at growing distances."""
    grid = np.unique(np.geomspace(5, seconds, 80).astype(int)).tolist()
    return sorted({*grid, 60, 75, seconds})


def stops(goals: Sequence[str], counts: BlockCounts) -> list[tuple[Holds, int]]:
    """How `--until` ends for each goal, and after how many seconds; it looks eighty times."""
    known: dict[str, tuple[Holds, int]] = {}
    parsed = {goal: parse_goal(goal) for goal in goals}
    for seconds in looks(len(counts.attempts)):
        seen = BlockCounts(counts.attempts[:seconds], counts.failures[:seconds], counts.block_ns)
        seeing = evidence(seen)
        seeing = replace(seeing, interval=seeing.rate)
        for goal in parsed.keys() - known.keys():
            answer = while_running(parsed[goal], seeing)
            if answer is not Holds.UNKNOWN:
                known[goal] = answer, seconds
        if len(known) == len(parsed):
            break
    return [known.get(goal, (Holds.UNKNOWN, len(counts.attempts))) for goal in goals]


def until(trials: int, worlds: Sequence[Bursts] = (*DENSE, *EDGE, *WORLDS)) -> Iterator[str]:
    """How often `--until failing<X` claims it at a true rate of 2X, at once and for a time.

    The answer is about the time that was seen: it says that outages less frequent than about three
    in it could have been missed. It is untrue where bursts are more frequent than that.
    """
    for number, world in enumerate(worlds):
        random = np.random.default_rng([72, number])
        claimed = untrue = watched = 0
        for _ in range(trials):
            counts = replace(world, seconds=WATCHED_S).run(random)
            goal = f"failing<{world.truth / 2:.8f}"
            (answer, seconds), (later, _) = stops((goal, f"{goal} for {WATCHED}"), counts)
            claimed += answer is Holds.YES
            untrue += answer is Holds.YES and world.each_s <= seconds / 3
            watched += later is Holds.YES
        yield (
            f"until      {world.name:<32} claimed {claimed / trials:.3f}  "
            f"untrue as said {untrue / trials:.3f}  for {WATCHED} {watched / trials:.3f}"
        )


SLOW = (
    (Bursts(2.0, 110.0), Holds.YES),
    (Bursts(2.0, 110.0, periodic=True), Holds.YES),
    (Bursts(0.2, 11.0), Holds.YES),
    (Bursts(10.0, 540.0, seconds=1800), Holds.YES),
    (Bursts(1.0, 1e12, background=0.011), Holds.YES),
    (Bursts(1.0, 1e12, background=0.005), Holds.NO),
)
"""Worlds in which handshakes are slow instead of failing, and the false answer to "the 99th
percentile is below the limit": 1.1% are slow, but in the last 0.5%."""


def percentiles(trials: int) -> Iterator[str]:
    """A percentile is a rate: slow handshakes that come together are one observation."""
    goal = parse_goal("p99.server<50ms")
    for number, (world, wrong) in enumerate(SLOW):
        random = np.random.default_rng([79, number])
        told: Counter[Holds] = Counter()
        for _ in range(trials):
            counts = world.run(random)
            slower = effective(counts.failures, counts.attempts)
            known = Evidence(slower.attempts, 0, float(world.seconds), 0.0, Stopping.PLANNED)
            told[holds(goal, replace(known, slower={goal.text: slower}))] += 1
        right = Holds.YES if wrong is Holds.NO else Holds.NO
        yield (
            f"p99        {world.name:<32} false {told[wrong] / trials:.3f}  "
            f"right {told[right] / trials:.3f}  undecided {told[Holds.UNKNOWN] / trials:.3f}"
        )


def _naive(counts: BlockCounts, limit: float) -> int:
    """Seconds to the answer of the one-sided bound that knows no bursts."""
    for seconds in looks(len(counts.attempts)):
        failures, attempts = sum(counts.failures[:seconds]), sum(counts.attempts[:seconds])
        below = failures < limit * attempts
        side = evidence_below if below else evidence_above
        certain = bool(attempts) and side(failures, attempts, limit) >= log(20.0)
        if certain and (seconds >= 60 or not below):
            return seconds
    return len(counts.attempts)


def price(trials: int) -> Iterator[str]:
    """What steady worlds cost: handshakes to an answer, and the width of the interval."""
    for number, (part, seconds) in enumerate(((0, 600), (1 / 3, 1200), (0.5, 2400), (2, 1200))):
        random = np.random.default_rng([73, number])
        world = Bursts(1.0, 1e12, background=part * STEADY, seconds=seconds)
        ratios, took, before, wrong = [], [], [], 0
        for _ in range(trials):
            counts = world.run(random)
            found = estimate(cube(counts), End.COMPLETED).interval
            exact = clopper_pearson(*counts.totals)
            ratios.append((found.high - found.low) / (exact.high - exact.low))
            ((answer, needed),) = stops((f"failing<{STEADY}",), counts)
            wrong += answer is (Holds.YES if part > 1 else Holds.NO)
            took.append(needed)
            before.append(_naive(counts, STEADY))
        yield (
            f"price      truth {part:.2f} X  seconds {median(took):.0f}, was {median(before):.0f} "
            f"(x {fmean(took) / fmean(before):.2f})  wrong {wrong / trials:.3f}  "
            f"width x {fmean(ratios):.2f}"
        )
    random = np.random.default_rng(74)
    world = Bursts(1.0, 1e12, background=STEADY, seconds=600)
    false = sum(
        stops((f"failing<{STEADY}",), world.run(random))[0][0] is Holds.YES for _ in range(trials)
    )
    yield f"price      truth 1.00 X  claimed below {false / trials:.3f}"


def blame(trials: int) -> Iterator[str]:
    """Bursts of 0.2 s while the clients take turns inside a block: nobody is to blame."""
    for expected in (3, 6, 12):
        random = np.random.default_rng([75, expected])
        blamed = sum(_blamed(random, expected) for _ in range(trials))
        yield f"drift      {expected} bursts of 0.2 s  innocent blamed {blamed / trials:.3f}"


def _blamed(random: Generator, expected: int) -> bool:
    """Failures in bursts only, whoever has the turn then."""
    when, client = turns(random)
    failed = np.zeros(len(when), dtype=np.bool_)
    for start in random.random(max(1, random.poisson(expected))) * 599:
        inside = (when >= start) & (when < start + 0.2)
        failed |= inside & (random.random(len(when)) < random.uniform(0.2, 1.0))
    return named(when, client, failed) == Dimension.CLIENT


def turns(random: Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Ten minutes at 100/s; each second belongs to one of four clients."""
    when = np.sort(random.random(60_000)) * 600
    return when, random.integers(0, 4, size=600)[when.astype(np.int64)]


def named(
    when: NDArray[np.float64], client: NDArray[np.int64], failed: NDArray[np.bool_]
) -> str | None:
    """What the first cause is about, in blocks of ten seconds; a client, if any is."""
    if failed.sum() < 3:
        return None
    slices = isolate(*recorded(when, client, failed, block_s=10)).slices
    found = [one.dimension for part in slices for one in part.conditions]
    return Dimension.CLIENT if Dimension.CLIENT in found else next(iter(found), None)


def culprits(trials: int) -> Iterator[str]:
    """One client, or one of eight addresses, that fails all the time in the same drifting mix."""
    for failures in (12, 30, 300):
        random = np.random.default_rng([78, failures])
        hits: Counter[Dimension] = Counter()
        for _ in range(trials):
            when, client = turns(random)
            address = np.arange(len(when)) % 8
            for dimension, guilty in (
                (Dimension.CLIENT, client == 1),
                (Dimension.ADDRESS, address == 3),
            ):
                failed = guilty & (random.random(len(when)) < failures / guilty.sum())
                hits[dimension] += named(when, client, failed) == dimension
        yield (
            f"culprit    {failures} failures  client found {hits[Dimension.CLIENT] / trials:.3f}  "
            f"address found {hits[Dimension.ADDRESS] / trials:.3f}"
        )


def recorded(
    when: NDArray[np.float64], client: NDArray[np.int64], failed: NDArray[np.bool_], block_s: int
) -> tuple[Recording, FailureClass]:
    """A recording of these attempts, and its one class of failures."""
    rows = len(when)
    address = np.arange(rows) % 8
    columns = (
        Column(Dimension.ADDRESS, address, tuple(map(str, range(8)))),
        Column(Dimension.CLIENT, client, tuple("abcd")),
    )
    table = counted_once(columns, (when / block_s).astype(np.int64), failed)
    failing = tuple(
        attempt(int(row), int(when[row] * NANOSECONDS), int(address[row]), int(client[row]))
        for row in np.flatnonzero(failed)[:5000]
    )
    recording = Recording(FACTS, table, Cube(block_s * NANOSECONDS, ()), failing=failing)
    return recording, failure_classes(table)[0]


def attempt(number: int, when_ns: int, address: int, client: int) -> Record:
    """A failing row."""
    due_ns = FACTS.started_ns + when_ns
    values = dict.fromkeys(Record._fields)
    known = {
        "id": number,
        "due_ns": due_ns,
        "started_ns": due_ns,
        "address": address,
        "client": client,
        "outcome": "reset",
        "stage": int(Stage.FINISHED),
        "total_ns": 1,
        "flags": 0,
    }
    return Record(**{**values, **known})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Seen:
    """As much of a run file as a comparison reads."""

    counts: BlockCounts
    number: int

    def facts(self) -> RunFacts:
        started_ns = FACTS.started_ns + self.number * 10_000 * NANOSECONDS
        ended_ns = started_ns + len(self.counts.attempts) * NANOSECONDS
        recorded = sum(self.counts.attempts)
        return replace(FACTS, started_ns=started_ns, ended_ns=ended_ns, recorded=recorded)

    def cube(self) -> Cube:
        return cube(self.counts)

    def addresses(self) -> Sequence[Address]:
        return FACTS.plan.addresses

    def histograms(self) -> Sequence[HistogramRow]:
        return ()


def compared(one: BlockCounts, two: BlockCounts) -> Comparison:
    """Two runs compared, without any cause."""
    runs = [cast("Run", Seen(counts, number)) for number, counts in enumerate((one, two))]
    nothing = cast("Summary", SimpleNamespace(causes=()))
    return compare(runs[0], runs[1], (nothing, nothing))


def comparisons(trials: int) -> Iterator[str]:
    """A world compared with itself, and steady worlds whose failure rate has doubled."""
    worlds = (*WORLDS, Bursts(2.0, 60.0), Bursts(2.0, 60.0, periodic=True), Bursts(0.2, 60.0))
    for number, world in enumerate((*worlds, Bursts(1.0, 1e12, background=STEADY))):
        random = np.random.default_rng([76, number])
        told: Counter[Change] = Counter()
        rows = 0
        for _ in range(trials):
            one, two = world.run(random), world.run(random)
            found = compared(one, two)
            told[found.change] += 1
            counts = found.rates
            rows += (counts.before_failures, counts.after_failures) == (
                one.totals[0],
                two.totals[0],
            )
        yield (
            f"compare    {world.name:<32} worse {told[Change.WORSE] / trials:.3f}  "
            f"better {told[Change.BETTER] / trials:.3f}  "
            f"not worse {told[Change.NOT_WORSE] / trials:.3f}  counts are rows {rows} of {trials}"
        )
    for part in (1.0, 3.0, 10.0):
        random = np.random.default_rng([77, int(part)])
        once, twice = (Bursts(1.0, 1e12, background=part * STEADY * more) for more in (1, 2))
        worse = sum(
            compared(once.run(random), twice.run(random)).change is Change.WORSE
            for _ in range(trials)
        )
        yield (
            f"doubled    {part * STEADY:.1%} of 60,000, then twice as much  "
            f"called worse {worse / trials:.3f}"
        )


PARTS: Sequence[Callable[[int], Iterator[str]]] = (
    assertions,
    until,
    percentiles,
    price,
    comparisons,
    blame,
    culprits,
)
