"""The counts of a recorded run: those stored in its file, and the rest counted from the rows."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from types import GenericAlias
from typing import Any

from stress.model.attributes import SHARED, Form
from stress.model.outcome import Stage
from stress.model.run import CELL_FIELDS, CELL_OTHERS, Cell
from stress.store.catalog import GROUP_FIELDS, Treatment
from stress.store.corruption import check_numbers, fetch_all
from stress.store.tally import NEVER, Columns, Tally

_BATCH = 2000

_COLUMNS = ("id", *GROUP_FIELDS, "first_ns", "last_ns")
_TYPES = {Form.NUMBER: int, Form.TEXT: str, Form.FLAG: int, Form.NAMED: int}
_VALUES = (_TYPES[each.form] if each.always else _TYPES[each.form] | None for each in SHARED)
_GROUP_ROW: Any = GenericAlias(tuple, (int, *_VALUES, int | None, int | None))
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
        self._stored_block_ns = int(meta["block_ns"])
        if self._stored_block_ns <= 0:
            raise ValueError(f"time blocks of {self._stored_block_ns} ns")
        self._counted = int(meta["counted"])
        self._origin = int(meta["started_ns"])

    @property
    def block_ns(self) -> int:
        """Width of the blocks of `cells`."""
        return self._uncounted.block_ns

    @cached_property
    def cells(self) -> Sequence[Cell]:
        """The cube; a report reads it more than once. Groups that differ in flags share a cell."""
        numbers: dict[tuple[object, ...], int] = {}
        keys = [
            numbers.setdefault((_CELL(row), tuple(row[place] for place in _OTHERS)), len(numbers))
            for row in self._groups
        ]
        # Small integers, because there may be a million of these.
        merged: Counter[tuple[int, int]] = Counter()
        for (block, group), count in self._cells.items():
            merged[block, keys[group]] += count
        values: Sequence[Any] = list(numbers)
        make: Any = Cell  # type checkers take `*own` for more arguments than there are
        cells = []
        for (block, key), count in merged.items():
            own, others = values[key]
            cells.append(make(block, *own, count, others))
        return cells

    @cached_property
    def whole(self) -> Tally:
        """Counts of all rows, not using the stored ones: ports, and latencies by blocks."""
        return self._count(Tally(self._treatments), after=0)

    def seen_by_chain(self) -> Counter[int]:
        """Attempts that met each chain."""
        seen: Counter[int] = Counter()
        for (_, number), count in self._cells.items():
            chain = self._groups[number][_CHAIN]
            if chain is not None:
                seen[chain] += count
        return seen

    def spans_by_chain(self) -> Mapping[int, tuple[int, int]]:
        """First and last start of the attempts with each chain, Unix nanoseconds."""
        tally, origin = self._uncounted, self._origin
        spans: dict[int, tuple[int, int]] = {}
        for number, row in enumerate(self._groups):
            starts = [start for start in row[-2:] if start is not None]
            if number < len(tally.first) and tally.first[number] != NEVER:
                starts += [origin + tally.first[number], origin + tally.last[number]]
            chain = row[_CHAIN]
            if chain is not None and starts:
                starts += spans.get(chain, ())
                spans[chain] = (min(starts), max(starts))
        return spans

    @cached_property
    def _groups(self) -> Sequence[Sequence[Any]]:
        """The rows of `attempt_group`, in `_COLUMNS`."""
        sql = f"SELECT {', '.join(_COLUMNS)} FROM attempt_group ORDER BY id"  # noqa: S608 - our names
        rows = [list(row) for row in fetch_all(self._connection, sql, _GROUP_ROW)]
        check_numbers([row[0] for row in rows])
        for row in rows:
            Stage(row[_STAGE])
            for place in _FLAGS:
                row[place] = None if row[place] is None else bool(row[place])
        return rows

    @cached_property
    def _treatments(self) -> Sequence[Treatment]:
        return [Treatment.of(row[_OUTCOME], row[_MARKS]) for row in self._groups]

    @cached_property
    def _uncounted(self) -> Tally:
        """Counts of the rows after the mark, in blocks at least as wide as the stored ones."""
        tally = Tally(self._treatments, block_ns=self._stored_block_ns)
        return self._count(tally, after=self._counted)

    @cached_property
    def _cells(self) -> Counter[tuple[int, int]]:
        """Attempts by block and group, stored and uncounted ones."""
        tally = self._uncounted
        factor = tally.block_ns // self._stored_block_ns
        cells = Counter(tally.cells)
        stored = fetch_all(
            self._connection, "SELECT block, attempt_group, count FROM cell", tuple[int, int, int]
        )
        for block, group, count in stored:
            cells[block // factor, group] += count
        return cells

    def _count(self, tally: Tally, *, after: int) -> Tally:
        rows = self._connection.execute(
            f"SELECT {', '.join(Columns._fields)} FROM attempt WHERE arrival > ? ORDER BY arrival",  # noqa: S608 - our names
            [after],
        )
        while batch := rows.fetchmany(_BATCH):
            tally.add(Columns.of(batch))
        return tally
