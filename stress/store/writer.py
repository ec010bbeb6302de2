"""Write a run into its file while it goes on.

What holds here, and what is subtle:

* One connection, one thread. A transaction is open from the first statement until `commit`, which
  the engine calls at least once a second; readers see what was committed (WAL). We commit earlier
  when many rows have come, so that a full disk takes no more than 2,000 rows with it.
* Rows are numbered in the order in which they come (`arrival`), so the file only grows at its end,
  and a mark (`meta.counted`) says up to which row the stored counts go. A reader counts the rest.
* Counts are stored as differences every few commits, so the memory of a run stays flat.
* Statements are assembled whole before the first is executed: whatever fails on the way
  (`stress.store.catalog` keeps and repeats it), each attempt is counted exactly once.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain as joined
from itertools import islice
from operator import sub
from pathlib import Path
from typing import Any

import msgspec

from stress.errors import RecordError
from stress.model.attributes import APART
from stress.model.chain import Chain, Verdict
from stress.model.observer import Sink
from stress.model.plan import Address, Plan
from stress.model.record import Record
from stress.model.run import RunEnd, Vantage
from stress.model.transcript import Transcript
from stress.store.catalog import FAILURES, Catalog, Journal, Statement, insert_many
from stress.store.reader import RunFile
from stress.store.schema import (
    FIRST_BLOCK_NS,
    WORTH_KEEPING,
    create_file,
    decode_transcript,
    encode_transcript,
    insert_into,
    vantage_row,
)
from stress.store.tally import Columns, Tally

_COMMITS_BETWEEN_COUNTS = 10
_ROWS_AT_ONCE = 1000
"""Rows that are written at once; as many are committed, so at most twice as many are at risk."""
SET_META = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
_ADD_CELLS = "ON CONFLICT (block, attempt_group) DO UPDATE SET count = count + excluded.count"
# Blocks are merged through negative numbers, so that no number is taken twice on the way.
_MERGE_CELLS = (
    "INSERT INTO cell SELECT -1 - block / ?, attempt_group, sum(count) FROM cell GROUP BY 1, 2",
    "DELETE FROM cell WHERE block >= 0",
    "UPDATE cell SET block = -1 - block",
)


class RunWriter:
    """Stores what the engine saw in a run file; a `stress.model.observer.Sink`.

    Args:
        path: of the new file: a name got from `reserve`, or a file that does not exist.
        plan: what the run will do.
        started_ns: Unix time of the start, nanoseconds.
        versions: tool, Python, TLS libraries and their flags, kernel.
        host: from where the run is made.
        stood_ns: how long nothing was dialled so far, in a run that resumes another.
        before: attempts that had begun in that other run.
        vantages: the machines whose runs are merged in it.

    Raises:
        RunFileError: there is a file of this name already.
        UsageError: no file can be made there.
    """

    def __init__(
        self,
        path: Path,
        plan: Plan,
        *,
        started_ns: int,
        versions: Mapping[str, str],
        host: str,
        stood_ns: int = 0,
        before: int = 0,
        vantages: Sequence[Vantage] = (),
    ) -> None:
        import numpy as np  # noqa: F401, PLC0415 - to count with: now, and not while others wait

        connection = create_file(
            path, plan, started_ns=started_ns, versions=versions, host=host, stood_ns=stood_ns
        )
        self._journal = Journal(path, connection)
        self._started_ns = started_ns
        self._before = before
        self._catalog = Catalog()
        self._tally = Tally(self._catalog.treatments)
        self._stored_block_ns = FIRST_BLOCK_NS
        self._arrived = 0
        self._elsewhere = 0
        self._committed = 0
        self._commits = 0
        self._started = 0
        self._closed = False
        rows = [(index, *vantage_row(vantage)) for index, vantage in enumerate(vantages)]
        self._write([(insert_into("vantage", 11), rows)])

    @property
    def taken(self) -> int:
        """Attempts that were added."""
        return self._arrived

    @property
    def unwritten(self) -> int:
        """Attempts that were added and are not yet durable."""
        return self._arrived - self._committed

    def add_address(self, index: int, address: Address) -> None:
        """An address joined the run under this index."""
        row = (index, str(address), address.ip, address.port, address.label)
        self._write([("INSERT OR REPLACE INTO address VALUES (?, ?, ?, ?, ?)", [row])])

    def add_chain(self, chain: Chain, verdicts: Sequence[Verdict]) -> None:
        """A chain was met for the first time and judged."""
        self._write(self._catalog.chain_statements(chain, verdicts))

    def add_records(self, records: Sequence[Record]) -> None:
        """Write attempts that ended.

        Raises:
            RecordError: they could not be written; they are kept and tried again.
        """
        failure: RecordError | None = None
        for first in range(0, len(records), _ROWS_AT_ONCE):
            try:
                self._add(records[first : first + _ROWS_AT_ONCE])
                if self.unwritten >= _ROWS_AT_ONCE:
                    self._make_durable()
            except RecordError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def _add(self, records: Sequence[Record]) -> None:
        of: Any = Record._make(zip(*records, strict=True))
        groups, statements = self._catalog.groups(records)
        origin = self._started_ns
        arrivals = range(self._arrived + 1, self._arrived + 1 + len(records))
        columns = Columns(
            arrival=arrivals,
            lead=list(map(sub, of.id, arrivals)),
            attempt_group=groups,
            due=[due_ns - origin for due_ns in of.due_ns],
            late=list(map(sub, of.started_ns, of.due_ns)),
            port=of.local_port,
            connect=of.connect_ns,
            server=of.server_ns,
            handshake=of.handshake_ns,
            total=of.total_ns,
            lag=of.lag_ns,
            bytes=of.bytes_received,
        )
        fresh: list[tuple[object, ...]] = []
        details = [
            text if text is None else self._catalog.detail(text, fresh) for text in of.detail
        ]
        statements.append((insert_into("detail", 2), fresh))
        statements.append((insert_into("attempt", len(columns)), columns.rows()))
        # A remark for each failure of the target, and for whatever has a detail.
        treatments = self._catalog.treatments
        failing = {group for group in set(groups) if treatments[group] in FAILURES}
        remarks = [
            (arrival, number)
            for number, arrival, group in zip(details, arrivals, groups, strict=True)
            if number is not None or group in failing
        ]
        statements.append((insert_into("remark", 2), remarks))
        for each in APART:
            values = getattr(of, each.name)
            if values.count(None) < len(values):
                rows = [(a, n) for a, n in zip(arrivals, values, strict=True) if n is not None]
                statements.append((insert_into(each.name, 2), rows))
        self._arrived += len(arrivals)
        self._tally.add(columns)
        self._write(statements)

    def add_transcripts(self, transcripts: Sequence[Transcript]) -> None:
        """Write evidence of attempts that were added.

        Raises:
            RecordError: as for `take`.
        """
        rows = [
            (None, each.record.id, each.role.value, encode_transcript(each)) for each in transcripts
        ]
        self._write([(insert_into("evidence", 4), rows)])

    def commit(self, started: int) -> None:
        """Make all that was added durable.

        Raises:
            RecordError: it could not be written; it is kept and tried again.
        """
        self._started = max(self._before + started, self._started)
        statements: list[Statement] = [(SET_META, [("started", str(self._started))])]
        self._commits += 1
        if self._commits % _COMMITS_BETWEEN_COUNTS == 0:
            statements += self._counts()
        self._write(statements)
        self._make_durable()

    def finish(self, ending: RunEnd) -> None:
        """Write the end mark and all counts, make one file of it, and close it.

        Raises:
            RecordError: what is left could not be written; it may be tried again.
        """
        end = replace(ending, started=max(self._before + ending.started, self._started))
        latency, failed = self._tally.latency, self._tally.failed_ports
        large = self._elsewhere or self._arrived >= WORTH_KEEPING
        # One after the other: all of them unpacked at once would take more than the run did.
        histograms = [
            (
                key.phase.value,
                "ok" if key.good else "failed",
                key.block,
                histogram.count,
                histogram.clamped,
                histogram.encode().decode(),
            )
            for key, histogram in joined(latency.whole().items(), latency.blocks() if large else ())
        ]
        ports = [(port, n, failed[port]) for port, n in self._tally.ports.items()] if large else []
        meta = [
            ("started", str(end.started)),
            ("ending", msgspec.json.encode(end).decode()),
            ("histogram_block_ns", str(latency.block_ns)),
        ]
        self._write(
            [
                *self._counts(),
                ("INSERT OR REPLACE INTO histogram VALUES (?, ?, ?, ?, ?, ?)", histograms),
                ("INSERT OR REPLACE INTO port VALUES (?, ?, ?)", ports),
                (SET_META, meta),
            ]
        )
        self._make_durable()
        if self._elsewhere:  # a small file, to be carried
            self._journal.fill_pages()
        self.close()

    def close(self) -> None:
        """Save what can be saved and close the file; may be called again.

        Without `finish` the run has no end mark.
        """
        if not self._closed:
            self._closed = True
            with suppress(RecordError):
                self._journal.commit()
            self._journal.close()

    def _write(self, statements: Sequence[Statement]) -> None:
        if self._closed:
            raise RecordError("the run file is closed already")
        self._journal.write(statements)

    def _make_durable(self) -> None:
        self._journal.commit()
        self._committed = self._arrived

    def _counts(self) -> list[Statement]:
        """What the tally counted since the last time, and the mark that says so."""
        tally = self._tally
        statements: list[Statement] = []
        factor = tally.block_ns // self._stored_block_ns
        if factor > 1:
            merge, forget, turn = _MERGE_CELLS
            statements += [(merge, [(factor,)]), (forget, [()]), (turn, [()])]
            self._stored_block_ns = tally.block_ns
        cells = tally.take_cells()  # in the order of the key: pages are filled one after the other
        origin = self._started_ns
        touched = {group for _, group, _ in cells}
        spans = [(origin + tally.first[g], origin + tally.last[g], g) for g in touched]
        counted = self._arrived + self._elsewhere
        marks = [("counted", str(counted)), ("block_ns", str(tally.block_ns))]
        return [
            *statements,
            *insert_many("cell", "(?, ?, ?)", list(joined.from_iterable(cells)), _ADD_CELLS),
            ("UPDATE attempt_group SET first_ns = ?, last_ns = ? WHERE id = ?", spans),
            (SET_META, marks),
        ]


def leave_behind(path: Path, *, rows: Path | None, secrets: Path | None) -> None:
    """Note in the finished file of one vantage what does not travel with it.

    Args:
        path: of the file that will travel.
        rows: the file with all rows of its attempts; None: this one has them.
        secrets: a new file, which gets the TLS secrets of its evidence, as lines of a key log
            (draft-ietf-tls-keylogfile); it is not made where there are none. None: they travel.

    Raises:
        RecordError: one of both files could not be written.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    journal = Journal(path, connection)
    try:
        connection.execute("PRAGMA secure_delete = ON")  # nothing may stay in what becomes free
        changed: list[tuple[object, ...]] = []
        lines: list[str] = []
        if secrets is not None:
            for number, blob in connection.execute("SELECT id, transcript FROM evidence"):
                transcript = decode_transcript(blob)
                lines += transcript.secrets
                changed.append((encode_transcript(replace(transcript, secrets=())), number))
        if secrets is not None and lines:
            with os.fdopen(os.open(secrets, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as f:
                f.writelines(f"{line}\n" for line in lines)
        statements: list[Statement] = [("UPDATE vantage SET rows = ?", [(str(rows or ""),)])]
        if lines:
            statements += [
                ("UPDATE vantage SET secrets = ?", [(str(secrets),)]),
                ("UPDATE evidence SET transcript = ? WHERE id = ?", changed),
            ]
        try:
            journal.write(statements)
            journal.commit()
        except RecordError:  # a full disk has no room for what could be undone
            journal.trust_the_machine()
            journal.commit()
    except OSError as error:
        why = f"cannot write {secrets}: {error.strerror}"
        raise RecordError(why, "Free some space there.") from error
    except sqlite3.Error as error:
        raise RecordError(f"the run file {path} cannot be read again: {error}") from error
    finally:
        journal.close()


# Resume: copy an interrupted run into a new file and append.
#
# The file of the interrupted run is somebody's evidence and stays as it is. The new file holds both
# parts as one run: the same start, the rows of the first part as they were, and counts that include
# them (`RunWriter(before=...)`).

_BATCH = 5_000
NO_BACKENDS: Mapping[int, str] = {}


def extent(run: RunFile) -> tuple[int, int]:
    """How far a run came; reads all its rows.

    Returns:
        An id above those of all its rows, and of attempts that left none; and the Unix time of the
        latest start, which is that of the run where it has no row.
    """
    facts = run.facts()
    next_id, last_ns = facts.started, facts.started_ns
    for record in run.records():
        next_id, last_ns = max(next_id, record.id + 1), max(last_ns, record.started_ns)
    return next_id, last_ns


def copy_chains(run: RunFile, sink: Sink) -> None:
    """Copy the chains of a run into a sink, with their verdicts."""
    verdicts = run.verdicts()
    for digest, certificates in run.sent().values():
        if certificates:  # without them it is known by its rows alone
            about = [verdict for verdict in verdicts if verdict.chain == digest]
            sink.add_chain(Chain(certificates), about)


def copy_run(run: RunFile, sink: Sink, backends: Mapping[int, str] = NO_BACKENDS) -> None:
    """Copy everything that a run holds into a sink.

    Args:
        run: an open run.
        sink: where it goes.
        backends: which server answered, by the place of the attempt in the run; the others get
            none.

    Raises:
        RunFileError: the run is damaged.
        RecordError: the sink cannot store it.
    """
    for index, address in enumerate(run.addresses()):
        sink.add_address(index, address)
    copy_chains(run, sink)
    records = (
        record if backends is NO_BACKENDS else record._replace(backend=backends.get(place))
        for place, record in enumerate(run.records())
    )
    while batch := list(islice(records, _BATCH)):
        sink.add_records(batch)
    transcripts = run.transcripts()
    while kept := list(islice(transcripts, 10)):
        sink.add_transcripts(kept)
