"""Merge run files into one: the attempts of all of them, in the order in which they ended.

What holds here, and what is subtle:

* Each file is read through the same checks as for a report, so a hostile one can do no more here.
  Rows stay numbers in arrays and never become records: a row may cost five microseconds.
* Rows of one file stay in their order. Files are read side by side, each up to the moment that all
  of them have reached, so memory does not grow with their length. Of a file that waits, a few
  hundred rows are held as an array and no query is open: a thousand files are read at once.
* Rows are counted after they are put in order, by the 100,000, whichever file they are from.
* An attempt's new id is `old id * files + place of the file`: unique, it grows with the intended
  start, and evidence, which refers to it, needs no table to find its row.
* Counts are made anew from the rows, as the writer of a run makes them. Rows of good attempts may
  be left out then (`thin`): what is counted is the same, and so are the rows that a report reads.
  Counts of a file whose rows were left out are added. For that the time blocks of all of them must
  have their edges in common: the start of a merged run is a whole number of blocks of Unix time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from stress.measure import HistogramSum
from stress.model.attributes import APART
from stress.model.plan import Address
from stress.model.record import Record
from stress.model.run import MOST_GOOD, Phase
from stress.model.transcript import Transcript
from stress.store.catalog import FAILURES, insert_many
from stress.store.opening import reading
from stress.store.reader import FACTOR, LOT, LOTS, RunFile
from stress.store.schema import FIRST_BLOCK_NS, insert_into
from stress.store.tally import ABSENT, LATENCY_MOST_BLOCKS, NULLABLE, Columns, HistogramKey
from stress.store.writer import SET_META, RunWriter, copy_chains

ROWS_AT_ONCE = 100_000
"""Rows in memory, of all files together."""
MOST_FAILING = 5_000
"""Failing rows of each file that are kept where others are left out: those with the lowest ids. As
many are looked at of a whole run, by its report and by `replay`."""
_FEWEST_ROWS = 500
"""Rows of each file at least: a smaller batch costs more than its rows."""
_MOST_CELLS = 300_000
_MOST_ID = 1 << 53
_AHEAD = len(Columns._fields)
_ROW = "({})".format(
    ", ".join(f"nullif(?, {ABSENT})" if nullable else "?" for nullable in NULLABLE)
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Integers: TypeAlias = NDArray[np.int64]
    Rows: TypeAlias = NDArray[np.int64]
    """Rows of an array. Its columns: those of `Columns` (`arrival` holds the new id), the detail's
    new number, and the attributes that have a table of their own; `ABSENT` for NULL."""


def _columns(rows: Rows) -> Any:
    """The columns of `Columns`, as views of the array."""
    return Columns._make(rows.T[:_AHEAD])


def first_block_ns(started_ns: int, last_ns: int) -> int:
    """Where the time blocks of a merged run begin: at a whole number of its widest blocks.

    Args:
        started_ns: Unix time at which the first of its parts began.
        last_ns: Unix time at which its last attempt was due.
    """
    width = FIRST_BLOCK_NS
    while (last_ns - started_ns // width * width) // width >= LATENCY_MOST_BLOCKS:
        width *= 2
    return started_ns // width * width


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
    span_ns: tuple[int, int] = (0, 0)
    """Unix time at which its first attempt was due and its last one, by the shared clock."""

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
        *,
        thin: bool = False,
        good: int = MOST_GOOD,
    ) -> None:
        """Write everything that the files hold.

        Args:
            addresses: of all files.
            parts: in an order that does not depend on the command line.
            rows_at_once: how many rows are in memory.
            thin: leave out rows of which a report needs no more than the counts; where a part has
                left some out, it is done in any case.
            good: rows of good attempts that stay then, about.

        Raises:
            RunFileError: a file is damaged.
            RecordError: the merged file cannot be written.
        """
        self._make_durable()
        self._journal.trust_the_machine()  # who merges still has the files
        for index, address in enumerate(addresses):
            self.add_address(index, address)
        for part in parts:
            copy_chains(part.run, self)
        attempts = sum(part.run.recorded for part in parts)
        some = thin or any(part.run.elsewhere for part in parts)
        lots = LOTS // (max(1, -(-attempts // good)) if some else 1)
        sources = [
            _Source(part, self._groups(part), self._details(part), _Place(place, len(parts)), lots)
            for place, part in enumerate(parts)
        ]
        for part in parts:
            part.run.forget()
        with _no_circles():
            self._add_sums([source for source in sources if source.counted])
            for rows in _by_end(sources, self._started_ns, rows_at_once):
                self._add_rows(rows, sources, lots)
        self._elsewhere = attempts - self._arrived
        for source in sources:
            for transcript in source.part.run.transcripts():
                self.add_transcripts([source.moved(transcript)])
                self._make_durable()
        # Anchors of the system are in no file, so their mark is taken over.
        marks: dict[str, object] = {"anchors_sha256": parts[0].run.meta.get("anchors_sha256", "")}
        if self._elsewhere:
            firsts, lasts = zip(*(part.span_ns for part in parts), strict=True)
            marks |= {"attempts": attempts, "first_ns": min(firsts), "last_ns": max(lasts)}
        self._write([(SET_META, list(marks.items()))])

    def _add_rows(self, rows: Rows, sources: Sequence[_Source], lots: int) -> None:
        """Count rows, as far as they are not counted, and write those that are kept."""
        import numpy as np  # noqa: PLC0415 - heavy

        columns = _columns(rows)
        ids, places = np.divmod(columns.arrival, len(sources))
        new = ~np.array([source.counted for source in sources])[places]
        if new.any():
            self._tally.add(_columns(rows[new]))
        failing = np.array([one in FAILURES for one in self._catalog.treatments])
        failed = failing[columns.attempt_group]
        if lots < LOTS:
            ended = self._started_ns + columns.due + columns.total
            kept = ended % LOTS * FACTOR % LOTS < lots
            kept |= failed & (ids <= np.array([source.last for source in sources])[places])
            rows, failed = rows[kept], failed[kept]
        arrivals = np.arange(self._arrived + 1, self._arrived + 1 + len(rows))
        self._arrived += len(rows)
        written = np.ascontiguousarray(rows[:, :_AHEAD])
        written[:, :2] = np.stack([arrivals, written[:, 0] - arrivals], axis=1)  # and the lead
        self._write(insert_many("attempt", _ROW, written.ravel().tolist()))
        # A remark for each failure of the target, and for whatever has a detail.
        details, *apart = rows.T[_AHEAD:]
        for table, of, chosen in (
            ("remark", details, failed | (details != ABSENT)),
            *((each.name, of, of != ABSENT) for each, of in zip(APART, apart, strict=True)),
        ):
            pairs = zip(arrivals[chosen].tolist(), of[chosen].tolist(), strict=True)
            self._write([(f"INSERT INTO {table} VALUES (?, nullif(?, {ABSENT}))", list(pairs))])  # noqa: S608 - our names
        if self._tally.waiting > _MOST_CELLS:
            self._write(self._counts())
        self._make_durable()

    def _add_sums(self, sources: Sequence[_Source]) -> None:
        """Add what was counted in files whose rows are not all there."""
        found: dict[tuple[Phase, bool, int], HistogramSum] = {}
        for source in sources:
            part, shift_ns = source.part, source.part.started_ns - self._started_ns
            recorded = part.run.recorded
            with reading(part.path):
                sums = part.run.sums()
                self._tally.include(sums, source.groups, shift_ns, self._started_ns)
                width = sums.latency_block_ns
                if shift_ns % width:
                    raise ValueError("its time blocks do not begin where those of the others do")
                for row in sums.latencies:
                    begin_ns = row.block * width + shift_ns
                    key = (row.phase, row.good, begin_ns)
                    if key not in found:
                        found[key] = HistogramSum()
                    if found[key].add(row.hdr, row.clamped) > recorded:
                        raise ValueError("a histogram has more values than there are attempts")
            part.run.forget()
            self._write(self._counts())
            self._make_durable()
        latency = self._tally.latency
        latency.block_of(max((begin_ns for _, _, begin_ns in found), default=0))
        for (phase, good, begin_ns), total in sorted(found.items(), key=lambda one: one[0][2]):
            key = HistogramKey(phase, good, latency.block_of(begin_ns))
            latency.include(key, total.histogram())

    def _groups(self, part: MergePart) -> Sequence[int]:
        """The merged file's group for each group of a part."""
        with reading(part.path):
            records = list(map(part.renumbered, part.run.groups()))
        numbers, statements = self._catalog.groups(records)
        self._write(statements)
        return numbers

    def _details(self, part: MergePart) -> dict[int, int]:
        """The merged file's detail for each detail of a part."""
        fresh: list[tuple[object, ...]] = []
        numbers = {
            number: self._catalog.detail(text, fresh) for number, text in part.run.details().items()
        }
        self._write([(insert_into("detail", 2), fresh)])
        return numbers


@contextmanager
def _no_circles() -> Iterator[None]:
    """Rows are in no circles, and to look for those took a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Place(NamedTuple):
    """Which of the files one is."""

    number: int
    of: int

    def id(self, number: int) -> int:
        """The merged file's id of an attempt.

        Raises:
            ValueError: its own is none.
        """
        if not 0 <= number < _MOST_ID // self.of:
            raise ValueError(f"an attempt has the id {number}")
        return number * self.of + self.number


class _Source:
    """The rows of one file, with the merged file's numbers, in the order in which they ended.

    Args:
        part: the file.
        groups: the merged file's group by that of the file.
        details: and so its details.
        place: which of the files it is.
        lots: a row of a lot below is kept; of all `LOTS`, every row is.
    """

    def __init__(
        self,
        part: MergePart,
        groups: Sequence[int],
        details: Mapping[int, int],
        place: _Place,
        lots: int,
    ) -> None:
        import numpy as np  # noqa: PLC0415 - heavy

        self.part = part
        self.groups: Integers = np.array(groups, np.int64)
        self.counted = part.run.elsewhere > 0
        """Its rows were counted before some of them were left out."""
        self.last = _MOST_ID
        """The highest id of a failing row that is kept where others are left out."""
        self._details, self._place = details, place
        self._chosen, self._read = "1", 0
        if self.counted:
            lot = LOT.replace("?", str(part.started_ns))
            failing = "EXISTS (SELECT 1 FROM remark WHERE remark.arrival = attempt.arrival)"
            self._chosen = f"({lot} < {lots} OR {failing})"
        elif lots < LOTS:
            beyond = part.run.failing_id(MOST_FAILING)
            self.last = _MOST_ID if beyond is None else beyond - 1

    def read(self, at_once: int, started_ns: int) -> Rows:
        """The next rows, not more than so many; none is left where there is none.

        Args:
            at_once: how many at most.
            started_ns: Unix time of the start of the merged run.

        Raises:
            RunFileError: the file is damaged.
        """
        import numpy as np  # noqa: PLC0415 - heavy

        run = self.part.run
        stored = run.next_rows(self._read, at_once, self._chosen)
        if not len(stored):
            return stored
        arrivals = stored[:, 0]
        span = int(arrivals[0]), int(arrivals[-1])
        self._read = span[1]
        found = run.numbers(
            "SELECT arrival, detail FROM remark WHERE arrival BETWEEN ? AND ?", *span
        )
        remarks = {at: one if one is None else self._details[one] for at, one in found.items()}
        beside = [_of(arrivals, remarks)]
        for each in APART:
            sql = f"SELECT arrival, value FROM {each.name} WHERE arrival BETWEEN ? AND ?"  # noqa: S608 - our names
            beside.append(_of(arrivals, run.numbers(sql, *span)))
        rows = np.column_stack([stored, *beside])
        columns = _columns(rows)
        ids = columns.arrival + columns.lead
        self._place.id(int(ids.max()))
        self._place.id(int(ids.min()))
        columns.arrival[:] = ids * self._place.of + self._place.number
        columns.attempt_group[:] = self.groups[columns.attempt_group]
        columns.due[:] += self.part.started_ns - started_ns
        return rows

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
                    id=self._place.id(record.id),
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


def _of(arrivals: Integers, values: Mapping[int, int | None]) -> Integers:
    """The value of each row."""
    import numpy as np  # noqa: PLC0415 - heavy

    found = np.full(len(arrivals), ABSENT)
    known = {at: value for at, value in values.items() if value is not None}
    if known:
        at = np.fromiter(known, np.int64, len(known))
        places = np.minimum(np.searchsorted(arrivals, at), len(arrivals) - 1)
        there = arrivals[places] == at
        found[places[there]] = np.fromiter(known.values(), np.int64, len(known))[there]
    return found


def _by_end(sources: Sequence[_Source], started_ns: int, rows_at_once: int) -> Iterator[Rows]:
    """The rows of all files in the order in which they ended.

    A row that ended before another of its file that stands above it counts as ended with that.
    """
    import numpy as np  # noqa: PLC0415 - heavy

    at_once = max(min(_FEWEST_ROWS, rows_at_once), rows_at_once // len(sources))
    held: dict[int, tuple[Rows, Integers]] = {}
    latest = dict.fromkeys(range(len(sources)), -_MOST_ID)
    """When the last row ended that was read, of each file that is not read to its end."""
    while latest or held:
        for number in [number for number in latest if number not in held]:
            with reading(sources[number].part.path):
                rows = sources[number].read(at_once, started_ns)
            if not len(rows):
                del latest[number]
                continue
            columns = _columns(rows)
            ends = np.maximum.accumulate(np.maximum(columns.due + columns.total, latest[number]))
            latest[number] = int(ends[-1])
            held[number] = rows, ends
        # Of a file that is read to its end nothing can come that is earlier.
        horizon = min(latest.values(), default=None)
        chosen: list[tuple[Rows, Integers]] = []
        for number, (rows, ends) in sorted(held.items()):
            cut = len(ends) if horizon is None else int(np.searchsorted(ends, horizon, "right"))
            if cut:
                chosen.append((rows[:cut], ends[:cut]))
            if cut == len(ends):
                del held[number]
            else:
                held[number] = rows[cut:], ends[cut:]
        if chosen:
            order = np.argsort(np.concatenate([ends for _, ends in chosen]), kind="stable")
            ordered = np.concatenate([rows for rows, _ in chosen])[order]
            # Of a thousand files the fewest rows of each are more than should be written at once.
            for first in range(0, len(order), rows_at_once):
                yield ordered[first : first + rows_at_once]
