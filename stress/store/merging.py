"""Merge run files into one: the attempts of all of them, in the order in which they ended.

What holds here, and what is subtle:

* Each file is read through the same checks as for a report, so a hostile one can do no more here.
  Rows are moved by columns and never become records: a row may cost six microseconds.
* Rows of one file stay in their order. Files are read side by side, each up to the moment that all
  of them have reached, so the memory grows neither with their number nor with their length.
* An attempt's new id is `old id * files + place of the file`: unique, it grows with the intended
  start, and evidence, which refers to it, needs no table to find its row.
* Counts are made anew from the rows, as the writer of a run makes them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain as joined
from operator import add, itemgetter, sub
from pathlib import Path
from typing import Any, TypeAlias

from stress.model.attributes import APART
from stress.model.chain import Chain
from stress.model.plan import Address
from stress.model.record import Record
from stress.model.transcript import Transcript
from stress.store.opening import reading
from stress.store.reader import RunFile
from stress.store.schema import insert_into
from stress.store.tally import Columns
from stress.store.writer import RunWriter

ROWS_AT_ONCE = 40_000
"""Rows in memory, of all files together."""
_FEWEST_ROWS = 500
"""Rows of each file at least: a smaller batch costs more than its rows."""
_MOST_ID = 1 << 53
_AHEAD = len(Columns._fields)

_Rows: TypeAlias = list[Sequence[Any]]
"""Columns of rows: those of `Columns` (`arrival` holds the new id), the detail's new number, and
those of the attributes that have a table of their own."""


@dataclass(frozen=True, slots=True)
class MergePart:
    """A run file, and what its numbers are in the merged one."""

    run: RunFile
    path: Path
    started_ns: int
    """Unix time of its start, by the clock that all files share."""
    addresses: Sequence[int]
    """By its own index."""
    sources: Sequence[int]
    vantages: Sequence[int]
    """By its own index; of a file that is not merged, its only one."""
    clients: int
    ahead_ns: int = 0
    """How far its clock was ahead."""

    def renumbered(self, record: Record) -> Record:
        """The record with the merged file's numbers; times and the id stay.

        Raises:
            ValueError: the file names a thing that it does not have.
        """
        source, vantage = record.source, record.vantage or 0
        for name, number, known in (
            ("address", record.address, len(self.addresses)),
            ("source", source or 0, max(1, len(self.sources))),
            ("vantage", vantage, len(self.vantages)),
            ("client", record.client, self.clients),
        ):
            if number >= known:
                raise ValueError(f"attempt_group.{name} is {number}: there are {known}")
        return record._replace(
            address=self.addresses[record.address],
            source=self.sources[source] if source is not None and self.sources else None,
            vantage=self.vantages[vantage],
        )


class MergeWriter(RunWriter):
    """A `RunWriter` that is given whole run files."""

    def add_parts(
        self,
        addresses: Sequence[Address],
        parts: Sequence[MergePart],
        rows_at_once: int = ROWS_AT_ONCE,
    ) -> None:
        """Write everything that the files hold.

        Args:
            addresses: of all files.
            parts: in an order that does not depend on the command line.
            rows_at_once: how many rows are in memory.

        Raises:
            RunFileError: a file is damaged.
            RecordError: the merged file cannot be written.
        """
        for index, address in enumerate(addresses):
            self.add_address(index, address)
        for part in parts:
            verdicts = part.run.verdicts()
            for seen in part.run.chains():
                if seen.certificates:  # without them it is known by its rows alone
                    about = [verdict for verdict in verdicts if verdict.chain == seen.sha256]
                    self.add_chain(Chain(seen.certificates), about)
        sources = [
            _Source(part, self._groups(part), self._details(part), place, len(parts))
            for place, part in enumerate(parts)
        ]
        # Rows are in no circles, and to look for those took a fifth of the time.
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            for rows in _by_end(sources, self._started_ns, rows_at_once):
                columns, (details, *apart) = Columns._make(rows[:_AHEAD]), rows[_AHEAD:]
                arrivals = range(self._arrived + 1, self._arrived + 1 + len(columns.due))
                lead = list(map(sub, columns.arrival, arrivals))
                values = dict(zip((each.name for each in APART), apart, strict=True))
                columns = columns._replace(arrival=arrivals, lead=lead)
                self._add_columns(columns, details, values, [])
                self._make_durable()
        finally:
            if was_enabled:
                gc.enable()
        for source in sources:
            for transcript in source.part.run.transcripts():
                self.add_transcripts([source.moved(transcript)])
                self._make_durable()

    def _groups(self, part: MergePart) -> Sequence[int]:
        """The merged file's group for each group of a part."""
        with reading(part.path):
            records = list(map(part.renumbered, part.run.groups()))
        numbers, statements = self._catalog.groups(records)
        self._write(statements)
        return numbers

    def _details(self, part: MergePart) -> dict[int | None, int | None]:
        """The merged file's detail for each detail of a part."""
        fresh: list[tuple[object, ...]] = []
        numbers: dict[int | None, int | None] = {None: None}
        for number, text in part.run.details().items():
            numbers[number] = self._catalog.detail(text, fresh)
        self._write([(insert_into("detail", 2), fresh)])
        return numbers


class _Source:
    """The rows of one file, with the merged file's numbers, in the order in which they ended."""

    def __init__(
        self,
        part: MergePart,
        groups: Sequence[int],
        details: dict[int | None, int | None],
        place: int,
        files: int,
    ) -> None:
        self.part = part
        self._groups, self._details = groups, details
        self._place, self._files = place, files

    def batches(self, at_once: int, started_ns: int) -> Iterator[_Rows]:
        """Batches of rows.

        Args:
            at_once: how many.
            started_ns: Unix time of the start of the merged run.

        Raises:
            RunFileError: the file is damaged.
        """
        shift, run = self.part.started_ns - started_ns, self.part.run
        for of in run.attempts(at_once):
            arrivals = of.arrival
            ids = list(map(add, arrivals, of.lead))
            files, place = self._files, self._id(max(ids)) - max(ids) * self._files
            self._id(min(ids))
            moved = of._replace(
                arrival=[number * files + place for number in ids],
                attempt_group=[self._groups[group] for group in of.attempt_group],
                due=[due + shift for due in of.due],
            )
            span = (arrivals[0], arrivals[-1])
            found = run.numbers(
                "SELECT arrival, detail FROM remark WHERE arrival BETWEEN ? AND ?", *span
            )
            new = {arrival: self._details[detail] for arrival, detail in found.items()}
            rows: _Rows = [*moved, _of(arrivals, new)]
            for each in APART:
                sql = f"SELECT arrival, value FROM {each.name} WHERE arrival BETWEEN ? AND ?"  # noqa: S608 - our names
                rows.append(_of(arrivals, run.numbers(sql, *span)))
            yield rows

    def moved(self, transcript: Transcript) -> Transcript:
        """A transcript with the merged file's numbers, its times by the shared clock.

        Raises:
            RunFileError: it is of an attempt that the file does not have.
        """
        ahead_ns = self.part.ahead_ns
        with reading(self.part.path):
            record = self.part.renumbered(transcript.record)
            return replace(
                transcript,
                record=record._replace(
                    id=self._id(record.id),
                    due_ns=record.due_ns - ahead_ns,
                    started_ns=record.started_ns - ahead_ns,
                ),
                dialled_ns=transcript.dialled_ns - ahead_ns,
                flights=tuple(
                    replace(one, at_ns=one.at_ns - ahead_ns) for one in transcript.flights
                ),
                partings=tuple(
                    replace(one, at_ns=one.at_ns - ahead_ns) for one in transcript.partings
                ),
            )

    def _id(self, number: int) -> int:
        if not 0 <= number < _MOST_ID // self._files:
            raise ValueError(f"an attempt has the id {number}")
        return number * self._files + self._place


def _of(arrivals: Sequence[int], values: Mapping[int, int | None]) -> Sequence[int | None]:
    """The value of each row."""
    return list(map(values.get, arrivals)) if values else [None] * len(arrivals)


def _by_end(sources: Sequence[_Source], started_ns: int, rows_at_once: int) -> Iterator[_Rows]:
    """The rows of all files in the order in which they ended.

    A row that ended before another of its file that stands above it counts as ended with that.
    """
    import numpy as np  # noqa: PLC0415 - heavy

    at_once = max(min(_FEWEST_ROWS, rows_at_once), rows_at_once // len(sources))
    batches = {number: one.batches(at_once, started_ns) for number, one in enumerate(sources)}
    held: dict[int, tuple[_Rows, Any]] = {}
    latest = dict.fromkeys(batches, -_MOST_ID)
    while batches or held:
        for number in [number for number in batches if number not in held]:
            with reading(sources[number].part.path):
                rows = next(batches[number], None)
            if rows is None:
                del batches[number]
                continue
            columns = Columns._make(rows[:_AHEAD])
            ends = np.add(columns.due, columns.total)
            ends = np.maximum.accumulate(np.maximum(ends, latest[number]))
            latest[number] = int(ends[-1])
            held[number] = rows, ends
        # Of a file that is read to its end nothing can come that is earlier.
        horizon = min((latest[number] for number in batches), default=None)
        chosen: list[tuple[_Rows, Any]] = []
        for number, (rows, ends) in sorted(held.items()):
            cut = len(ends) if horizon is None else int(np.searchsorted(ends, horizon, "right"))
            chosen.append(([column[:cut] for column in rows], ends[:cut]))
            if cut == len(ends):
                del held[number]
            else:
                held[number] = [column[cut:] for column in rows], ends[cut:]
        yield from _ordered([(rows, ends) for rows, ends in chosen if len(ends)])


def _ordered(chosen: Sequence[tuple[_Rows, Any]]) -> Iterator[_Rows]:
    """These rows as one batch in the order of their ends; none where there are none."""
    import numpy as np  # noqa: PLC0415 - heavy

    if len(chosen) < 2:
        yield from (rows for rows, _ in chosen)
        return
    order = np.argsort(np.concatenate([ends for _, ends in chosen]), kind="stable")
    pick = itemgetter(*order.tolist())
    columns = zip(*(rows for rows, _ in chosen), strict=True)
    yield [pick(list(joined.from_iterable(column))) for column in columns]
