"""Read a run file: the answers that the analysis needs (`stress.model.run.Run`).

A run file may come from anywhere and may be damaged, so nothing in it is trusted: its views are
never used, values are checked for their types, and whatever cannot be read becomes a
`RunFileError`.

A reader sees one moment: it holds a read transaction from `open_run` to `close`, so that all its
answers agree although the run may go on. What the writer has not counted yet (the last seconds of a
run that goes on, or what came before a kill) is counted here from the rows.
"""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from stress.errors import RunFileError
from stress.measure import Histogram
from stress.model.attributes import APART, ATTRIBUTES, Form
from stress.model.chain import Finding, Refusal, Verdict
from stress.model.outcome import Category
from stress.model.plan import Address
from stress.model.record import Record
from stress.model.run import (
    Cube,
    End,
    HistogramRow,
    Phase,
    PortCount,
    RunEnd,
    RunFacts,
    SeenChain,
)
from stress.model.transcript import Transcript
from stress.store.corruption import check_numbers, checked, damaged, fetch_all, reading
from stress.store.schema import (
    APPLICATION_ID,
    SCHEMA,
    decode_transcript,
    read_as_current,
    read_plan,
    view_text,
)
from stress.store.tally import Counts

_T = TypeVar("_T")
_BATCH = 2000
_COLUMNS = {
    "id": "attempt.arrival + attempt.lead AS id",
    "due_ns": "? + attempt.due",
    "started_ns": "? + attempt.due + attempt.late",
    "detail": "detail.text",
}
_COLUMNS |= {
    each.name: f"attempt.{each.measured}" if each.measured else f"attempt_group.{each.name}"
    for each in ATTRIBUTES
}
_COLUMNS |= {each.name: f"{each.name}.value" for each in APART}
_COLUMNS["chain"] = "chain.sha256"
_RECORDS = (
    f"SELECT {', '.join(_COLUMNS[field] for field in Record._fields)} "  # noqa: S608 - our names
    "FROM {rows} "
    "JOIN attempt_group ON attempt_group.id = attempt.attempt_group "
    "LEFT JOIN chain ON chain.id = attempt_group.chain "
    "LEFT JOIN detail ON detail.id = remark.detail "
) + "".join(f"LEFT JOIN {each.name} ON {each.name}.arrival = attempt.arrival " for each in APART)
_ALL = _RECORDS.format(rows="attempt LEFT JOIN remark ON remark.arrival = attempt.arrival")
_FAILURES = (
    _RECORDS.format(rows="remark JOIN attempt ON attempt.arrival = remark.arrival")
    + "WHERE side = 'target' ORDER BY id LIMIT ?"
)
_FLAGS = [Record._fields.index(each.name) for each in ATTRIBUTES if each.form is Form.FLAG]


class RunFile:
    """A recorded run; made by `open_run`, closed by `close` or a `with` statement."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        meta = fetch_all(connection, "SELECT key, value FROM meta", tuple[str, str])
        self._meta: Mapping[str, str] = dict(meta)
        self._origin = int(self._meta["started_ns"])
        self._counts = Counts(connection, self._meta)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; may be called again.

        A run that died left a log beside its file: the last to close folds it in. A run that still
        goes on holds a lock, so nothing happens to it.
        """
        with suppress(sqlite3.Error):
            self._connection.execute("ROLLBACK")
            self._connection.execute("PRAGMA query_only = OFF")
            self._connection.execute("PRAGMA busy_timeout = 0")
            self._connection.execute("PRAGMA journal_mode = DELETE").fetchone()
        self._connection.close()

    def facts(self) -> RunFacts:
        """The run as a whole."""
        with reading(self._path):
            meta = self._meta
            end = self._run_end()
            anchors = self._all("SELECT der FROM anchor ORDER BY position", tuple[bytes])
            plan = read_plan(meta["plan"], [der for (der,) in anchors])
            ((first, due, ended),) = self._all(
                "SELECT min(due), max(due), max(due + total) FROM attempt",
                tuple[int | None, int | None, int | None],
            )
            last = due if plan.load.rate or plan.load.segments else ended
            return RunFacts(
                name=self._path.stem,
                file=str(self._path),
                plan=plan,
                started_ns=self._origin,
                ended_ns=end.ended_ns if end else None,
                end=end.end if end else End.UNFINISHED,
                started=max(int(meta["started"]), self._recorded),
                recorded=self._recorded,
                versions=msgspec.json.decode(meta["versions"], type=dict[str, str]),
                reasons=end.reasons if end else (),
                invalid=end.invalid if end else False,
                lag_p99_ns=end.lag_p99_ns if end else None,
                limits=end.limits if end else (),
                # Without an end mark: what was known at the start.
                stood_ns=end.stood_ns if end else int(meta.get("stood_ns", "0")),
                host=meta["host"],
                first_ns=None if first is None else self._origin + first,
                last_ns=None if last is None else self._origin + last,
            )

    def addresses(self) -> Sequence[Address]:
        """By index."""
        with reading(self._path):
            rows = self._all(
                "SELECT id, ip, port, label FROM address ORDER BY id",
                tuple[int, str, int, str | None],
            )
            check_numbers([number for number, *_ in rows])
            return [Address(ip, port, label) for _, ip, port, label in rows]

    def chains(self) -> Sequence[SeenChain]:
        """Ordered by id."""
        with reading(self._path):
            seen = self._counts.seen_by_chain()
            spans = self._counts.spans_by_chain()
            certificates: dict[int, tuple[bytes, ...]] = {}
            for chain, der in self._all(
                "SELECT chain, der FROM chain_certificate JOIN certificate "
                "ON certificate.id = chain_certificate.certificate ORDER BY chain, position",
                tuple[int, bytes],
            ):
                certificates[chain] = (*certificates.get(chain, ()), der)
            rows = self._all("SELECT id, sha256 FROM chain ORDER BY id", tuple[int, bytes])
            return [
                SeenChain(
                    number, digest, certificates.get(number, ()), seen[number], *spans[number]
                )
                for number, digest in rows
                if seen[number]
            ]

    def verdicts(self) -> Sequence[Verdict]:
        """In the order in which they were made."""
        with reading(self._path):
            findings: dict[int, list[Finding]] = {}
            for number, category, position, detail, refusal in self._all(
                "SELECT verdict, category, position, detail, refusal FROM finding "
                "ORDER BY verdict, rank",
                tuple[int, str, int | None, str, str],
            ):
                finding = Finding(Category(category), position, detail, Refusal(refusal))
                findings.setdefault(number, []).append(finding)
            rows = self._all(
                "SELECT verdict.id, sha256, policy, host, at, families FROM verdict "
                "JOIN chain ON chain.id = verdict.chain ORDER BY verdict.id",
                tuple[int, bytes, str, str, int, str],
            )
            return [
                Verdict(
                    chain,
                    policy,
                    host,
                    at,
                    tuple(findings.get(number, ())),
                    msgspec.json.decode(families, type=tuple[str, ...]),
                )
                for number, chain, policy, host, at, families in rows
            ]

    def cube(self) -> Cube:
        """All attempts, counted by distinct attributes."""
        with reading(self._path):
            return Cube(block_ns=self._counts.block_ns, cells=self._counts.cells)

    def ports(self) -> Sequence[PortCount]:
        """Attempts and failures of the target by local port, without `ours` and `not-sent`."""
        with reading(self._path):
            stored = self._all("SELECT port, attempts, failures FROM port", tuple[int, int, int])
            if self._run_end() and stored:
                return [PortCount(*row) for row in stored]
            tally = self._counts.whole
            return [
                PortCount(port, attempts, tally.failed_ports[port])
                for port, attempts in sorted(tally.ports.items())
            ]

    def histograms(self) -> Sequence[HistogramRow]:
        """Of the whole run (block -1), including empty ones, and of each time block."""
        with reading(self._path):
            stored = self._all(
                "SELECT phase, outcome, block, hdr, clamped FROM histogram",
                tuple[str, str, int, str, int],
            )
            if self._run_end() and any(block >= 0 for _, _, block, _, _ in stored):
                for _, _, _, hdr, _ in stored:
                    Histogram.decode(hdr.encode("ascii"))  # raises where it is damaged
                return [
                    HistogramRow(Phase(phase), outcome == "ok", block, hdr.encode("ascii"), clamped)
                    for phase, outcome, block, hdr, clamped in stored
                ]
            latency = self._counts.whole.latency
            return [
                HistogramRow(key.phase, key.good, key.block, histogram.encode(), histogram.clamped)
                for key, histogram in [*latency.whole().items(), *latency.blocks()]
            ]

    def histogram_block_ns(self) -> int:
        """Width of the blocks of `histograms`; block 0 starts with the run."""
        with reading(self._path):
            stored = self._meta.get("histogram_block_ns")
            return int(stored) if stored else self._counts.whole.latency.block_ns

    def failures(self, limit: int) -> Iterator[Record]:
        """The first `limit` failures of the target, by id."""
        return self._records(_FAILURES, limit)

    def records(self) -> Iterator[Record]:
        """All attempts, in the order in which they ended."""
        return self._records(_ALL)

    def transcripts(self) -> Iterator[Transcript]:
        """Evidence of single attempts, in the order in which it was recorded."""
        with reading(self._path):
            cursor = self._connection.execute("SELECT transcript FROM evidence ORDER BY id")
        for (blob,) in self._fetch(cursor):
            with reading(self._path):
                transcript = decode_transcript(blob)
            yield transcript

    def handshakes(self) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        """The columns of the view `handshake`, and its rows."""
        with reading(self._path):
            cursor = self._connection.execute(view_text("handshake"))
            names = [column[0] for column in cursor.description]
        return names, self._fetch(cursor)

    @cached_property
    def _recorded(self) -> int:
        ((last,),) = self._all("SELECT coalesce(max(arrival), 0) FROM attempt", tuple[int])
        return last

    def _all(self, sql: str, kind: type[_T]) -> list[_T]:
        return fetch_all(self._connection, sql, kind)

    def _run_end(self) -> RunEnd | None:
        text = self._meta.get("ending")
        return msgspec.json.decode(text, type=RunEnd) if text else None

    def _records(self, sql: str, *values: int) -> Iterator[Record]:
        with reading(self._path):
            cursor = self._connection.execute(sql, [self._origin, self._origin, *values])
        for row in self._fetch(cursor):
            with reading(self._path):
                fields = list(row)
                for place in _FLAGS:
                    if fields[place] is not None:
                        fields[place] = bool(fields[place])
                record = checked(fields, Record)
            yield record

    def _fetch(self, cursor: sqlite3.Cursor) -> Iterator[Sequence[Any]]:
        while True:
            with reading(self._path):
                batch = cursor.fetchmany(_BATCH)
            if not batch:
                return
            yield from batch


# Open a run file, or say in a sentence why it cannot be opened.
#
# Opening may include recovery: a run that was killed leaves its last seconds in a log beside the
# file, which SQLite folds in when the file is opened for writing. Where that is not allowed, the
# file is opened for reading; where even the log cannot be used, without it.

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_BUSY_SECONDS = 5.0
_WAYS = ("mode=rw", "mode=ro", "immutable=1")
_FORMS = "name a run by its path or its name in the results folder; without a name: the latest"


def open_run(path: Path) -> RunFile:
    """The run in a file, as it is at this moment; close it after use.

    Raises:
        RunFileError: it is missing, is not a run file, has a newer schema, or is damaged.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise RunFileError(f"{path} is a folder, not a run file", "name a file in it")
        if not stat.S_ISREG(mode):  # reading a pipe could wait for ever
            raise RunFileError(f"{path} is not a regular file", _FORMS)
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        raise RunFileError(f"there is no run file {path}", _FORMS) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunFileError(f"cannot read {path}: {reason}") from error
    _check_header(path, header)
    with reading(path):
        connection = _connect(path)
        try:
            # `meta` is what other programs read, and so may have written.
            sql = "SELECT value FROM meta WHERE key = 'schema'"
            (schema,) = connection.execute(sql).fetchone() or ("unknown",)
            _check_schema(path, str(schema))
            return RunFile(path, connection)
        except BaseException:
            connection.close()
            raise


def _check_header(path: Path, header: bytes) -> None:
    """Check SQLite's header (https://sqlite.org/fileformat2.html, section 1.3)."""
    if not header:
        raise RunFileError(
            f"{path} is empty: its run is about to begin, or died before it did",
            "start the run again",
        )
    if not header.startswith(_MAGIC):
        raise RunFileError(f"{path} is not a run file: it is not a SQLite database", _FORMS)
    if len(header) < _HEADER_BYTES:
        raise damaged(path, "it ends in the middle of its header")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise RunFileError(
            f"{path} is not a run file: it is another program's SQLite database", _FORMS
        )
    _check_schema(path, str(int.from_bytes(header[60:64], "big")))
    pages = int.from_bytes(header[28:32], "big")
    page_bytes = int.from_bytes(header[16:18], "big")
    size = path.stat().st_size
    log_bytes = 0
    with suppress(OSError):
        log_bytes = path.with_name(f"{path.name}-wal").stat().st_size
    # With a log beside it the file may lag behind its own header for a moment.
    if size < pages * (65536 if page_bytes == 1 else page_bytes) and not log_bytes:
        raise damaged(path, f"it was cut off after {size:,} bytes")


def _check_schema(path: Path, schema: str) -> None:
    if schema.isdecimal() and int(schema) > SCHEMA:
        raise RunFileError(
            f"{path} was written by a newer version of tls-stress: it has schema {schema}, and "
            f"this version reads up to {SCHEMA}",
            "update tls-stress",
        )
    if schema not in {str(number) for number in range(1, SCHEMA + 1)}:
        raise RunFileError(
            f"{path} has the unknown schema {schema}",
            "read it with the version of tls-stress that wrote it",
        )


def _connect(path: Path) -> sqlite3.Connection:
    """A connection that has begun to read.

    Raises:
        sqlite3.Error: the last way in which it could not be opened.
    """
    uri = path.absolute().as_uri()
    for way in _WAYS:
        connection = sqlite3.connect(
            f"{uri}?{way}", uri=True, isolation_level=None, timeout=_BUSY_SECONDS
        )
        try:
            for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "temp_store = MEMORY"):
                connection.execute(f"PRAGMA {pragma}")
            read_as_current(connection)
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM meta").fetchone()
        except sqlite3.Error as error:
            connection.close()
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            closed = code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
            if not closed or way == _WAYS[-1]:
                raise
        else:
            return connection
    raise AssertionError("the last way either opens or raises")
