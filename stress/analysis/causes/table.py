"""The cube as arrays: one column of small integers for each dimension.

Imported late: it needs numpy. Codes are positions in the sorted texts of the values, so that
neither the order of the rows nor of the dimensions can change an answer. -1 is "not reached".
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple, TypeAlias

import numpy as np

from stress.analysis.proportions.binomial import Integers
from stress.analysis.tally import side_of
from stress.model.attributes import Dimension
from stress.model.outcome import Side, Stage
from stress.model.run import Cell, cell_reader
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
    codes: Integers
    values: tuple[str, ...]
    """The text of each code."""
    partial: bool = False
    """Other values count as unknown: those that are told apart were chosen because they fail."""

    def where(self, rows: Integers) -> Column:
        """The same dimension of these rows only."""
        return Column(self.dimension, self.codes[rows], self.values, self.partial)

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
    ordered = sorted(readings, key=lambda reading: reading.dimension.priority)
    return Table(
        columns=tuple(_column(counted, reading) for reading in ordered),
        outcomes=_column(counted, Reading(Dimension.STAGE, "outcome", str)),
        stages=_integers(Stage(cell.stage).order for cell in counted),
        blocks=_integers(map(attrgetter("block"), counted)),
        chains=_integers(UNKNOWN if cell.chain is None else cell.chain for cell in counted),
        counts=_integers(map(attrgetter("count"), counted)),
    )


def counted_cells(cells: Iterable[Cell]) -> list[Cell]:
    """The cells that are rows of the table, in its order."""
    return [
        cell for cell in cells if cell.count and side_of(cell.outcome) in {Side.NOBODY, Side.TARGET}
    ]


def _column(cells: Sequence[Cell], reading: Reading) -> Column:
    """Reads a dimension of the cells; two values with the same text are one."""
    keys = list(map(cell_reader(reading.attribute), cells))
    texts = {key: None if key is None else reading.text(key) for key in dict.fromkeys(keys)}
    values = in_order({one for one in texts.values() if one is not None})
    places = {value: place for place, value in enumerate(values)}
    codes = {key: UNKNOWN if one is None else places[one] for key, one in texts.items()}
    return Column(reading.dimension, _integers(map(codes.__getitem__, keys)), values)


def _integers(values: Iterable[int]) -> Integers:
    return np.fromiter(values, dtype=np.int64)
