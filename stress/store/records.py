"""Keep records that are not ours (`tls-stress isolate`) in a run file, by columns.

Ten million rows of few values each are some bytes a row as compressed columns, and would be many
times that as rows of `attempt`. What describes them is JSON in `meta.records`; the codes are in
`record_part`, 200,000 rows at a time. As everywhere, a file may be a stranger's: sizes are bounded
by the size of the file before anything is unpacked, and every code is checked against its column.

Imported late: it needs numpy.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stress.errors import UsageError
from stress.measure import Histogram
from stress.model.outcome import OK, Side, Stage, kind_of
from stress.model.plan import Plan, Target
from stress.model.record import Record, RecordColumn, RecordSource, RecordTable
from stress.model.run import (
    MOST_BLOCKS,
    Cell,
    Cells,
    Cube,
    End,
    HistogramRow,
    PortCount,
    Records,
    RunEnd,
    RunFacts,
)
from stress.store.opening import LONG, Moment, Span, Text, Whole, Width, checked, reading
from stress.store.reader import RunFile
from stress.store.schema import create_file, decoded, insert_into

PART = 200_000
"""Rows of one part."""
LEAST_BYTES, MOST_TIMES = 50_000_000, 100
"""Unpacked codes take no more than this, or so many times the file."""
_KINDS = (np.dtype("<u2"), np.dtype("u1"), np.dtype("<i8"))
"""Of blocks, outcomes and counts; dimensions are bytes like outcomes."""
_OUTCOME, _COUNTS, _FIRST = 1, 2, 3
NOTHING: dict[str, Any] = dict.fromkeys(Record._fields)
NOTHING |= dict.fromkeys(("address", "client", "total_ns", "bytes_received", "segment", "flags"), 0)
CELL = Cell(
    block=0,
    address=0,
    source=None,
    client=0,
    chain=None,
    tls_version=None,
    cipher=None,
    key_group=None,
    alpn=None,
    resumed=None,
    segment=0,
    stage=Stage.FINISHED,
    outcome=OK.name,
    count=0,
)
"""A record or a cell of rows of which only the time and the outcome are ours."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    values: tuple[str, ...]
    distinct: int


@dataclass(frozen=True, slots=True)
class _Description:
    """What `meta.records` holds."""

    source: RecordSource
    rows: int
    names: tuple[str, ...]
    counted: bool
    columns: tuple[_Column, ...]
    """The dimensions, and after them how long each attempt took, where that is known."""
    failing: tuple[tuple[int, int, str], ...]
    timed: bool = False
    """Whether the last column is how long each attempt took."""


def write_records(
    path: Path,
    records: Records,
    *,
    assertions: Sequence[str],
    versions: Mapping[str, str],
    host: str,
) -> None:
    """Write records into a new run file.

    Raises:
        RunFileError: there is a file of this name already.
        UsageError: no file can be made there.
    """
    table, source = records.table, records.source
    plan = Plan(Target("records"), (), (), assertions=tuple(assertions))
    connection = create_file(
        path, plan, started_ns=records.started_ns, versions=versions, host=host
    )
    columns = [*table.columns, *filter(None, (table.took,))]
    end = RunEnd(End.COMPLETED, records.ended_ns, source.attempts, records.notes)
    described = _Description(
        source,
        len(table.outcomes),
        table.names,
        bool(table.counts),
        tuple(_Column(one.name, one.values, one.distinct) for one in columns),
        records.failing,
        table.took is not None,
    )
    meta = {
        "records": msgspec.json.encode(described).decode(),
        "ending": msgspec.json.encode(end).decode(),
        "started": str(source.attempts),
        "block_ns": str(records.block_ns),
    }
    arrays = [table.blocks, table.outcomes, table.counts, *(one.codes for one in columns)]
    with closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())
        ports = [(one.port, one.attempts, one.failures) for one in records.ports]
        connection.executemany(insert_into("port", 3), ports)
        for row in records.latencies:
            outcome, count = "ok" if row.good else "failed", Histogram.decode(row.hdr).count
            stored = (row.phase, outcome, row.block, count, row.clamped, row.hdr.decode())
            connection.execute(insert_into("histogram", len(stored)), stored)
        for of, codes in enumerate(arrays):
            kind = _kind(of)
            native = np.frombuffer(codes, kind.newbyteorder("=")).astype(kind, copy=False)
            for part in range(-(-len(native) // PART)):
                packed = zlib.compress(native[part * PART : (part + 1) * PART].tobytes(), 1)
                connection.execute(insert_into("record_part", 3), (of, part, packed))
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()


def _kind(of: int) -> np.dtype[Any]:
    return _KINDS[of] if of < _FIRST else _KINDS[_OUTCOME]


class RecordsFile(RunFile):
    """Records that are not ours; what only a run has (chains, addresses, latencies) is empty."""

    def facts(self) -> RunFacts:
        facts, described = super().facts(), self._description
        with reading(self._path):
            attempts = checked("records.attempts", described.source.attempts, Whole)
            checked("records.rows", described.source.rows, Whole)
        timed = bool(described.source.time)
        return replace(
            facts,
            started=attempts,
            recorded=attempts,
            first_ns=facts.started_ns if timed else None,
            last_ns=facts.ended_ns if timed else None,
            records=described.source,
        )

    def cube(self) -> Cube:
        """Times and outcomes as cells, everything else as columns."""
        table = self._table
        with reading(self._path):
            block_ns = checked("meta.block_ns", self.meta["block_ns"], Width)
            names, blocks = table.names, _array(table.blocks, _KINDS[0])
            keys = blocks.astype(np.int32) * len(names) + _array(table.outcomes, _KINDS[1])
            counts = _array(table.counts, _KINDS[_COUNTS]) if table.counts else None
            sums = np.zeros(MOST_BLOCKS * len(names))
            for part in (slice(begin, begin + PART) for begin in range(0, len(keys), PART)):
                weights = None if counts is None else counts[part]
                sums += np.bincount(keys[part], weights, len(sums))
            cells = Cells.of_cells(
                CELL._replace(
                    block=key // len(names),
                    outcome=names[key % len(names)],
                    count=round(sums[key]),
                )
                for key in np.flatnonzero(sums).tolist()
            )
        return Cube(block_ns, cells, table)

    def ports(self) -> Sequence[PortCount]:
        """Those of an export of ours; else none."""
        with reading(self._path):
            return self._stored_ports(self._description.source.attempts)

    def histograms(self) -> Sequence[HistogramRow]:
        """Those that were stored: none where no column is the latency."""
        with reading(self._path):
            rows = self._stored_histograms()
            for row in rows:
                if Histogram.decode(row.hdr).count > self._description.source.rows:
                    raise ValueError("a histogram has more values than there are rows")
            return rows

    def failures(self, limit: int) -> Iterator[Record]:
        """The first failures, by their places in time."""
        for place, at_ns, outcome in self._description.failing[:limit]:
            yield Record(
                **NOTHING
                | {
                    "id": place,
                    "due_ns": at_ns,
                    "started_ns": at_ns,
                    "outcome": outcome,
                    "stage": Stage.FINISHED,
                }
            )

    def handshakes(self) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        """One row for each distinct row: its time block, its outcome, its attempts and values."""
        table = self._table
        own = ["time", "outcome", "attempts"]
        names = own + [
            f"{one.name} (column)" if one.name in own else one.name for one in table.columns
        ]
        return names, self.rows(table)

    def handshakes_by_group(self) -> None:
        """Nothing is shared: equal rows are one row already."""

    def text_columns(self) -> frozenset[str]:
        return frozenset(self.handshakes()[0]) - {"attempts"}

    def histogram_block_ns(self) -> int:
        raise UsageError(
            f"{self._path.stem} holds records without latencies", "Choose csv, jsonl or parquet."
        )

    def rows(self, table: RecordTable) -> Iterator[Sequence[Any]]:
        """The rows of an export."""
        begun_ns, width = self._origin, int(self.meta["block_ns"])
        timed = bool(self._description.source.time)
        blocks = _array(table.blocks, _KINDS[0])
        outcomes = _array(table.outcomes, _KINDS[1])
        counts = _array(table.counts, _KINDS[_COUNTS]) if table.counts else None
        columns = [_array(one.codes, _KINDS[1]) for one in table.columns]
        texts = [(None, *one.values) for one in table.columns]
        for first in range(0, len(outcomes), PART):
            part = slice(first, first + PART)
            ones = [1] * len(outcomes[part]) if counts is None else counts[part].tolist()
            for block, outcome, count, *codes in zip(
                blocks[part].tolist(),
                outcomes[part].tolist(),
                ones,
                *(column[part].tolist() for column in columns),
                strict=True,
            ):
                at = _EPOCH + timedelta(microseconds=(begun_ns + block * width) // 1000)
                yield (
                    at.isoformat().replace("+00:00", "Z") if timed else None,
                    table.names[outcome],
                    count,
                    *(named[code] for named, code in zip(texts, codes, strict=True)),
                )

    @cached_property
    def _description(self) -> _Description:
        with reading(self._path):
            described = decoded("records", self.meta["records"], _Description)
            checked("records.rows", described.rows, Whole)
            failing = [(place, at) for place, at, _ in described.failing]
            checked("records.failing", failing, list[tuple[Whole, Moment]])
            texts = [described.names, *(one.values for one in described.columns)]
            checked("records.values", texts, list[tuple[Text, ...]])
            if not described.names or described.names[0] != OK.name:
                raise ValueError("its first outcome is not ok")
            if any(kind_of(name).side is not Side.TARGET for name in described.names[1:]):
                raise ValueError("an outcome is no failure")
            return described

    @cached_property
    def _table(self) -> RecordTable:
        described = self._description
        with reading(self._path):
            size = self._path.stat().st_size
            needed = described.rows * (3 + 8 * described.counted + len(described.columns))
            if needed > LEAST_BYTES + MOST_TIMES * size:
                raise ValueError("it has far more rows than its size allows")
            counts = self._codes(_COUNTS, described.rows if described.counted else 0)
            attempts = int(counts.sum()) if described.counted else described.rows
            if described.counted and counts.min(initial=0) < 0:
                raise ValueError("a row has fewer than no attempts")
            if attempts != described.source.attempts:
                raise ValueError("its rows are not as many attempts as it says")
            columns = [
                RecordColumn(
                    one.name,
                    one.values,
                    self._checked(of, len(one.values) + 1, described.rows),
                    max(len(one.values), checked("records.distinct", one.distinct, Span)),
                )
                for of, one in enumerate(described.columns, _FIRST)
            ]
            took = columns.pop() if described.timed and columns else None
            if took is not None:
                checked("records.took", [int(one) for one in took.values], list[Moment])
            return RecordTable(
                blocks=self._checked(0, MOST_BLOCKS, described.rows),
                outcomes=self._checked(_OUTCOME, len(described.names), described.rows),
                names=described.names,
                counts=counts.tobytes(),
                columns=tuple(columns),
                took=took,
            )

    def _checked(self, of: int, below: int, rows: int) -> bytes:
        codes = self._codes(of, rows)
        if rows and int(codes.max()) >= below:
            raise ValueError("a code has no value")
        return codes.tobytes()

    def _codes(self, of: int, rows: int) -> NDArray[Any]:
        """All codes of one column."""
        kind = _kind(of)
        codes = np.zeros(rows, kind.newbyteorder("="))
        sql = f"SELECT part, codes FROM record_part WHERE of = {of:d} ORDER BY part"  # noqa: S608 - a number
        filled = 0
        for part, packed in self._all(sql, tuple[int, bytes], longest=LONG):
            length = min(PART, rows - filled)
            reader = zlib.decompressobj()
            try:
                body = reader.decompress(packed, length * kind.itemsize + 1)
            except zlib.error as error:
                raise ValueError(f"a column cannot be read: {error}") from error
            if part != filled // PART or len(body) != length * kind.itemsize or not length:
                raise ValueError("a column has another length than the others")
            codes[filled : filled + length] = np.frombuffer(body, kind)
            filled += length
        if filled != rows:
            raise ValueError("a column has another length than the others")
        return codes


def _array(codes: bytes, kind: np.dtype[Any]) -> NDArray[Any]:
    return np.frombuffer(codes, kind.newbyteorder(sys.byteorder))
