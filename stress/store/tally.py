"""Counts attempts while they pass: the cube, the spans, the ports and the latencies.

The writer counts what it writes; the reader counts what it finds uncounted, with the same class
over the same rows, so both agree by construction.

Everything is done a batch at a time and column by column, because the budget for a row is two
microseconds: a batch whose attempts are all counted alike and fall into one block is counted
whole, any other is split into groups for which that holds. It looks dense for that reason alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import compress, product
from operator import sub
from typing import NamedTuple

from stress.measure import Histogram, Packed
from stress.model.run import Phase
from stress.store.catalog import FAILURES, Treatment
from stress.store.schema import FIRST_BLOCK_NS

# Latencies of a run: one histogram for each phase, ending and block of time.
#
# Attempts end nearly in the order of their due times, so only the newest blocks are counted in open
# histograms; older ones rest packed (some kilobytes each) and are opened again when a straggler
# comes. That keeps the memory of a run flat. The whole run is the sum of its blocks.

LATENCY_MOST_BLOCKS = 64
"""Blocks that have histograms; where there would be more, their width doubles."""
_OPEN_BLOCKS = 2
WHOLE_RUN = -1
"""The block number that stands for the whole run."""

Durations = Sequence[int | None]


class HistogramKey(NamedTuple):
    """What a histogram counts."""

    phase: Phase
    good: bool
    block: int


class Latency:
    """Counts durations by phase, ending and block."""

    def __init__(self) -> None:
        self.block_ns = FIRST_BLOCK_NS
        self._open: dict[HistogramKey, Histogram] = {}
        self._resting: dict[HistogramKey, Packed] = {}
        self._newest = 0

    def block_of(self, due_ns: int) -> int:
        """The block of a due time (from the start of the run); widens the blocks to fit it."""
        block = max(0, due_ns) // self.block_ns
        while block >= LATENCY_MOST_BLOCKS:
            self._widen()
            block = max(0, due_ns) // self.block_ns
        return block

    def add(self, phase: Phase, durations_ns: Durations, *, good: bool, block: int) -> None:
        """Count durations of one phase; None is skipped."""
        if block > self._newest:
            self._newest = block
            self._rest()
        self._at(HistogramKey(phase, good, block)).record_many(durations_ns)

    def blocks(self) -> Iterator[tuple[HistogramKey, Histogram]]:
        """The histograms of all blocks, in no order; those that rest stay at rest."""
        yield from self._open.items()
        for key, packed in self._resting.items():
            yield key, Histogram.unpack(packed)

    def whole(self) -> dict[HistogramKey, Histogram]:
        """The histograms of the whole run, also the empty ones."""
        sums = {
            HistogramKey(phase, good, WHOLE_RUN): Histogram()
            for phase in Phase
            for good in (True, False)
        }
        for key, histogram in self.blocks():
            sums[key._replace(block=WHOLE_RUN)].merge(histogram)
        return sums

    def _at(self, key: HistogramKey) -> Histogram:
        histogram = self._open.get(key)
        if histogram is None:
            resting = self._resting.pop(key, None)
            histogram = Histogram() if resting is None else Histogram.unpack(resting)
            self._open[key] = histogram
        return histogram

    def _rest(self) -> None:
        """Put to rest what is older than the newest blocks."""
        for key in [key for key in self._open if key.block <= self._newest - _OPEN_BLOCKS]:
            self._resting[key] = self._open.pop(key).pack()

    def _widen(self) -> None:
        """Double the width of the blocks and merge their histograms by pairs.

        Each pair comes to rest before the next is opened: all at once would take more memory
        than the whole run does otherwise.
        """
        self.block_ns *= 2
        self._newest //= 2
        for block in sorted({key.block for key in (*self._open, *self._resting)}):
            for phase, good in product(Phase, (True, False)):
                self._move(HistogramKey(phase, good, block), HistogramKey(phase, good, block // 2))
            self._rest()

    def _move(self, old: HistogramKey, new: HistogramKey) -> None:
        if old != new and (old in self._open or old in self._resting):
            histogram = self._at(old)
            del self._open[old]
            self._at(new).merge(histogram)


NEVER = 1 << 63
"""Later than any start."""
MOST_BLOCKS = 1000
"""Time blocks of the cube; where there would be more, their width doubles."""

Row = tuple[
    int, int, int, int, int, int | None, int | None, int | None, int | None, int, int | None, int
]
"""One row of the table `attempt`: the fields of `Columns`. A plain tuple, made by the million."""


class Columns(NamedTuple):
    """Rows of the table `attempt`, turned round."""

    arrival: Sequence[int]
    lead: Sequence[int]
    attempt_group: Sequence[int]
    due: Sequence[int]
    late: Sequence[int]
    port: Sequence[int | None]
    connect: Sequence[int | None]
    server: Sequence[int | None]
    handshake: Sequence[int | None]
    total: Sequence[int]
    lag: Sequence[int | None]
    bytes: Sequence[int]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Columns:
        """Turn rows round. At least one is needed."""
        return cls._make(zip(*rows, strict=True))

    def rows(self) -> list[Row]:
        """Turn them back."""
        return list(zip(*self, strict=True))

    def where(self, chosen: Sequence[bool]) -> Columns:
        """The rows that are chosen."""
        return Columns._make(list(compress(column, chosen)) for column in self)


class Tally:
    """Counts rows.

    Args:
        treatments: how attempts are counted, by group; may grow meanwhile.
        block_ns: width of the cube's blocks to begin with.
    """

    def __init__(self, treatments: Sequence[Treatment], *, block_ns: int = FIRST_BLOCK_NS) -> None:
        self._treatments = treatments
        self.block_ns = block_ns
        """Width of the cube's blocks; only ever doubles."""
        self.cells: Counter[tuple[int, int]] = Counter()
        """Attempts by block and group. Whoever stores them clears them."""
        self.first: list[int] = []
        """Earliest start by group, from the start of the run; `NEVER` before the first."""
        self.last: list[int] = []
        """Latest start by group."""
        self.ports: Counter[int] = Counter()
        """Attempts by local port, without those that say nothing about the target."""
        self.failed_ports: Counter[int] = Counter()
        """Failures of the target by local port."""
        self.latency = Latency()

    def add(self, columns: Columns) -> None:
        """Count a batch of at least one row."""
        self._count_cells(columns)
        self._count_spans(columns)
        for block, part in self._blocks(columns):
            for treatment, group in self._kinds(part):
                self._count_ports(treatment, group)
                self._count_latency(treatment, block, group)

    def _count_cells(self, columns: Columns) -> None:
        earliest, latest = (max(0, due) for due in (min(columns.due), max(columns.due)))
        while latest // self.block_ns >= MOST_BLOCKS:
            self._widen()
        width, cells = self.block_ns, self.cells
        if earliest // width == latest // width:
            block = latest // width
            for group, count in Counter(columns.attempt_group).items():
                cells[block, group] += count
        else:
            blocks = [max(0, due) // width for due in columns.due]
            cells.update(zip(blocks, columns.attempt_group, strict=True))

    def _widen(self) -> None:
        cells: Counter[tuple[int, int]] = Counter()
        for (block, group), count in self.cells.items():
            cells[block // 2, group] += count
        self.cells = cells
        self.block_ns *= 2

    def _count_spans(self, columns: Columns) -> None:
        first, last = self.first, self.last
        missing = len(self._treatments) - len(first)
        first.extend([NEVER] * missing)
        last.extend([-NEVER] * missing)
        for group, due, late in zip(columns.attempt_group, columns.due, columns.late, strict=True):
            start = due + late
            last[group] = max(last[group], start)
            first[group] = min(first[group], start)

    def _blocks(self, columns: Columns) -> Iterator[tuple[int, Columns]]:
        """The batch by blocks of latency: nearly always one."""
        block_of = self.latency.block_of
        latest = block_of(max(columns.due))
        if block_of(min(columns.due)) == latest:
            yield latest, columns
            return
        blocks = list(map(block_of, columns.due))
        for block in set(blocks):
            yield block, columns.where([other == block for other in blocks])

    def _kinds(self, columns: Columns) -> Iterator[tuple[Treatment, Columns]]:
        """A part of a batch by treatments."""
        treatments = self._treatments
        kinds = {group: treatments[group] for group in set(columns.attempt_group)}
        present = set(kinds.values())
        if len(present) == 1:
            yield present.pop(), columns
            return
        by_row = [kinds[group] for group in columns.attempt_group]
        for kind in present:
            yield kind, columns.where([other is kind for other in by_row])

    def _count_ports(self, treatment: Treatment, group: Columns) -> None:
        if treatment in {Treatment.LEFT_OUT, Treatment.WAITED}:
            return
        ports = [port for port in group.port if port is not None]
        self.ports.update(ports)
        if treatment in FAILURES:
            self.failed_ports.update(ports)

    def _count_latency(self, treatment: Treatment, block: int, group: Columns) -> None:
        add = self.latency.add
        if treatment is Treatment.WAITED:
            add(Phase.TOTAL, group.total, good=False, block=block)
        elif treatment in {Treatment.GOOD, Treatment.FAILED}:
            good = treatment is Treatment.GOOD
            add(Phase.CONNECT, group.connect, good=good, block=block)
            add(Phase.SERVER, group.server, good=good, block=block)
            add(Phase.HANDSHAKE, group.handshake, good=good, block=block)
            add(Phase.TOTAL, group.total, good=good, block=block)
            attempt = list(map(sub, group.total, group.late))
            add(Phase.ATTEMPT, attempt, good=good, block=block)
            add(Phase.LAG, group.lag, good=good, block=block)
