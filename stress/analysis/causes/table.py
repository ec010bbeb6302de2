"""The cube as arrays: one column of small integers for each dimension.

Imported late: it needs numpy. Codes are positions in the sorted texts of the values, so that
neither the order of the rows nor of the dimensions can change an answer. -1 is "not reached".
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from stress.analysis.proportions.binomial import Integers
from stress.analysis.tally import chosen
from stress.model.attributes import Dimension
from stress.model.outcome import Side, Stage, side_of
from stress.model.run import Cell, Cells, cell_reader
from stress.text.scale import Scale, in_order, scale

UNKNOWN = -1
"""The code of "not reached"."""

Text: TypeAlias = Callable[[Hashable], str | None]
"""What people read for a value of an attribute; None for "not reached"."""


_SCALED = frozenset({Dimension.TLS_VERSION})
"""Of our own dimensions; any column of other records may be."""


class Reading(NamedTuple):
    """How one dimension is read from a cell: a function of one attribute."""

    dimension: Dimension
    attribute: str
    text: Text
    """Called once for each distinct value that is not None."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A dimension of every row."""

    dimension: Dimension
    distinct: Integers
    """The code of each row, or of each kind of rows where there are far fewer of these."""
    values: tuple[str, ...]
    """The text of each code."""
    partial: bool = False
    """Other values count as unknown: those that are told apart were chosen because they fail."""
    of: Integers | None = None
    """The kind of each row; None: each row is a kind of its own."""

    @property
    def codes(self) -> Integers:
        """The code of each row; made anew each time."""
        return self.distinct if self.of is None else self.distinct[self.of]

    def code(self, value: str) -> int:
        """The code of a value; one that no row has where it never occurs."""
        return self.values.index(value) if value in self.values else UNKNOWN - 1

    def where(self, rows: Integers) -> Column:
        """The same dimension of these rows only."""
        codes = self.distinct[rows if self.of is None else self.of[rows]]
        return Column(self.dimension, codes, self.values, self.partial)

    @property
    def scale(self) -> Scale | None:
        """On which its values lie, in the order of their codes; None: they are only names."""
        ours = self.dimension in set(Dimension)
        ordered = not self.partial and (not ours or self.dimension in _SCALED)
        return scale(self.values) if ordered else None


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The attempts without ours and not-sent, counted by distinct attributes."""

    columns: tuple[Column, ...]
    outcomes: Column
    """Not a dimension, but what has to be explained; as a column it is called `stage`."""
    stages: Integers
    """`Stage.order`."""
    blocks: Integers
    chains: Integers
    """`SeenChain.id`, or -1."""
    counts: Integers
    considered: int = 0
    """Cohorts that were tested before columns were folded away (`causes.screening`)."""
    hypotheses: int = 0
    """Among how many the level was shared then."""
    depth: int = 3
    """Most conditions of a cohort that was tested."""

    def __len__(self) -> int:
        return len(self.counts)

    def column(self, dimension: Dimension) -> Column | None:
        """The first column of that dimension, None when the run has none."""
        return next((one for one in self.columns if one.dimension == dimension), None)


def tabulate(cells: Iterable[Cell], readings: Iterable[Reading]) -> Table:
    """Count the cells of a cube into columns, without ours and not-sent."""
    counted = counted_cells(cells)
    kinds, of = counted.kinds, np.asarray(counted.of, np.int64)
    ordered = sorted(readings, key=lambda reading: reading.dimension.priority)
    return Table(
        columns=tuple(_column(kinds, of, reading) for reading in ordered),
        outcomes=_column(kinds, of, Reading(Dimension.STAGE, "outcome", str)),
        stages=_integers(Stage(kind.stage).order for kind in kinds)[of],
        blocks=np.asarray(counted.blocks, np.int64),
        chains=_integers(UNKNOWN if kind.chain is None else kind.chain for kind in kinds)[of],
        counts=np.asarray(counted.counts, np.int64),
    )


def counted_cells(cells: Iterable[Cell]) -> Cells:
    """The cells that are rows of the table, in its order."""
    own, sides = Cells.of_cells(cells), {Side.NOBODY, Side.TARGET}
    meant = np.asarray([side_of(kind.outcome) in sides for kind in own.kinds], dtype=np.bool_)
    counts = np.asarray(own.counts, np.int64)
    if meant.all() and counts.all():
        return own
    return chosen(own, meant[np.asarray(own.of, np.int64)] & (counts != 0))


def _column(kinds: Sequence[Cell], of: Integers, reading: Reading) -> Column:
    """Reads a dimension of the cells; two values with the same text are one."""
    keys = list(map(cell_reader(reading.attribute), kinds))
    texts = {key: None if key is None else reading.text(key) for key in dict.fromkeys(keys)}
    values = in_order({one for one in texts.values() if one is not None})
    places = {value: place for place, value in enumerate(values)}
    codes = {key: UNKNOWN if one is None else places[one] for key, one in texts.items()}
    return Column(reading.dimension, _integers(map(codes.__getitem__, keys)), values, of=of)


def _integers(values: Iterable[int]) -> Integers:
    return np.fromiter(values, dtype=np.int64)
