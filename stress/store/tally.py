"""Count attempts as they pass: the cube, first and last starts, ports and latencies.

The writer counts what it writes; the reader counts what it finds uncounted, with the same class
over the same rows, so both agree by construction.

Everything is done a batch at a time and column by column, because the budget for a row is two
microseconds. A batch whose attempts are all counted alike and fall into one block is counted whole;
any other is split into parts for which that holds. The code is dense for that reason alone.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import compress, product
from operator import itemgetter, sub
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias, get_args, get_type_hints

from msgspec import Meta

from stress.measure import Histogram, Packed
from stress.model.attributes import SHARED, Form
from stress.model.outcome import Stage
from stress.model.run import CELL_FIELDS, CELL_OTHERS, MOST_BLOCKS, Cell, Cells, Phase
from stress.store.catalog import FAILURES, GROUP_FIELDS, Treatment
from stress.store.opening import (
    BATCH,
    Bit,
    Moment,
    Port,
    Span,
    Text,
    Whole,
    Width,
    check_numbers,
    checked,
    fetch,
    fetch_all,
)
from stress.store.schema import FIRST_BLOCK_NS, naming

LATENCY_MOST_BLOCKS = 64
"""Blocks that have histograms; where there would be more, their width doubles."""
_OPEN_BLOCKS = 2
_WORTH_ARRAYS = 5_000
"""Rows of a batch from which on numpy counts faster."""
WHOLE_RUN = -1
"""The block number that stands for the whole run."""

Durations = Sequence[int | None]


class HistogramKey(NamedTuple):
    """What a histogram counts."""

    phase: Phase
    good: bool
    block: int


class Latency:
    """Counts durations by phase, outcome and time block.

    Attempts end nearly in the order of their due times, so only the newest blocks have open
    histograms. Older ones are packed (some kilobytes each) and unpacked again for a late attempt,
    which keeps the memory of a run flat. The whole run is the sum of its blocks.
    """

    def __init__(self) -> None:
        self.block_ns = FIRST_BLOCK_NS
        self._open: dict[HistogramKey, Histogram] = {}
        self._packed: dict[HistogramKey, Packed] = {}
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
            self._pack()
        self._at(HistogramKey(phase, good, block)).record_many(durations_ns)

    def blocks(self) -> Iterator[tuple[HistogramKey, Histogram]]:
        """The histograms of all blocks, in no order; packed ones stay packed."""
        yield from self._open.items()
        for key, packed in self._packed.items():
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
            packed = self._packed.pop(key, None)
            histogram = Histogram() if packed is None else Histogram.unpack(packed)
            self._open[key] = histogram
        return histogram

    def _pack(self) -> None:
        """Pack what is older than the newest blocks."""
        for key in [key for key in self._open if key.block <= self._newest - _OPEN_BLOCKS]:
            self._packed[key] = self._open.pop(key).pack()

    def _widen(self) -> None:
        """Double the width of the blocks and merge their histograms by pairs.

        Each pair is packed before the next is opened: all at once would take more memory than the
        whole run does otherwise.
        """
        self.block_ns *= 2
        self._newest //= 2
        for block in sorted({key.block for key in (*self._open, *self._packed)}):
            for phase, good in product(Phase, (True, False)):
                old = HistogramKey(phase, good, block)
                if block and (old in self._open or old in self._packed):
                    histogram = self._at(old)
                    del self._open[old]
                    self._at(HistogramKey(phase, good, block // 2)).merge(histogram)
            self._pack()


_COUNTED = ("late", "port", "connect", "server", "handshake", "total", "lag")
"""Columns that are counted beside block and group."""
NEVER = 1 << 63
"""Later than any start."""


class Columns(NamedTuple):
    """Rows of the table `attempt`, transposed: by the million, so they are plain tuples.

    The types are also what a value in a file is checked for.
    """

    arrival: Sequence[Whole]
    lead: Sequence[Span]
    attempt_group: Sequence[Whole]
    due: Sequence[Span]
    late: Sequence[Span]
    port: Sequence[Port | None]
    connect: Sequence[Span | None]
    server: Sequence[Span | None]
    handshake: Sequence[Span | None]
    total: Sequence[Span]
    lag: Sequence[Span | None]
    bytes: Sequence[Whole]

    @classmethod
    def of(cls, rows: Sequence[tuple[Any, ...]]) -> Columns:
        """Transpose rows. At least one is needed."""
        return cls._make(zip(*rows, strict=True))

    def rows(self) -> list[tuple[Any, ...]]:
        """Transpose them back."""
        return list(zip(*self, strict=True))

    def where(self, chosen: Sequence[bool]) -> Columns:
        """The rows that are chosen."""
        return Columns._make(list(compress(column, chosen)) for column in self)


_TYPES = get_type_hints(Columns, include_extras=True).values()
_ATTEMPT_ROW: Any = GenericAlias(tuple, tuple(get_args(kind)[0] for kind in _TYPES))


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
        """Attempts by block and group. The writer clears it when it has stored them."""
        self.first: list[int] = []
        """Earliest start by group, from the start of the run; `NEVER` before the first."""
        self.last: list[int] = []
        """Latest start by group."""
        self.ports: Counter[int] = Counter()
        """Attempts by local port, without ours and not-sent."""
        self.failed_ports: Counter[int] = Counter()
        """Failures of the target by local port."""
        self.latency = Latency()

    def add(self, columns: Columns) -> None:
        """Count a batch of at least one row; a large one is counted by numpy, with one result."""
        if len(columns.due) >= _WORTH_ARRAYS:
            self._add_arrays(columns)
            return
        dues = [max(0, due) for due in columns.due]
        while max(dues) // self.block_ns >= MOST_BLOCKS:
            self._widen()
        blocks = [due // self.block_ns for due in dues]
        self.cells.update(zip(blocks, columns.attempt_group, strict=True))
        first, last = self.first, self.last
        missing = len(self._treatments) - len(first)
        first.extend([NEVER] * missing)
        last.extend([-NEVER] * missing)
        for group, due, late in zip(columns.attempt_group, columns.due, columns.late, strict=True):
            start = due + late
            last[group] = max(last[group], start)
            first[group] = min(first[group], start)
        for (block, treatment), rows in self._parts(columns, dues):
            if treatment not in {Treatment.LEFT_OUT, Treatment.WAITED}:
                ports = [port for port in rows.port if port is not None]
                self.ports.update(ports)
                if treatment in FAILURES:
                    self.failed_ports.update(ports)
            attempts = list(map(sub, rows.total, rows.late))
            self._count_latency(treatment, block, rows, attempts)

    def _add_arrays(self, columns: Columns) -> None:
        import numpy as np  # noqa: PLC0415 - heavy, and a run itself does without

        # As floating point, None is NaN, and numbers below 2**53 are exact.
        durations = {name: np.array(getattr(columns, name), np.float64) for name in _COUNTED}
        groups = np.array(columns.attempt_group, np.int64)
        starts = np.array(columns.due, np.int64)
        dues = np.maximum(starts, 0)
        latest, most = int(dues.max()), len(self._treatments)
        while latest // self.block_ns >= MOST_BLOCKS:
            self._widen()
        codes, counts = np.unique(dues // self.block_ns * most + groups, return_counts=True)
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
            self.cells[code // most, code % most] += count
        self._spans(groups, starts + durations["late"].astype(np.int64))
        self.latency.block_of(latest)  # widens the blocks to fit
        kinds = np.array(self._treatments, np.int64)[groups]
        keys = dues // self.latency.block_ns * len(Treatment) + kinds
        for key in np.unique(keys).tolist():
            block, kind = divmod(key, len(Treatment))
            treatment, chosen = Treatment(kind), keys == key
            found = {name: array[chosen] for name, array in durations.items()}
            rows: Any = columns._replace(**found)
            if treatment not in {Treatment.LEFT_OUT, Treatment.WAITED}:
                numbers = rows.port[~np.isnan(rows.port)].astype(np.int64)
                pairs = zip(
                    *(each.tolist() for each in np.unique(numbers, return_counts=True)), strict=True
                )
                ports = dict(pairs)
                self.ports.update(ports)
                if treatment in FAILURES:
                    self.failed_ports.update(ports)
            self._count_latency(treatment, block, rows, rows.total - rows.late)

    def _spans(self, groups: Integers, starts: Integers) -> None:
        """Earliest and latest start of each group."""
        import numpy as np  # noqa: PLC0415 - as above

        missing = len(self._treatments) - len(self.first)
        self.first.extend([NEVER] * missing)
        self.last.extend([-NEVER] * missing)
        order = np.argsort(groups, kind="stable")
        groups, starts = groups[order], starts[order]
        begins = np.flatnonzero(np.diff(groups, prepend=-1))
        least, most = np.minimum.reduceat(starts, begins), np.maximum.reduceat(starts, begins)
        for group, low, high in zip(
            groups[begins].tolist(), least.tolist(), most.tolist(), strict=True
        ):
            self.first[group] = min(self.first[group], low)
            self.last[group] = max(self.last[group], high)

    def _widen(self) -> None:
        cells: Counter[tuple[int, int]] = Counter()
        for (block, group), count in self.cells.items():
            cells[block // 2, group] += count
        self.cells = cells
        self.block_ns *= 2

    def _parts(
        self, columns: Columns, dues: Sequence[int]
    ) -> Iterator[tuple[tuple[int, Treatment], Columns]]:
        """The batch by blocks of latency and by treatment: often one, of all rows."""
        self.latency.block_of(max(dues))  # widens the blocks to fit
        width, treatments = self.latency.block_ns, self._treatments
        keys = [
            (due // width, treatments[group])
            for due, group in zip(dues, columns.attempt_group, strict=True)
        ]
        present = sorted(set(keys))
        for key in present:
            alike = len(present) == 1
            yield key, columns if alike else columns.where([other == key for other in keys])

    def _count_latency(
        self, treatment: Treatment, block: int, rows: Columns, attempts: Durations
    ) -> None:
        if treatment is Treatment.WAITED:
            self.latency.add(Phase.TOTAL, rows.total, good=False, block=block)
        elif treatment in {Treatment.GOOD, Treatment.FAILED}:
            for phase, durations in (
                (Phase.CONNECT, rows.connect),
                (Phase.SERVER, rows.server),
                (Phase.HANDSHAKE, rows.handshake),
                (Phase.TOTAL, rows.total),
                (Phase.ATTEMPT, attempts),
                (Phase.LAG, rows.lag),
            ):
                self.latency.add(phase, durations, good=treatment is Treatment.GOOD, block=block)


if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Integers: TypeAlias = NDArray[np.int64]

# The counts of a recorded run: those stored in its file, and the rest counted from the rows.

Block = Annotated[int, Meta(ge=WHOLE_RUN, lt=MOST_BLOCKS)]
_COLUMNS = ("id", *GROUP_FIELDS, "first_ns", "last_ns")
_KINDS: Any = {Form.NUMBER: Whole, Form.TEXT: Text, Form.FLAG: Bit, Form.NAMED: Whole}
_VALUES = [_KINDS[each.form] if each.always else _KINDS[each.form] | None for each in SHARED]
_GROUP_ROW: Any = GenericAlias(tuple, (int, *_VALUES, Moment | None, Moment | None))
"""A row of `attempt_group`, as far as the reader needs it."""
_CELL = itemgetter(*map(_COLUMNS.index, CELL_FIELDS))
_OTHERS = tuple(map(_COLUMNS.index, CELL_OTHERS))
_FLAGS = [place for place, each in enumerate(SHARED, 1) if each.form is Form.FLAG]
_CHAIN, _OUTCOME, _STAGE, _MARKS = map(_COLUMNS.index, ("chain", "outcome", "stage", "flags"))


def _merged(
    blocks: Integers, groups: Integers, counts: Integers
) -> tuple[Integers, Integers, Integers]:
    """The same with one row for each block and group, in their order."""
    import numpy as np  # noqa: PLC0415 - as in `Counts.cells`

    width = int(groups.max(initial=0)) + 1
    codes, place = np.unique(blocks * width + groups, return_inverse=True)
    # Sums below 2**53 are exact as floating-point numbers.
    sums = np.bincount(place, counts, len(codes)).astype(np.int64)
    return codes // width, codes % width, sums


class Counts:
    """Counts of all attempts in a file.

    Args:
        connection: in a read transaction, so that all counts are of one moment.
        meta: the table `meta`.

    Raises:
        ValueError: the marks in `meta` make no sense.
    """

    def __init__(self, connection: sqlite3.Connection, meta: Mapping[str, str]) -> None:
        self._connection = connection
        self._stored_block_ns = checked("meta.block_ns", meta["block_ns"], Width)
        self._counted = checked("meta.counted", meta["counted"], Whole)
        self._origin = int(meta["started_ns"])

    @cached_property
    def recorded(self) -> int:
        """How many rows there are.

        Raises:
            ValueError: they are not numbered from 1 without gaps.
        """
        # Without the condition the rows are counted in one step, which no limit could end.
        ((rows, first, last),) = fetch_all(
            self._connection,
            "SELECT (SELECT count(*) FROM attempt WHERE arrival > 0), "
            "(SELECT coalesce(min(arrival), 1) FROM attempt), "
            "(SELECT coalesce(max(arrival), 0) FROM attempt)",
            tuple[int, int, int],
        )
        if (first, last) != (1, rows):
            raise ValueError(f"its {rows:,} attempts are numbered from {first} to {last}")
        return rows

    @property
    def block_ns(self) -> int:
        """Width of the blocks of `cells`."""
        return self._uncounted.block_ns

    @cached_property
    def cells(self) -> Cells:
        """The cube; a report reads it more than once. Groups that differ in flags share a cell."""
        import numpy as np  # noqa: PLC0415 - a live view reads no cells

        numbers: dict[tuple[object, ...], int] = {}
        keys = [
            numbers.setdefault((_CELL(row), tuple(row[place] for place in _OTHERS)), len(numbers))
            for row in self._groups
        ]
        blocks, groups, counts = self._cells
        blocks, kinds, counts = _merged(blocks, np.array(keys, np.int64)[groups], counts)
        # Of equal places the last assignment stands: the first cell of each kind.
        first = np.full(len(numbers), len(kinds))
        first[kinds[::-1]] = np.arange(len(kinds))[::-1]
        order = np.argsort(first)[: np.count_nonzero(first < len(kinds))]
        rank = np.zeros(len(numbers), np.int64)
        rank[order] = np.arange(len(order))
        values: Sequence[Any] = list(numbers)
        met = [Cell._make((0, *values[key][0], 0, values[key][1])) for key in order.tolist()]
        columns = (array("q", one.tobytes()) for one in (blocks, rank[kinds], counts))
        return Cells(met, *columns)

    @cached_property
    def whole(self) -> Tally:
        """Counts of all rows, not using the stored ones: ports, and latencies by blocks."""
        return self._count(Tally(self._treatments), after=0)

    def by_chain(self) -> Mapping[int, tuple[int, int, int]]:
        """Attempts that met each chain, their first and their last start (Unix nanoseconds)."""
        tally, origin = self._uncounted, self._origin
        import numpy as np  # noqa: PLC0415 - as in `cells`

        _, groups, counts = self._cells
        seen = np.bincount(groups, counts, len(self._groups)).astype(np.int64).tolist()
        met: dict[int, tuple[int, int, int]] = {}
        for number, row in enumerate(self._groups):
            starts = [start for start in row[-2:] if start is not None]
            if number < len(tally.first) and tally.first[number] != NEVER:
                starts += [origin + tally.first[number], origin + tally.last[number]]
            if row[_CHAIN] is not None and seen[number]:
                before, *span = met.get(row[_CHAIN], (0,))
                starts += span
                met[row[_CHAIN]] = (before + seen[number], min(starts), max(starts))
        return met

    @cached_property
    def _groups(self) -> Sequence[Sequence[Any]]:
        """The rows of `attempt_group`, in `_COLUMNS`."""
        sql = f"SELECT {', '.join(_COLUMNS)} FROM attempt_group ORDER BY id"  # noqa: S608 - our names
        rows = [list(row) for row in fetch_all(self._connection, sql, _GROUP_ROW)]
        check_numbers([row[0] for row in rows])
        with naming("attempt_group.stage"):
            for stage in dict.fromkeys(row[_STAGE] for row in rows):
                Stage(stage)
        for row in rows:
            for place in _FLAGS:
                row[place] = None if row[place] is None else bool(row[place])
        return rows

    @cached_property
    def _treatments(self) -> Sequence[Treatment]:
        kinds = [(row[_OUTCOME], row[_MARKS]) for row in self._groups]
        with naming("attempt_group.outcome"):
            known = {kind: Treatment.of(*kind) for kind in dict.fromkeys(kinds)}
        return [known[kind] for kind in kinds]

    @cached_property
    def _uncounted(self) -> Tally:
        """Counts of the rows after the mark, in blocks at least as wide as the stored ones."""
        tally = Tally(self._treatments, block_ns=self._stored_block_ns)
        return self._count(tally, after=self._counted)

    @cached_property
    def _cells(self) -> tuple[Integers, Integers, Integers]:
        """Block, group and number of attempts of each cell, stored and uncounted ones."""
        import numpy as np  # noqa: PLC0415 - as in `cells`

        tally = self._uncounted
        factor = tally.block_ns // self._stored_block_ns
        # Before they are all in memory: each counts one of the attempts at least.
        ((total, least, most),) = fetch_all(
            self._connection,
            "SELECT coalesce(sum(count), 0) AS counted_in_cells, coalesce(min(count), 1), count(*) "
            "FROM cell",
            tuple[int, int, int],
        )
        if total != self._counted or not most <= total <= self.recorded or least < 1:
            raise ValueError(
                f"it has {self.recorded:,} attempts, {self._counted:,} counted, {total:,} in cells"
            )
        stored = fetch(
            self._connection,
            "SELECT block, attempt_group, count FROM cell",
            tuple[Annotated[int, Meta(ge=0, lt=MOST_BLOCKS)], Whole, Whole],
        )
        parts = [np.array([(*key, count) for key, count in tally.cells.items()], np.int64)]
        parts = [part.reshape(-1, 3) for part in parts]
        for batch in stored:
            part = np.array(batch, np.int64)
            part[:, 0] //= factor
            parts.append(part)
        blocks, groups, counts = np.concatenate(parts).T
        if groups.max(initial=-1) >= len(self._groups):
            raise ValueError(f"a cell is of group {groups.max()}; there are {len(self._groups)}")
        return _merged(blocks, groups, counts)

    def groups(self) -> Iterator[Mapping[str, Any]]:
        """The shared attributes of each group, by number; `chain` is a number."""
        for row, _ in zip(self._groups, self._treatments, strict=True):
            yield dict(zip(GROUP_FIELDS, row[1:], strict=False))

    def attempts(self, at_once: int = BATCH, *, after: int = 0) -> Iterator[Columns]:
        """The rows after an arrival, in batches."""
        if after > self.recorded:
            raise ValueError(f"{after:,} attempts are counted, and {self.recorded:,} are there")
        sql = f"SELECT {', '.join(Columns._fields)} FROM attempt WHERE arrival > ? ORDER BY arrival"  # noqa: S608 - our names
        for batch in fetch(self._connection, sql, _ATTEMPT_ROW, [after], at_once=at_once):
            yield Columns.of(batch)

    def _count(self, tally: Tally, *, after: int) -> Tally:
        for batch in self.attempts(after=after):
            tally.add(batch)
        return tally
