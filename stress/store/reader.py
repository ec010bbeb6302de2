"""Read a run file: the answers that the analysis needs (`stress.model.run.Run`).

A run file may come from anywhere and may be damaged, so nothing in it is trusted
(`stress.store.opening`): its views are never used, values are checked for their types and ranges,
and whatever cannot be read becomes a `RunFileError`.

A reader sees one moment: it holds a read transaction from `open_run` to `close`, so that all its
answers agree although the run may go on. What the writer has not counted yet (the last seconds of a
run that goes on, or what came before a kill) is counted here from the rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from types import GenericAlias, TracebackType
from typing import Any, Self, TypeVar

import msgspec

from stress.measure import Histogram
from stress.model.attributes import APART, ATTRIBUTES, Form
from stress.model.chain import Finding, Refusal, Verdict
from stress.model.outcome import OK, Category
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
from stress.store.opening import (
    BATCH,
    LONG,
    SHORT,
    Bit,
    Digest,
    Moment,
    Port,
    Second,
    Span,
    Text,
    Whole,
    Width,
    check_numbers,
    checked,
    connect,
    fetch_all,
    reading,
    release,
)
from stress.store.schema import (
    MOST_TRANSCRIPT_BYTES,
    decode_transcript,
    read_plan,
    text_columns,
    view_text,
)
from stress.store.tally import Block, Counts

_T = TypeVar("_T")
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
_GOOD = f"{_ALL}WHERE attempt_group.outcome = '{OK.name}' AND attempt.arrival % ? = 0"
_FLAGS = [Record._fields.index(each.name) for each in ATTRIBUTES if each.form is Form.FLAG]
_RANGES: dict[str, Any] = {"due_ns": Moment, "started_ns": Moment, "local_port": Port}
_RANGES |= {each.name: Span for each in ATTRIBUTES if each.measured and each.name.endswith("_ns")}


def _row_of(columns: Sequence[str], kinds: Mapping[str, Any]) -> Any:
    """The type of a row with these columns; those without a kind of their own are whole numbers.

    Rows are checked many at a time: to understand such a type takes longer than to check a row.
    """
    return GenericAlias(tuple, tuple(kinds.get(name, Whole) | None for name in columns))


_RECORD = _row_of(
    Record._fields,
    {
        **_RANGES,
        **{each.name: Text for each in ATTRIBUTES if each.form is Form.TEXT},
        **{each.name: Bit for each in ATTRIBUTES if each.form is Form.FLAG},
        "detail": Text,
        "chain": Digest,
    },
)


class RunFile:
    """A recorded run; made by `open_run`, closed by `close` or a `with` statement."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        sql = "SELECT key, value FROM meta"
        self._meta = dict(fetch_all(connection, sql, tuple[str, str], longest=LONG))
        self._origin = checked(int(self._meta["started_ns"]), Moment)
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
        """Close the file; may be called again."""
        release(self._connection)

    def facts(self) -> RunFacts:
        """The run as a whole."""
        with reading(self._path):
            meta = self._meta
            end = self._run_end()
            sql = "SELECT der FROM anchor ORDER BY position"
            anchors = self._all(sql, tuple[bytes], longest=LONG)
            recorded = self._counts.recorded
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
                started=max(checked(int(meta["started"]), Whole), recorded),
                recorded=recorded,
                versions=msgspec.json.decode(meta["versions"], type=dict[str, str]),
                reasons=end.reasons if end else (),
                invalid=end.invalid if end else False,
                lag_p99_ns=end.lag_p99_ns if end else None,
                limits=end.limits if end else (),
                # Without an end mark: what was known at the start.
                stood_ns=end.stood_ns if end else checked(int(meta.get("stood_ns", "0")), Span),
                host=meta["host"],
                first_ns=None if first is None else self._origin + first,
                last_ns=None if last is None else self._origin + last,
            )

    def addresses(self) -> Sequence[Address]:
        """By index."""
        with reading(self._path):
            rows = self._all(
                "SELECT id, ip, port, label FROM address ORDER BY id",
                tuple[int, str, Port, Text | None],
            )
            check_numbers([number for number, *_ in rows])
            for _, ip, *_ in rows:
                ip_address(ip)
            return [Address(ip, port, label) for _, ip, port, label in rows]

    def chains(self) -> Sequence[SeenChain]:
        """Ordered by id."""
        with reading(self._path):
            seen = self._counts.seen_by_chain()
            spans = self._counts.spans_by_chain()
            sql = "SELECT id, der FROM certificate"
            ders = dict(self._all(sql, tuple[int, bytes], longest=LONG))
            certificates: dict[int, list[bytes]] = {}
            for chain, position, number in self._all(
                "SELECT chain, position, certificate FROM chain_certificate "
                "ORDER BY chain, position",
                tuple[int, int, int],
            ):
                sent = certificates.setdefault(chain, [])
                if position != len(sent):
                    raise ValueError("a chain has gaps")
                sent.append(ders[number])
            if any(sum(map(len, sent)) > LONG for sent in certificates.values()):
                raise ValueError("a chain is longer than TLS can send")
            rows = self._all("SELECT id, sha256 FROM chain ORDER BY id", tuple[int, Digest])
            return [
                SeenChain(
                    number,
                    digest,
                    tuple(certificates.get(number, ())),
                    seen[number],
                    *spans[number],
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
                tuple[int, str, Whole | None, Text, str],
            ):
                finding = Finding(Category(category), position, detail, Refusal(refusal))
                findings.setdefault(number, []).append(finding)
            rows = self._all(
                "SELECT verdict.id, sha256, policy, host, at, families FROM verdict "
                "JOIN chain ON chain.id = verdict.chain ORDER BY verdict.id",
                tuple[int, bytes, Text, Text, Second, str],
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
            stored = self._all(
                "SELECT port, attempts, failures FROM port", tuple[Port, Whole, Whole]
            )
            if self._run_end() and stored:
                if any(failures > attempts for _, attempts, failures in stored):
                    raise ValueError("a port has more failures than attempts")
                if sum(attempts for _, attempts, _ in stored) > self._counts.recorded:
                    raise ValueError("ports have more attempts than there are")
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
                tuple[Phase, str, Block, str, Whole],
            )
            if self._run_end() and any(block >= 0 for _, _, block, _, _ in stored):
                rows = [
                    HistogramRow(phase, outcome == "ok", block, hdr.encode("ascii"), clamped)
                    for phase, outcome, block, hdr, clamped in stored
                ]
                for row in rows:
                    # Raises where it is damaged.
                    if Histogram.decode(row.hdr).count > self._counts.recorded:
                        raise ValueError("a histogram has more values than there are attempts")
                return rows
            latency = self._counts.whole.latency
            return [
                HistogramRow(key.phase, key.good, key.block, histogram.encode(), histogram.clamped)
                for key, histogram in [*latency.whole().items(), *latency.blocks()]
            ]

    def histogram_block_ns(self) -> int:
        """Width of the blocks of `histograms`; block 0 starts with the run."""
        with reading(self._path):
            stored = self._meta.get("histogram_block_ns")
            return checked(int(stored), Width) if stored else self._counts.whole.latency.block_ns

    def failures(self, limit: int) -> Iterator[Record]:
        """The first `limit` failures of the target, by id."""
        return self._records(_FAILURES, limit)

    def good(self, most: int) -> Iterator[Record]:
        """Good attempts; where there are more than `most`, every second, third … attempt."""
        with reading(self._path):
            step = -(-self._counts.recorded // most)
        return self._records(_GOOD, max(1, step))

    def records(self) -> Iterator[Record]:
        """All attempts, in the order in which they ended."""
        return self._records(_ALL)

    def transcripts(self) -> Iterator[Transcript]:
        """Evidence of single attempts, in the order in which it was recorded."""
        left, last = MOST_TRANSCRIPT_BYTES + 20 * self._path.stat().st_size, -1
        with reading(self._path):
            self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONG)  # it reads a row ahead
            cursor = self._connection.execute("SELECT id, transcript FROM evidence ORDER BY id")
        for number, blob in self._fetch(cursor, longest=LONG, at_once=1):
            with reading(self._path):
                transcript = decode_transcript(checked(blob, bytes))
                left -= transcript.bytes_kept + 100 * len(transcript.flights)
                if left < 0 or number <= last:
                    raise ValueError("it has more evidence than its size allows")
            last = number
            yield transcript

    def handshakes(self) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        """The columns of the view `handshake`, and its rows."""
        with reading(self._path):
            cursor = self._connection.execute(view_text("handshake"))
            names = [column[0] for column in cursor.description]
            kind = _row_of(names, _RANGES | dict.fromkeys(text_columns(), Text))
            self._counts.recorded  # noqa: B018 - raises where there are more rows than that
        return names, self._fetch(cursor, kind)

    def _all(self, sql: str, kind: type[_T], *, longest: int = SHORT) -> list[_T]:
        return fetch_all(self._connection, sql, kind, longest=longest)

    def _run_end(self) -> RunEnd | None:
        text = self._meta.get("ending")
        if not text:
            return None
        end = msgspec.json.decode(text, type=RunEnd)
        numbers = end.ended_ns, end.started, end.stood_ns, end.lag_p99_ns
        checked(numbers, tuple[Moment, Whole, Span, Span | None])
        return end

    def _records(self, sql: str, *values: int) -> Iterator[Record]:
        with reading(self._path):
            self._counts.recorded  # noqa: B018 - raises where there are more rows than that
            cursor = self._connection.execute(sql, [self._origin, self._origin, *values])
        for row in self._fetch(cursor, _RECORD):
            fields = list(row)
            for place in _FLAGS:
                if fields[place] is not None:
                    fields[place] = bool(fields[place])
            yield Record._make(fields)

    def _fetch(
        self,
        cursor: sqlite3.Cursor,
        kind: Any = tuple[Any, ...],
        *,
        longest: int = SHORT,
        at_once: int = BATCH,
    ) -> Iterator[Sequence[Any]]:
        while True:
            with reading(self._path):
                self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)
                batch: list[Any] = checked(cursor.fetchmany(at_once), list[kind])
            if not batch:
                return
            yield from batch


def open_run(path: Path) -> RunFile:
    """The run in a file, as it is at this moment; close it after use.

    Raises:
        RunFileError: it is missing, is not a run file, has a newer schema, or is damaged.
    """
    with reading(path):
        connection = connect(path)
        try:
            return RunFile(path, connection)
        except BaseException:
            connection.close()
            raise
