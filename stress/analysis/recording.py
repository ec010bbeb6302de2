"""A recorded run, read once into what the search for causes needs.

Imported late: it needs numpy.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import exp, log, sqrt
from operator import attrgetter
from statistics import fmean
from typing import Any, TypeAlias, TypeVar

import numpy as np

from stress.analysis.backends import comparable, met
from stress.analysis.causes.changes import series, time_profile
from stress.analysis.causes.table import UNKNOWN, Column, Reading, Table, Text, tabulate
from stress.analysis.chains import issuer, leaf_text, short
from stress.analysis.proportions.binomial import Floats, Integers
from stress.analysis.tally import by_block
from stress.analysis.verdict import NANOSECONDS
from stress.codes.names import NAMES
from stress.model.attributes import SHARED, Attribute, Dimension, Form
from stress.model.chain import Verdict
from stress.model.limit import Limit
from stress.model.outcome import Side, side_of
from stress.model.plan import Address, Load
from stress.model.record import Flag, Record
from stress.model.run import (
    CELL_FIELDS,
    CELL_OTHERS,
    MOST_BLOCKS,
    MOST_GOOD,
    Cell,
    Cells,
    Cube,
    PortCount,
    Run,
    RunFacts,
    SeenChain,
)
from stress.text.escape import printable
from stress.text.units import time_of_day

FEWEST_LEVELS, MOST_LEVELS = 3, 8
"""Levels of the offered rate between which thresholds are looked for."""
SAMPLE = 5_000
"""Failures whose start indices are looked at one by one."""
MOST_MOMENTS = 2_000
BEGUN = 0.1
"""A burst has begun once this part of its failure rate is reached; a stray failure is none."""

# Modes: the peaks of a distribution that has several.
WIDTH = log(1.05)
"""Of the bins in which times are counted, on a logarithmic scale."""
KERNEL = tuple(exp(-(step * step) / 8.0) for step in range(-6, 7))
"""By which the counts are smoothed: a Gaussian of two bins."""
VALLEY = 0.25
"""Between two modes so small a part of the lower one is left."""
FEWEST_TIMED, LEAST_MODE, FEWEST_OF_MODE = 100, 0.05, 20
"""Times in all; the least part of them that is a mode, and the fewest."""
APART_US = 1_000
"""Modes are as far apart: less is the work of our own event loop."""
RETRIED_US = 900_000
"""What connects later does so after its SYN was lost (see `stress.analysis.latency.STEPS_S`)."""

Moment: TypeAlias = tuple[int, int]
"""A time block and a load segment in it: segments come one after the other, so these do too."""


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


def record(run: Run) -> Recording:
    """Reads a run into what the search needs."""
    return Recording(
        run.facts(),
        table_of(run),
        run.cube(),
        {chain.id: chain for chain in run.chains()},
        tuple(run.addresses()),
        tuple(run.ports()),
        tuple(run.failures(SAMPLE)),
        tuple(run.good(MOST_GOOD)),
        tuple(run.verdicts()),
    )


def table_of(run: Run, keep: Collection[str] | None = None) -> Table:
    """The attempts of a run by columns.

    Args:
        run: what was recorded.
        keep: of records that are not ours, the dimensions to keep; None: whatever may explain
            a failure.
    """
    cube, facts = run.cube(), run.facts()
    if cube.records is None:
        chains = {chain.id: chain for chain in run.chains()}
        table = tabulate(cube.cells, _readings(facts, chains, tuple(run.addresses()), cube))
        return comparable(table, met(cube, facts))
    from stress.analysis.causes.screening import tabulate_records  # noqa: PLC0415 - only here

    return tabulate_records(cube.records, keep)


def timed_table(recording: Recording, rows: Sequence[Record]) -> Table:
    """These attempts, each a row of its own in the same order, by what a cause may be told in."""
    numbers: dict[object, int] = {one.sha256: number for number, one in recording.chains.items()}
    begun, block_ns = recording.facts.started_ns, recording.block_ns
    of_cell, others = attrgetter(*CELL_FIELDS), attrgetter(*CELL_OTHERS)
    chain, cells = CELL_FIELDS.index("chain"), []
    for one in rows:
        known = list(of_cell(one))
        known[chain] = numbers.get(known[chain])
        # A file from elsewhere may say that a block is shorter than it can be.
        block = min(max(0, one.due_ns - begun) // block_ns, MOST_BLOCKS - 1)
        cells.append(Cell._make((block, *known, 1, others(one))))
    own = _readings(recording.facts, recording.chains, recording.addresses, recording.cube)
    return tabulate(cells, own)


def with_connect_modes(recording: Recording) -> Recording | None:
    """The same run, each attempt by itself, with the mode of its time to connect as a dimension.

    Connecting takes a round trip, and is over before TLS can fail. So where it takes one of several
    times, these are several distances. None: they are not; or not all attempts are known.
    """
    rows, facts = (*recording.failing, *recording.good), recording.facts
    whole = len(rows) == int(recording.table.counts.sum())
    # Through a proxy it is the distance of the proxy.
    if not whole or recording.by_load or facts.records is not None or facts.plan.proxy:
        return None
    ours = Flag.LOCAL_PRESSURE
    took = [
        np.nan
        if one.connect_ns is None or one.tcp_retransmits or one.flags & ours
        # As a float, so that nothing is shorter than what is counted.
        else max(1.0, one.connect_ns / 1e3)
        for one in rows
    ]
    codes, values = modes(np.asarray(took))
    if len(values) < 2:
        return None
    table = comparable(timed_table(recording, rows), met(recording.cube, facts))
    column = Column(Dimension.CONNECT_MODE, codes, values)
    return replace(recording, table=replace(table, columns=(*table.columns, column)))


def modes(took_us: Floats) -> tuple[Integers, tuple[str, ...]]:
    """The mode of each time, or -1, and what people read for each mode, shortest first.

    Args:
        took_us: microseconds, one at least; NaN where it is not known.
    """
    codes = np.full(len(took_us), UNKNOWN, dtype=np.int64)
    known = np.flatnonzero(took_us < RETRIED_US)
    if len(known) < FEWEST_TIMED:
        return codes, ()
    places = (np.log(took_us[known]) / WIDTH).astype(np.int64) + len(KERNEL)
    heights = np.convolve(np.bincount(places, minlength=2 * len(KERNEL)), KERNEL, mode="same")
    edges = [0, *valleys(heights, 0, len(heights)), len(heights) + len(KERNEL)]
    medians: list[float] = []
    for begin, end in pairwise(edges):
        mine = known[(places >= begin) & (places < end)]
        if len(mine) < max(FEWEST_OF_MODE, LEAST_MODE * len(known)):
            continue
        median = float(np.median(took_us[mine]))
        if not medians or median - medians[-1] >= APART_US:
            medians.append(median)
        codes[mine] = len(medians) - 1
    return codes, tuple(f"about {float(f'{one / 1e3:.2g}'):g} ms" for one in medians)


def valleys(heights: Floats, begin: int, end: int) -> list[int]:
    """Where the modes in this part of a smooth histogram are cut from each other."""
    part = heights[begin:end]
    left, right = np.maximum.accumulate(part), np.maximum.accumulate(part[::-1])[::-1]
    lower = np.minimum(left, right)
    depths = np.divide(part, lower, out=np.ones_like(part), where=lower > 0)
    cut = begin + int(depths.argmin())
    if depths.min() >= VALLEY:
        return []
    return [*valleys(heights, begin, cut), cut, *valleys(heights, cut, end)]


def reread_by_load(recording: Recording) -> Recording:
    """The same run where the load decides: a backlog counts at the rate that caused it."""
    facts, was = recording.facts, recording.cube
    now = with_backlog(was)
    before, after = Cells.of_cells(was.cells), Cells.of_cells(now.cells)
    owed = int(np.asarray(before.counts)[_segments(before) != _segments(after)].sum())
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
    for (block, segment), count in by_block(cells, attrgetter("segment")).items():
        due[block][segment] += count
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
    found = readings(facts, addresses, chains)
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
    tried, failed = Counter[Moment](), Counter[Moment]()
    keyed = by_block(cube.cells, lambda cell: (cell.segment, side_of(cell.outcome)))
    for (block, (segment, side)), count in keyed.items():
        if side in {Side.NOBODY, Side.TARGET}:
            tried[block, segment] += count
            failed[block, segment] += count if side is Side.TARGET else 0
    if len({segment for _, segment in tried}) < 2:
        return cube
    moments = sorted(tried)
    attempts, failures = (
        np.asarray([counted[moment] for moment in moments], dtype=np.int64)
        for counted in (tried, failed)
    )
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
    return replace(cube, cells=_moved(Cells.of_cells(cube.cells), began))


def _moved(cells: Cells, began: Mapping[Moment, int]) -> Cells:
    """The same cells, those of some moments in another segment."""
    blocks, segments, of = np.asarray(cells.blocks), _segments(cells), np.array(cells.of)
    kinds, numbers = list(cells.kinds), dict[tuple[int, int], int]()
    for (block, segment), first in began.items():
        rows = np.flatnonzero((blocks == block) & (segments == segment))
        for kind in np.unique(of[rows]).tolist():
            number = numbers.setdefault((kind, first), len(kinds))
            if number == len(kinds):
                kinds.append(kinds[kind]._replace(segment=first))
            of[rows[of[rows] == kind]] = number
    return Cells(kinds, cells.blocks, array("q", of.tobytes()), cells.counts)


def _segments(cells: Cells) -> Integers:
    """The load segment of each cell."""
    segments: Integers = np.asarray([kind.segment for kind in cells.kinds], dtype=np.int64)
    return segments[np.asarray(cells.of)] if len(cells) else segments


# How the values of attributes read in each dimension. "Not reached" is never a value, else every
# failure would be explained by not having come further.

_T = TypeVar("_T")


def readings(
    facts: RunFacts, addresses: Sequence[Address], chains: Mapping[int, SeenChain]
) -> list[Reading]:
    """For each dimension the attribute that it is made of, and how a value of that reads.

    A dimension that is not here (`rate`) depends on more than the value of one attribute. A vantage
    is a machine where the runs of several were merged, else one of our own addresses (`--source`).
    """

    def of(things: Mapping[int, _T], text: Callable[[_T], str | None]) -> Text:
        # A damaged file may name a thing that is not there.
        def read(number: Any) -> str | None:
            return text(things[number]) if number in things else None

        return read

    plan, vantages = facts.plan, dict(enumerate(facts.vantages))
    name, at = plan.server_name or "none", dict(enumerate(addresses))
    clients, sources = dict(enumerate(plan.clients)), dict(enumerate(plan.sources))
    own: dict[Dimension, Text] = {
        Dimension.ADDRESS: lambda index: of(at, str)(index) or f"#{index}",
        Dimension.LABEL: of(at, lambda address: address.label),
        Dimension.FAMILY: of(at, lambda address: address.family),
        Dimension.CLIENT: of(clients, lambda client: client.name),
        Dimension.SNI: of(clients, lambda client: name if client.server_name else "none"),
        Dimension.VANTAGE: of(vantages, lambda vantage: printable(vantage.name))
        if vantages
        else of(sources, str),
        Dimension.CHAIN: of(chains, short),
        Dimension.LEAF: of(chains, leaf_text),
        Dimension.ISSUER: of(chains, issuer),
    }
    other = "source" if vantages else "vantage"
    return [
        Reading(dimension, attribute.name, own.get(dimension) or _text(attribute))
        for attribute in SHARED
        for dimension in attribute.dimensions
        if dimension is not Dimension.RATE and attribute.name != other
    ]


def _text(attribute: Attribute) -> Text:
    """How the values of an attribute read when it is a dimension by itself."""
    if attribute.form is Form.NAMED:
        name: Any = NAMES[attribute.name]
        return name  # type: ignore[no-any-return]  # it takes the numbers of this attribute
    if attribute.form is Form.FLAG:
        return lambda flag: "yes" if flag is True else "no"
    return lambda value: printable(str(value))
