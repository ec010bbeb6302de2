"""Count attempts as they pass: the cube, first and last starts, ports and latencies.

The writer counts what it writes; the reader counts what it finds uncounted, with the same class
over the same rows, so both agree by construction.

Everything is done a batch at a time and column by column, because the budget for a row is two
microseconds: by numpy, which a process imports with its first batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product
from types import GenericAlias
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, get_args, get_type_hints

from stress.measure import Histogram, Packed
from stress.model.run import MOST_BLOCKS, HistogramRow, Phase, PortCount
from stress.store.catalog import FAILURES, Treatment
from stress.store.opening import Port, Span, Whole
from stress.store.schema import FIRST_BLOCK_NS

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

    def include(self, key: HistogramKey, histogram: Histogram) -> None:
        """Count what was counted before in a block."""
        self._newest = max(self._newest, key.block)
        self._at(key).merge(histogram)
        self._pack()

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


ABSENT = -(1 << 62)
"""What stands for NULL in arrays; no value that is read comes near it."""
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


_TYPES = get_type_hints(Columns, include_extras=True).values()
_KINDS_OF: Any = [get_args(kind)[0] for kind in _TYPES]
ATTEMPT_ROW: Any = GenericAlias(tuple, tuple(_KINDS_OF))
NULLABLE = [type(None) in get_args(kind) for kind in _KINDS_OF]
"""Which of the columns may be NULL."""
BOUNDS: Sequence[Any] = [
    next(one for one in (kind, *get_args(kind)) if hasattr(one, "__metadata__"))
    for kind in _KINDS_OF
]
"""Their types without that."""


class Sums(NamedTuple):
    """What was counted of a run whose rows are not all in the file."""

    block_ns: int
    blocks: Integers
    """Of each cell; and so `groups` and `counts`."""
    groups: Integers
    counts: Integers
    first: Integers
    """Unix time of the earliest start by group; `ABSENT` where there was none."""
    last: Integers
    ports: Sequence[PortCount]
    latencies: Sequence[HistogramRow]
    """By blocks alone."""
    latency_block_ns: int


def merged_cells(
    blocks: Integers, groups: Integers, counts: Integers
) -> tuple[Integers, Integers, Integers]:
    """The same cells with one for each block and group, in their order."""
    import numpy as np  # noqa: PLC0415 - as in `Tally.add`

    width = int(groups.max(initial=0)) + 1
    codes, place = np.unique(blocks * width + groups, return_inverse=True)
    # Sums below 2**53 are exact as floating-point numbers.
    sums = np.bincount(place, counts, len(codes)).astype(np.int64)
    return codes // width, codes % width, sums


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
        self._cells: list[Integers] = []
        self.first: list[int] = []
        """Earliest start by group, from the start of the run; `NEVER` before the first."""
        self.last: list[int] = []
        """Latest start by group."""
        self.ports: Counter[int] = Counter()
        """Attempts by local port, without ours and not-sent."""
        self.failed_ports: Counter[int] = Counter()
        """Failures of the target by local port."""
        self.latency = Latency()

    @property
    def waiting(self) -> int:
        """How many cells `take_cells` would give, or some more."""
        return sum(map(len, self._cells))

    def take_cells(self) -> list[list[int]]:
        """Attempts by block and group since the last time: rows of these three, in their order."""
        import numpy as np  # noqa: PLC0415 - as in `add`

        if not self._cells:
            return []
        cells: list[list[int]] = np.column_stack(
            merged_cells(*np.concatenate(self._cells).T)
        ).tolist()
        self._cells.clear()
        return cells

    def add(self, columns: Columns) -> None:
        """Count a batch of at least one row; its columns may be arrays."""
        import numpy as np  # noqa: PLC0415 - heavy, and not all that read a run count anything

        # As floating point, None is NaN, and numbers below 2**53 are exact.
        durations = {name: np.array(getattr(columns, name), np.float64) for name in _COUNTED}
        for values in durations.values():
            values[values == ABSENT] = np.nan
        groups = np.array(columns.attempt_group, np.int64)
        starts = np.array(columns.due, np.int64)
        dues = np.maximum(starts, 0)
        latest, most = int(dues.max()), len(self._treatments)
        while latest // self.block_ns >= MOST_BLOCKS:
            self._widen()
        codes, counts = np.unique(dues // self.block_ns * most + groups, return_counts=True)
        self._cells.append(np.column_stack([*np.divmod(codes, most), counts]))
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
                ports = rows.port[~np.isnan(rows.port)].astype(np.int64).tolist()
                self.ports.update(ports)
                if treatment in FAILURES:
                    self.failed_ports.update(ports)
            self._count_latency(treatment, block, rows, rows.total - rows.late)

    def include(self, sums: Sums, groups: Integers, shift_ns: int, origin_ns: int) -> None:
        """Count what was counted before; its latencies are left to the caller.

        Args:
            sums: the counts.
            groups: of each of its groups, the number here.
            shift_ns: how much later it starts.
            origin_ns: Unix time of the start here.

        Raises:
            ValueError: its time blocks do not fit in those here.
        """
        import numpy as np  # noqa: PLC0415 - as above

        if shift_ns % sums.block_ns or shift_ns < 0:
            raise ValueError("its time blocks do not begin where those of the other files do")
        begins = sums.blocks * sums.block_ns + shift_ns
        while (
            self.block_ns < sums.block_ns
            or int(begins.max(initial=0)) // self.block_ns >= MOST_BLOCKS
        ):
            self._widen()
        columns = (begins // self.block_ns, groups[sums.groups], sums.counts)
        self._cells.append(np.column_stack(columns))
        met = np.flatnonzero((sums.first != ABSENT) & (sums.last != ABSENT))
        for starts in (sums.first, sums.last):
            self._spans(groups[met], starts[met] - origin_ns)
        for port, attempts, failures in sums.ports:
            self.ports[port] += attempts
            if failures:
                self.failed_ports[port] += failures

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
        for cells in self._cells:
            cells[:, 0] //= 2
        self.block_ns *= 2

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
