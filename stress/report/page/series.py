"""Failing shares, place by place, each with its interval: the rows behind the bars.

What failed most surely comes first (by the lower end of the interval), so that an address with one
failure in three tries does not stand above one with a thousand in ten thousand.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import log10

from stress.analysis.latency import whole_run
from stress.analysis.proportions.binomial import clopper_pearson
from stress.analysis.tally import FailureCount, RunCounts, side_of
from stress.measure import Histogram
from stress.model.outcome import Side
from stress.model.run import Cube, HistogramRow, Phase, RunFacts, SeenChain
from stress.model.summary import AddressLine, ChainLine, Interval, Summary
from stress.report.page.pairs import failures_by_chain

MOST_ROWS = 200
"""Rows of one table; what is left out is counted in words."""
SHORT_HASH = 12


@dataclass(frozen=True, slots=True)
class Share:
    """One row."""

    name: str
    note: str
    """More about it; may be empty."""
    attempts: int
    failures: int
    interval: Interval

    @property
    def share(self) -> float | None:
        """Failures / attempts; None without attempts."""
        return self.failures / self.attempts if self.attempts else None


@dataclass(frozen=True, slots=True)
class Shares:
    """A table of one dimension."""

    dimension: str
    rows: tuple[Share, ...]
    left_out: int

    @property
    def scale(self) -> float:
        """The share at the right end of the bars: the highest end of an interval."""
        ends = [row.interval.high for row in self.rows if row.attempts]
        return max(ends, default=1.0) or 1.0


def shares(
    summary: Summary, tally: RunCounts, facts: RunFacts, chains: Sequence[SeenChain]
) -> tuple[Shares, ...]:
    """By address, by client, by chain; a dimension without rows is left out."""
    clients = facts.plan.clients
    return tuple(
        table
        for table in (
            _table("address", (_address(line) for line in summary.addresses)),
            _table(
                "client",
                (
                    _counted(
                        client.name, client.title, tally.clients.get(index, FailureCount(0, 0))
                    )
                    for index, client in enumerate(clients)
                ),
            ),
            _table("chain", map(_chain_row(tally, chains), summary.chains)),
        )
        if table.rows
    )


def _table(dimension: str, rows: Iterable[Share]) -> Shares:
    ordered = sorted(rows, key=lambda row: (-row.interval.low, -row.failures, -row.attempts))
    return Shares(dimension, tuple(ordered[:MOST_ROWS]), max(0, len(ordered) - MOST_ROWS))


def _address(line: AddressLine) -> Share:
    return Share(line.address, line.label or "", line.attempts, line.failures, line.interval)


def _counted(name: str, note: str, counted: FailureCount) -> Share:
    interval = clopper_pearson(counted.failures, counted.attempts)
    return Share(name, note, counted.attempts, counted.failures, interval)


def _chain_row(tally: RunCounts, chains: Sequence[SeenChain]) -> Callable[[ChainLine], Share]:
    failed = failures_by_chain(tally)
    numbers = {chain.sha256.hex(): chain.id for chain in chains}

    def row(line: ChainLine) -> Share:
        failures = failed.get(numbers.get(line.sha256, -1), 0)
        note = "; ".join(part for part in (line.subject, line.differs) if part)
        return _counted(line.sha256[:SHORT_HASH], note, FailureCount(line.seen, failures))

    return row


# Failures over time: the blocks of the cube, gathered into as many as an eye can tell apart.

MOST_WINDOWS = 90
MOST_SERIES = 4
"""Kinds of failure that are told apart; the rarest of more than these become `other`."""
OTHER = "other"


@dataclass(frozen=True, slots=True)
class TimeProfile:
    """Attempts and failures in windows of equal width, from the start of the run."""

    width_ns: int
    attempts: tuple[int, ...]
    """Attempts that say something about the target, by window."""
    failures: tuple[tuple[str, tuple[int, ...]], ...]
    """Name of an ending, and its failures by window; the most frequent first."""


def course(cube: Cube) -> TimeProfile:
    """Count attempts and failures by window of `due` time."""
    blocks: defaultdict[tuple[int, str], int] = defaultdict(int)
    for cell in cube.cells:
        blocks[cell.block, cell.outcome] += cell.count
    last = max((block for block, _ in blocks), default=-1)
    factor = max(0, last) // MOST_WINDOWS + 1
    windows = last // factor + 1
    attempts = [0] * windows
    failures: defaultdict[str, list[int]] = defaultdict(lambda: [0] * windows)
    for (block, outcome), count in blocks.items():
        side = side_of(outcome)
        if side in (Side.NOBODY, Side.TARGET):
            attempts[block // factor] += count
        if side is Side.TARGET:
            failures[outcome][block // factor] += count
    return TimeProfile(cube.block_ns * factor, tuple(attempts), _ranked(failures))


def _ranked(failures: dict[str, list[int]]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The most frequent endings by themselves, the rest as one."""
    totals = Counter({name: sum(counts) for name, counts in failures.items()})
    names = sorted(totals, key=lambda name: (-totals[name], name))
    if len(names) > MOST_SERIES:
        rare = [failures[name] for name in names[MOST_SERIES - 1 :]]
        names = [*names[: MOST_SERIES - 1], OTHER]
        failures = {**failures, OTHER: _summed(rare)}
    return tuple((name, tuple(failures[name])) for name in names)


def _summed(rows: Sequence[Sequence[int]]) -> list[int]:
    return [sum(column) for column in zip(*rows, strict=True)]


# Latency as curves: which duration is not exceeded by how many of the attempts.
#
# The axis is that of HdrHistogram's percentile plots: the distance between 90%, 99% and 99.9% is
# the same, because what hurts is in the tail. A curve ends where its data ends: of 1,000 values
# nothing can be said about 99.99%.

SHOWN = (Phase.CONNECT, Phase.SERVER, Phase.HANDSHAKE, Phase.TOTAL)
"""The phases that have a panel; our own lag stands in each."""
_POINTS = 160
_SHORTEST_MS = 0.001


@dataclass(frozen=True, slots=True)
class Curve:
    """One distribution: `nines` is -log10 of the share that takes longer (1 is 90%)."""

    count: int
    nines: tuple[float, ...]
    milliseconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One phase: good and failing attempts apart, and what this machine added. None: no data."""

    phase: Phase
    good: Curve | None
    failing: Curve | None
    lag: Curve | None


def panels(rows: Sequence[HistogramRow]) -> tuple[Panel, ...]:
    """A panel for each phase in which something was measured."""
    lag = curve(whole_run(rows, Phase.LAG))
    made = (
        Panel(
            phase,
            curve(whole_run(rows, phase)),
            curve(whole_run(rows, phase, good=False)),
            lag,
        )
        for phase in SHOWN
    )
    return tuple(panel for panel in made if panel.good or panel.failing)


def curve(histogram: Histogram | None) -> Curve | None:
    """The distribution in even steps of nines; None when nothing was recorded."""
    if histogram is None or not histogram.count:
        return None
    longest = log10(histogram.count)
    nines = [longest * step / _POINTS for step in range(_POINTS + 1)]
    percents = [100.0 * (1.0 - 10.0**-each) for each in nines]
    values = [*histogram.percentiles(percents), histogram.max]
    durations = [max(_SHORTEST_MS, (value or 0.0) / 1000.0) for value in values]
    return Curve(histogram.count, (*nines, longest), tuple(durations))
