"""The counts of a recorded run: what its file has stored, and the rest counted from the rows."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from stress.model.outcome import Stage
from stress.model.run import Cell
from stress.store.catalog import Treatment
from stress.store.corruption import check_numbers, fetch_all
from stress.store.tally import NEVER, Columns, Tally

_BATCH = 2000

_CellKey = tuple[
    int,
    int | None,
    int,
    int | None,
    int | None,
    int | None,
    int | None,
    str | None,
    bool | None,
    int,
    int,
    str,
]
"""The fields of a `Cell` between its block and its count."""


class _Attribute(NamedTuple):
    """A row of the table `attribute`, as far as the reader needs it."""

    id: int
    address: int
    source: int | None
    client: int
    outcome: str
    stage: int
    chain: int | None
    tls_version: int | None
    cipher: int | None
    key_group: int | None
    alpn: str | None
    resumed: int | None
    segment: int
    flags: int
    first_ns: int | None
    last_ns: int | None

    def key(self) -> _CellKey:
        """Where its attempts are counted: attributes that differ in flags alone share a cell."""
        resumed = None if self.resumed is None else bool(self.resumed)
        before = (self.address, self.source, self.client, self.chain)
        shaken = (self.tls_version, self.cipher, self.key_group, self.alpn, resumed)
        return (*before, *shaken, self.segment, self.stage, self.outcome)


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
        """The cube; a report asks for it more than once."""
        keys = [attribute.key() for attribute in self._attributes]
        merged: Counter[tuple[int, _CellKey]] = Counter()
        for (block, number), count in self._cells.items():
            merged[block, keys[number]] += count
        return [Cell(block, *key, count) for (block, key), count in merged.items()]

    @cached_property
    def whole(self) -> Tally:
        """Counts of all rows, made anew: ports, and latencies by blocks."""
        return self._count(Tally(self._treatments), after=0)

    def seen_by_chain(self) -> Counter[int]:
        seen: Counter[int] = Counter()
        for (_, number), count in self._cells.items():
            chain = self._attributes[number].chain
            if chain is not None:
                seen[chain] += count
        return seen

    def spans_by_chain(self) -> Mapping[int, tuple[int, int]]:
        """First and last start of the attempts with each chain, Unix nanoseconds."""
        tally, origin = self._uncounted, self._origin
        spans: dict[int, tuple[int, int]] = {}
        for attribute in self._attributes:
            starts = [attribute.first_ns, attribute.last_ns]
            if attribute.id < len(tally.first) and tally.first[attribute.id] != NEVER:
                starts += [origin + tally.first[attribute.id], origin + tally.last[attribute.id]]
            known = [start for start in starts if start is not None]
            if attribute.chain is not None and known:
                known += spans.get(attribute.chain, ())
                spans[attribute.chain] = (min(known), max(known))
        return spans

    @cached_property
    def _attributes(self) -> Sequence[_Attribute]:
        fields = ", ".join(_Attribute._fields)
        rows = fetch_all(self._connection, f"SELECT {fields} FROM attribute", _Attribute)  # noqa: S608 - our names
        rows.sort()
        check_numbers([row.id for row in rows])
        for row in rows:
            Stage(row.stage)
        return rows

    @cached_property
    def _treatments(self) -> Sequence[Treatment]:
        return [Treatment.of(row.outcome, row.flags) for row in self._attributes]

    @cached_property
    def _uncounted(self) -> Tally:
        """Counts of the rows after the mark, in blocks at least as wide as the stored ones."""
        tally = Tally(self._treatments, block_ns=self._stored_block_ns)
        return self._count(tally, after=self._counted)

    @cached_property
    def _cells(self) -> Counter[tuple[int, int]]:
        """Attempts by block and attribute, stored and uncounted ones."""
        tally = self._uncounted
        factor = tally.block_ns // self._stored_block_ns
        cells = Counter(tally.cells)
        stored = fetch_all(
            self._connection, "SELECT block, attribute, count FROM cell", tuple[int, int, int]
        )
        for block, attribute, count in stored:
            cells[block // factor, attribute] += count
        return cells

    def _count(self, tally: Tally, *, after: int) -> Tally:
        rows = self._connection.execute(
            "SELECT * FROM attempt WHERE arrival > ? ORDER BY arrival", [after]
        )
        while batch := rows.fetchmany(_BATCH):
            tally.add(Columns.of(batch))
        return tally
