"""The counts of a recorded run: those stored in its file, and the rest counted from the rows.

Of a file whose rows are not all there (`meta.attempts`), the stored ones alone.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain as joined
from operator import itemgetter
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from stress.model.attributes import SHARED, Form
from stress.model.outcome import Stage
from stress.model.run import (
    CELL_FIELDS,
    CELL_OTHERS,
    MOST_BLOCKS,
    Cell,
    Cells,
    HistogramRow,
    PortCount,
)
from stress.store.catalog import GROUP_FIELDS, Treatment
from stress.store.opening import (
    BATCH,
    Bit,
    Moment,
    Text,
    Whole,
    Width,
    check_numbers,
    checked,
    fetch,
    fetch_all,
)
from stress.store.schema import naming
from stress.store.tally import (
    ABSENT,
    ATTEMPT_ROW,
    BOUNDS,
    NEVER,
    NULLABLE,
    WHOLE_RUN,
    Columns,
    Sums,
    Tally,
    merged_cells,
)

if TYPE_CHECKING:
    from stress.store.tally import Integers

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
        self._attempts = (
            checked("meta.attempts", meta["attempts"], Whole) if "attempts" in meta else None
        )
        self._origin = int(meta["started_ns"])

    @cached_property
    def recorded(self) -> int:
        """How many attempts there are: the rows, unless some stayed where they were made.

        Raises:
            ValueError: the rows are not numbered from 1 without gaps, or are too many.
        """
        rows, first, last = self._rows
        if self._attempts is not None:
            there = f"of {self._attempts:,} attempts it has {rows:,}"
            if (rows and not 1 <= first <= last <= self._attempts) or rows >= self._attempts:
                raise ValueError(f"{there}, numbered from {first} to {last}")
            return self._attempts
        if (first, last) != (1, rows):
            raise ValueError(f"its {rows:,} attempts are numbered from {first} to {last}")
        return rows

    def forget(self) -> None:
        """Free what is in memory but the number of rows, for which all would be read again."""
        for name in self.__dict__.keys() & {"cells", "whole", "_groups", "_uncounted", "_cells"}:
            del self.__dict__[name]

    @property
    def elsewhere(self) -> int:
        """How many attempts are counted, and have no row in the file."""
        return self.recorded - self._rows[0]

    @cached_property
    def _rows(self) -> tuple[int, int, int]:
        # Without the condition the rows are counted in one step, which no limit could end.
        (found,) = fetch_all(
            self._connection,
            "SELECT (SELECT count(*) FROM attempt WHERE arrival > 0), "
            "(SELECT coalesce(min(arrival), 1) FROM attempt), "
            "(SELECT coalesce(max(arrival), 0) FROM attempt)",
            tuple[int, int, int],
        )
        return found

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
        blocks, kinds, counts = merged_cells(blocks, np.array(keys, np.int64)[groups], counts)
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
        if self.elsewhere:
            raise ValueError("it has neither all rows nor all that was counted of them")
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
        parts = [np.array(tally.take_cells(), np.int64).reshape(-1, 3)]
        for batch in stored:
            part = np.array(batch, np.int64)
            part[:, 0] //= factor
            parts.append(part)
        blocks, groups, counts = np.concatenate(parts).T
        if groups.max(initial=-1) >= len(self._groups):
            raise ValueError(f"a cell is of group {groups.max()}; there are {len(self._groups)}")
        return merged_cells(blocks, groups, counts)

    def groups(self) -> Iterator[Mapping[str, Any]]:
        """The shared attributes of each group, by number; `chain` is a number."""
        for row, _ in zip(self._groups, self._treatments, strict=True):
            yield dict(zip(GROUP_FIELDS, row[1:], strict=False))

    def attempts(self, at_once: int = BATCH, *, after: int = 0) -> Iterator[Columns]:
        """The rows after an arrival, in batches."""
        if after > self.recorded:
            raise ValueError(f"{after:,} attempts are counted, and {self.recorded:,} are there")
        sql = f"SELECT {', '.join(Columns._fields)} FROM attempt WHERE arrival > ? ORDER BY arrival"  # noqa: S608 - our names
        for batch in fetch(self._connection, sql, ATTEMPT_ROW, [after], at_once=at_once):
            yield Columns.of(batch)

    def next_rows(self, after: int, most: int, chosen: str) -> Integers:
        """The rows after an arrival that are chosen by an expression of SQL: the next of them.

        Returns:
            An array with a row for each, not more than so many, and the columns of `Columns`; NULL
            is `ABSENT`.
        """
        import numpy as np  # noqa: PLC0415 - as in `cells`

        self.recorded  # noqa: B018 - raises where the rows cannot be numbered so
        names = Columns._fields
        numbers = GenericAlias(tuple, (int,) * len(names))
        shown = ", ".join(
            f"ifnull({name}, {ABSENT}) AS {name}" if nullable else name
            for name, nullable in zip(names, NULLABLE, strict=True)
        )
        sql = (
            f"SELECT {shown} FROM attempt "  # noqa: S608 - our names
            f"WHERE arrival > ? AND {chosen} ORDER BY arrival LIMIT ?"
        )
        found = joined.from_iterable(fetch(self._connection, sql, numbers, (after, most)))
        flat = np.fromiter(joined.from_iterable(found), np.int64)
        rows = flat.reshape(-1, len(names))
        for name, column, kind, nullable in zip(names, rows.T, BOUNDS, NULLABLE, strict=True):
            (bounds,) = kind.__metadata__
            wrong = (column < bounds.ge) | (column > bounds.le)
            if nullable:
                wrong &= column != ABSENT
            if wrong.any():
                checked(f"attempt.{name}", int(column[wrong][0]), kind)
        return rows

    def sums(
        self, ports: Sequence[PortCount], latencies: Sequence[HistogramRow], width: int
    ) -> Sums:
        """What is counted, with what the file holds of ports and latencies."""
        import numpy as np  # noqa: PLC0415 - as in `cells`

        first, last = (
            np.array([ABSENT if row[at] is None else row[at] for row in self._groups], np.int64)
            for at in (-2, -1)
        )
        return Sums(self.block_ns, *self._cells, first, last, ports, latencies, width)

    def _count(self, tally: Tally, *, after: int) -> Tally:
        for batch in self.attempts(after=after):
            tally.add(batch)
        return tally
