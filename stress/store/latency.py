"""Latencies of a run: one histogram for each phase, ending and block of time.

Attempts end nearly in the order of their due times, so only the newest blocks are counted in open
histograms; older ones rest packed (some kilobytes each) and are opened again when a straggler
comes. That keeps the memory of a run flat. The whole run is the sum of its blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from stress.measure import Histogram, Packed
from stress.model.run import Phase
from stress.store.schema import FIRST_BLOCK_NS

MOST_BLOCKS = 64
"""Blocks that have histograms; where there would be more, their width doubles."""
_OPEN_BLOCKS = 2
WHOLE_RUN = -1
"""The block number that stands for the whole run."""

Durations = Sequence[int | None]


class Key(NamedTuple):
    """What a histogram counts."""

    phase: Phase
    good: bool
    block: int


class Latency:
    """Counts durations by phase, ending and block."""

    def __init__(self) -> None:
        self.block_ns = FIRST_BLOCK_NS
        self._open: dict[Key, Histogram] = {}
        self._resting: dict[Key, Packed] = {}
        self._newest = 0

    def block_of(self, due_ns: int) -> int:
        """The block of a due time (from the start of the run); widens the blocks to fit it."""
        block = max(0, due_ns) // self.block_ns
        while block >= MOST_BLOCKS:
            self._widen()
            block = max(0, due_ns) // self.block_ns
        return block

    def add(self, phase: Phase, durations_ns: Durations, *, good: bool, block: int) -> None:
        """Count durations of one phase; None is skipped."""
        if block > self._newest:
            self._newest = block
            self._rest()
        self._at(Key(phase, good, block)).record_many(durations_ns)

    def blocks(self) -> Iterator[tuple[Key, Histogram]]:
        """The histograms of all blocks, in no order; those that rest stay at rest."""
        yield from self._open.items()
        for key, packed in self._resting.items():
            yield key, Histogram.unpack(packed)

    def whole(self) -> dict[Key, Histogram]:
        """The histograms of the whole run, also the empty ones."""
        sums = {
            Key(phase, good, WHOLE_RUN): Histogram() for phase in Phase for good in (True, False)
        }
        for key, histogram in self.blocks():
            sums[key._replace(block=WHOLE_RUN)].merge(histogram)
        return sums

    def _at(self, key: Key) -> Histogram:
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
                self._move(Key(phase, good, block), Key(phase, good, block // 2))
            self._rest()

    def _move(self, old: Key, new: Key) -> None:
        if old != new and (old in self._open or old in self._resting):
            histogram = self._at(old)
            del self._open[old]
            self._at(new).merge(histogram)
