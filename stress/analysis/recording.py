"""A recorded run, read once into what the search for causes needs.

Imported late: it needs numpy.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from operator import attrgetter
from statistics import fmean
from typing import Any, TypeAlias

import numpy as np

from stress.analysis.backends import comparable, met
from stress.analysis.causes.changes import series, time_profile
from stress.analysis.causes.table import Reading, Table, tabulate
from stress.analysis.dimensions import readings
from stress.analysis.tally import counted_by
from stress.analysis.verdict import NANOSECONDS
from stress.model.attributes import Dimension
from stress.model.chain import Verdict
from stress.model.limit import Limit
from stress.model.plan import Address, Load
from stress.model.record import Record
from stress.model.run import (
    CELL_FIELDS,
    CELL_OTHERS,
    MOST_BLOCKS,
    Cell,
    Cube,
    PortCount,
    Run,
    RunFacts,
    SeenChain,
)
from stress.text.datetimes import time_of_day

FEWEST_LEVELS, MOST_LEVELS = 3, 8
"""Levels of the offered rate between which thresholds are looked for."""
SAMPLE = 5_000
"""Failures whose start indices are looked at one by one."""
MOST_TIMED = 50_000
"""Good attempts whose durations are looked at one by one."""
MOST_MOMENTS = 2_000
BEGUN = 0.1
"""A burst has begun once this part of its failure rate is reached; a stray failure is none."""

Moment: TypeAlias = tuple[int, int]
"""A time block and a load segment in it: segments come one after the other, so these do too."""
_moment_of: Callable[[Cell], Moment] = attrgetter("block", "segment")


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A run as the search reads it."""

    facts: RunFacts
    table: Table
    cube: Cube
    chains: Mapping[int, SeenChain] = field(default_factory=dict)
    addresses: tuple[Address, ...] = ()
    ports: tuple[PortCount, ...] = ()
    failing: tuple[Record, ...] = ()
    """A sample of the failures, by id."""
    good: tuple[Record, ...] = ()
    """A sample of the good attempts."""
    verdicts: tuple[Verdict, ...] = ()
    by_load: bool = False
    """The load decides: it was varied at random and failures follow it, or a search for the limit
    chose it. Then a rate may be a cause, and times are not: they only say when it was high."""
    owed: int = 0
    """Attempts counted at an earlier, higher rate: the target had not recovered from it yet."""

    @property
    def block_ns(self) -> int:
        """Length of a time block."""
        return self.cube.block_ns

    def moment(self, block: int) -> str:
        """The time of day at which a block begins, UTC."""
        return time_of_day(self.facts.started_ns + block * self.block_ns, self.facts.started_ns)


def record(run: Run, keep: Collection[str] | None = None) -> Recording:
    """Reads a run into columns.

    Args:
        run: what was recorded.
        keep: of records that are not ours, the dimensions to keep; None: whatever may explain
            a failure.
    """
    facts, addresses = run.facts(), tuple(run.addresses())
    servers = met(run.cube(), facts)
    cube = servers.cube
    chains = {chain.id: chain for chain in run.chains()}
    if cube.records is None:
        table = tabulate(cube.cells, _readings(facts, chains, addresses, cube))
        table = comparable(table, servers)
    else:
        from stress.analysis.causes.screening import tabulate_records  # noqa: PLC0415 - only here

        table = tabulate_records(cube.records, keep)
    return Recording(
        facts,
        table,
        cube,
        chains,
        addresses,
        tuple(run.ports()),
        tuple(run.failures(SAMPLE)),
        tuple(run.good(MOST_TIMED)),
        tuple(run.verdicts()),
    )


def timed_table(recording: Recording, rows: Sequence[Record]) -> Table:
    """These attempts, each a row of its own in the same order, by what a cause may be told in."""
    numbers = {chain.sha256: number for number, chain in recording.chains.items()}
    begun, block_ns = recording.facts.started_ns, recording.block_ns
    cells = []
    for one in rows:
        known: Any = {name: getattr(one, name) for name in CELL_FIELDS}
        known["chain"] = numbers.get(one.chain) if one.chain else None
        others = tuple(getattr(one, name) for name in CELL_OTHERS)
        # A file from elsewhere may say that a block is shorter than it can be.
        block = min(max(0, one.due_ns - begun) // block_ns, MOST_BLOCKS - 1)
        cells.append(Cell(block, count=1, others=others, **known))
    own = _readings(recording.facts, recording.chains, recording.addresses, recording.cube)
    return tabulate(cells, own)


def reread_by_load(recording: Recording) -> Recording:
    """The same run where the load decides: a backlog counts at the rate that caused it."""
    facts, was = recording.facts, recording.cube
    now = with_backlog(was)
    pairs = zip(was.cells, now.cells, strict=True)
    owed = sum(after.count for before, after in pairs if before.segment != after.segment)
    readings = _readings(facts, recording.chains, recording.addresses, was)
    return replace(recording, table=tabulate(now.cells, readings), by_load=True, owed=owed)


def segment_rates(load: Load, cube: Cube, limits: Sequence[Limit] = ()) -> Mapping[int, float]:
    """Attempts due a second in each load segment: as planned or searched, else as counted.

    Where the number in flight was searched for, it stands for the rate.
    """
    planned = {n: one.rate for n, one in enumerate(load.segments) if one.to in {None, one.rate}}
    counted = offered_rates(cube.cells, cube.block_ns)
    # What a search offered in each of its segments; the last may be incomplete.
    tried = [step.rate for limit in limits for step in limit.steps for _ in range(step.tries)]
    if len(tried) in {len(counted) - 1, len(counted)}:
        planned |= dict(enumerate(tried))
    return {segment: planned.get(segment, rate) for segment, rate in counted.items()}


def offered_rates(cells: Iterable[Cell], block_ns: int) -> Mapping[int, float]:
    """Attempts due a second in each load segment, from the blocks that no other segment shares.

    A segment shares its first and last block with its neighbours; those are used only where it has
    no block of its own.
    """
    due: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for cell in cells:
        due[cell.block][cell.segment] += cell.count
    own: defaultdict[int, list[int]] = defaultdict(list)
    shared: defaultdict[int, list[int]] = defaultdict(list)
    for segments in due.values():
        for segment, count in segments.items():
            (own if len(segments) == 1 else shared)[segment].append(count)
    seconds, counts = block_ns / NANOSECONDS, {**shared, **own}
    return {segment: fmean(counts[segment]) / seconds for segment in sorted(counts)}


def _readings(
    facts: RunFacts, chains: Mapping[int, SeenChain], addresses: Sequence[Address], cube: Cube
) -> list[Reading]:
    """How each dimension of the contract comes out of a cell.

    The offered load is read as a level, and from each threshold on. Of a search only the limit that
    it found: its steps crowd around that, and between two of them anything can happen once.
    """
    found = readings(facts.plan, addresses, chains)
    rates = segment_rates(facts.plan.load, cube, facts.limits)
    for one in facts.limits:
        if failing := one.first_failing:
            # Nothing was tried close to the edge.
            edge = sqrt((one.sustained or failing) * failing)
            found.append(_threshold(rates, edge, f"{failing:.0f}{one.knob.unit}"))
    if facts.limits:
        return found
    # Two significant digits, so that repeats of one level are one value.
    levels = {number: float(f"{rate:.2g}") for number, rate in rates.items()}
    found.append(_of_segments({number: f"{level:g}/s" for number, level in levels.items()}))
    distinct = sorted(set(levels.values()))
    if FEWEST_LEVELS <= len(distinct) <= MOST_LEVELS:
        # What fails at a rate fails above it, too.
        found += [_threshold(levels, level, f"{level:g}/s") for level in distinct[1:-1]]
    return found


def _threshold(loads: Mapping[int, float], least: float, named: str) -> Reading:
    """A load from which on something may fail."""
    words = {True: f"{named} or more", False: f"less than {named}"}
    return _of_segments({number: words[load >= least] for number, load in loads.items()})


def _of_segments(texts: Mapping[Hashable, str]) -> Reading:
    return Reading(Dimension.RATE, "segment", texts.get)


def with_backlog(cube: Cube) -> Cube:
    """The same attempts, each in the segment in which the failures around it began.

    A queue outlives the burst of load that filled it. Attempts at a low rate right after a high one
    are served late, and would count as failures at a low rate. So failures that go on without a
    break belong to the segment in which they began, and so do the good attempts among them.

    Subtle: this looks at when failures began and not at the rates, so failures that do not follow
    the rate begin in any segment, and nothing is made to follow the load by it (simulated in
    `benchmarks/simulate.py`).
    """
    counts = counted_by(cube.cells, _moment_of)
    if len({segment for _, segment in counts}) < 2:
        return cube
    moments = sorted(counts)
    attempts = np.asarray([counts[moment].attempts for moment in moments], dtype=np.int64)
    failures = np.asarray([counts[moment].failures for moment in moments], dtype=np.int64)
    found = time_profile(series(np.arange(len(moments)), attempts, failures, MOST_MOMENTS))
    # The segment in which it began, for each moment that still fails from an earlier one.
    began: dict[Moment, int] = {}
    for place in found.hot:
        piece = found.pieces[place]
        # The first moment of the burst in which it really fails.
        inside = slice(piece.begin, piece.end)
        failing = failures[inside] > BEGUN * piece.share * attempts[inside]
        first = piece.begin + int(failing.argmax())
        _, segment = moments[first]
        began |= {one: segment for one in moments[first : piece.end] if one[1] != segment}
    if not began:
        return cube
    # Most cells of a run are in no burst; only those that are get copied.
    cells = tuple(
        cell._replace(segment=began[moment]) if (moment := _moment_of(cell)) in began else cell
        for cell in cube.cells
    )
    return replace(cube, cells=cells)
