"""The figures behind the page: failure rates by place, failures over time, latency as curves.

Rates are ordered by the lower end of their interval, so that an address with one failure in three
tries does not come before one with a thousand in ten thousand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from operator import attrgetter

from stress.analysis.latency import whole_run
from stress.analysis.proportions.binomial import clopper_pearson
from stress.analysis.proportions.estimate import effective, estimate
from stress.analysis.tally import RunCounts, by_block, parted
from stress.measure import Histogram
from stress.model.claims import FailureCount
from stress.model.outcome import Side, side_of
from stress.model.record import RecordTable
from stress.model.run import Cube, HistogramRow, Phase, RunFacts, SeenChain
from stress.model.summary import BackendLine, Interval, Summary

MOST_ROWS = 200
"""Rows of one table; what is left out is counted in words."""
SHORT_HASH = 12


@dataclass(frozen=True, slots=True)
class RateRow:
    """One row."""

    name: str
    note: str
    """More about it; may be empty."""
    attempts: int
    failures: int
    interval: Interval


@dataclass(frozen=True, slots=True)
class RateTable:
    """A table of one dimension."""

    dimension: str
    rows: tuple[RateRow, ...]
    left_out: int


def scale_of(rows: Sequence[RateRow | BackendLine]) -> float:
    """The rate at the right end of the bars: the highest end of an interval."""
    ends = [row.interval.high for row in rows if row.attempts]
    return max(ends, default=1.0) or 1.0


def shares(
    summary: Summary, tally: RunCounts, facts: RunFacts, chains: Sequence[SeenChain], cube: Cube
) -> tuple[RateTable, ...]:
    """By address, vantage, client and chain; a dimension without rows is left out.

    All intervals come from the one estimate that knows how failures cluster in time.
    """
    by_client, by_chain = (
        {value: estimate(Cube(cube.block_ns, cells), facts.end).interval for value, cells in found}
        for found in (
            parted(cube.cells, attrgetter("client")).items(),
            parted(cube.cells, attrgetter("chain")).items(),
        )
    )
    failed = tally.failures_by_chain()
    numbers = {chain.sha256.hex(): chain.id for chain in chains}
    rows = {
        "address": [
            RateRow(
                one.label or one.address,
                one.address if one.label else "",
                one.attempts,
                one.failures,
                one.interval,
            )
            for one in summary.addresses
        ],
        "vantage": [
            RateRow(one.name, one.host, one.attempts, one.failures, one.interval)
            for one in summary.vantages
        ],
        "client": [
            _counted(client.name, client.title, met.attempts, met.failures, by_client.get(index))
            for index, client in enumerate(facts.plan.clients)
            for met in (tally.clients.get(index, FailureCount(0, 0)),)
        ],
        "chain": [
            _counted(
                line.sha256[:SHORT_HASH],
                "; ".join(filter(None, (line.subject, line.differs))),
                line.seen,
                failed.get(numbers.get(line.sha256, -1), 0),
                by_chain.get(numbers.get(line.sha256)),
            )
            for line in summary.chains
        ],
    }
    return tuple(_rate_table(dimension, those) for dimension, those in rows.items() if those)


def column_rates(records: RecordTable) -> tuple[RateTable, ...]:
    """By each column of records that are not ours; those whose values differ most come first."""
    import numpy as np  # noqa: PLC0415 - heavy, and only needed here

    failed = np.frombuffer(records.outcomes, np.uint8) > 0
    weights = np.frombuffer(records.counts, np.int64) if records.counts else None
    failing = weights[failed] if weights is not None else None
    blocks = np.frombuffer(records.blocks, np.uint16)
    width = int(blocks.max(initial=0)) + 1
    tables = []
    for column in records.columns:
        codes, size = np.frombuffer(column.codes, np.uint8), len(column.values) + 1
        keys = codes.astype(np.int64) * width + blocks
        attempts, failures = (
            np.bincount(keys[rows], sizes, size * width).astype(np.int64).reshape(size, width)
            for rows, sizes in ((slice(None), weights), (failed, failing))
        )
        names = ("no value, or one that is not told apart", *column.values)
        rows = [
            RateRow(
                names[code],
                "",
                int(attempts[code].sum()),
                int(failures[code].sum()),
                effective(failures[code], attempts[code]).interval(planned=True),
            )
            for code in np.flatnonzero(attempts.any(axis=1)).tolist()
        ]
        tables.append(_rate_table(column.name, rows))
    tables.sort(key=lambda table: -table.rows[0].interval.low)
    return tuple(tables)


def _rate_table(dimension: str, rows: list[RateRow]) -> RateTable:
    rows.sort(key=lambda row: (-row.interval.low, -row.failures, -row.attempts))
    return RateTable(dimension, tuple(rows[:MOST_ROWS]), max(0, len(rows) - MOST_ROWS))


def _counted(
    name: str, note: str, attempts: int, failures: int, interval: Interval | None = None
) -> RateRow:
    exact = clopper_pearson(failures, attempts)
    return RateRow(name, note, attempts, failures, interval or exact)


# Failures over time: the blocks of the cube, gathered into as many as an eye can tell apart.

MOST_WINDOWS = 90
MOST_SERIES = 4
"""Kinds of failure that are drawn apart; the rarest of more than these become `other`."""
OTHER = "other"


@dataclass(frozen=True, slots=True)
class FailureHistory:
    """Attempts and failures in windows of equal width, from the first attempt on."""

    width_ns: int
    attempts: tuple[int, ...]
    """Attempts that say something about the target, by window."""
    failures: tuple[tuple[str, tuple[int, ...]], ...]
    """Name of an outcome, and its failures by window; the most frequent first."""
    begun: int = 0
    """Blocks of the cube before the first window: the starting up of the run."""


def failure_history(cube: Cube) -> FailureHistory:
    """Count attempts and failures by window of `due` time."""
    blocks = by_block(cube.cells, attrgetter("outcome"))
    first = min((block for block, _ in blocks), default=0)
    last = max((block for block, _ in blocks), default=-1) - first
    factor = max(0, last) // MOST_WINDOWS + 1
    windows = last // factor + 1
    attempts = [0] * windows
    failures: defaultdict[str, list[int]] = defaultdict(lambda: [0] * windows)
    for (block, outcome), count in blocks.items():
        side = side_of(outcome)
        if side in (Side.NOBODY, Side.TARGET):
            attempts[(block - first) // factor] += count
        if side is Side.TARGET:
            failures[outcome][(block - first) // factor] += count
    names = sorted(failures, key=lambda name: (-sum(failures[name]), name))
    if len(names) > MOST_SERIES:
        rare = [failures[name] for name in names[MOST_SERIES - 1 :]]
        names = [*names[: MOST_SERIES - 1], OTHER]
        failures[OTHER] = [sum(column) for column in zip(*rare, strict=True)]
    ranked = tuple((name, tuple(failures[name])) for name in names)
    return FailureHistory(cube.block_ns * factor, tuple(attempts), ranked, first)


# Latency as curves: which duration is not exceeded by how many of the attempts.
#
# The axis is that of HdrHistogram's percentile plots: the distance between 90%, 99% and 99.9% is
# the same, because what hurts is in the tail. A curve ends where its data ends: of 1,000 values
# nothing can be said about 99.99%.

SHOWN = (Phase.CONNECT, Phase.SERVER, Phase.HANDSHAKE, Phase.TOTAL)
"""The phases that have a panel; our own lag is in each."""
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
    made = []
    for phase in SHOWN:
        good, failing = (curve(whole_run(rows, phase, good=one)) for one in (True, False))
        made += [Panel(phase, good, failing, lag)] if good or failing else []
    return tuple(made)


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
