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
from functools import cached_property
from operator import gt
from pathlib import Path
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypeVar

from stress.measure import Histogram
from stress.model.attributes import APART, ATTRIBUTES, Form
from stress.model.chain import Finding, Refusal, Verdict
from stress.model.outcome import OK, Category
from stress.model.plan import Address, Plan, check_place
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
    Vantage,
)
from stress.model.transcript import Transcript
from stress.store.counts import Block, Counts
from stress.store.opening import (
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
    fetch,
    fetch_all,
    reading,
    release,
)
from stress.store.schema import (
    MOST_TRANSCRIPT_BYTES,
    decode_transcript,
    decoded,
    group_query,
    naming,
    read_plan,
    text_columns,
    view_text,
)
from stress.store.tally import WHOLE_RUN, Sums

if TYPE_CHECKING:
    from stress.store.tally import Integers

_T = TypeVar("_T")
_COLUMNS = {
    "id": "attempt.arrival + attempt.lead",
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
_APART_JOINS = "".join(
    f"LEFT JOIN {each.name} ON {each.name}.arrival = attempt.arrival " for each in APART
)
_RECORDS = (
    f"SELECT {', '.join(f'{_COLUMNS[field]} AS {field}' for field in Record._fields)} "  # noqa: S608 - our names
    "FROM {rows} "
    "JOIN attempt_group ON attempt_group.id = attempt.attempt_group "
    "LEFT JOIN chain ON chain.id = attempt_group.chain "
    "LEFT JOIN detail ON detail.id = remark.detail "
    f"{_APART_JOINS}"
)
_ALL = _RECORDS.format(rows="attempt LEFT JOIN remark ON remark.arrival = attempt.arrival")
_FAILURES = (
    _RECORDS.format(rows="remark JOIN attempt ON attempt.arrival = remark.arrival")
    + "WHERE side = 'target' ORDER BY id LIMIT ?"
)
_GOOD = f"{_ALL}WHERE attempt_group.outcome = '{OK.name}' AND "
LOTS = (1 << 31) - 1
"""A prime: of so many lots each attempt of a merged run draws one, by the moment of its end. So
each file knows its part of the sample of all of them, which has those that drew the lowest."""
FACTOR = 1_597_334_677
LOT = f"(? + attempt.due + attempt.total) % {LOTS} * {FACTOR} % {LOTS}"
"""What an attempt drew; the value is the Unix time of the start."""
_FLAGS = [Record._fields.index(each.name) for each in ATTRIBUTES if each.form is Form.FLAG]
_MOST_VANTAGES = 10_000
_NEAR = 50_000
"""Rows come as attempts end: among so many at each end of a run are its first and its last attempt.
To look through all rows takes seconds in a long run."""
_FEW_KIB = 100
_EMPTY = Literal[""]
_RANGES: dict[str, Any] = {"due_ns": Moment, "started_ns": Moment, "local_port": Port}
_RANGES |= {each.name: Span for each in ATTRIBUTES if each.measured and each.name.endswith("_ns")}


def _row_of(columns: Sequence[str], kinds: Mapping[str, Any]) -> Any:
    """The type of a row with these columns; those without a kind of their own are whole numbers."""
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


class GroupedRows(NamedTuple):
    """The rows of the view `handshake`, taken apart."""

    own: Sequence[str]
    """The columns in which attempts of a group differ."""
    shared: Sequence[str]
    """The others."""
    groups: Mapping[int, Sequence[Any]]
    """What is in the shared columns, by group."""
    rows: Iterator[Sequence[Any]]
    """What is in the own columns, empty text for NULL, and last the group."""


class RunFile:
    """A recorded run; made by `open_run`, closed by `close` or a `with` statement."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, *, made_now: bool = False
    ) -> None:
        self._path = path
        self._made_now = made_now
        self._connection = connection
        sql = "SELECT key, value FROM meta"
        meta = dict(fetch_all(connection, sql, tuple[str, str], longest=LONG))
        self.meta: Mapping[str, str] = meta
        self._origin = checked("meta.started_ns", self.meta["started_ns"], Moment)
        self._counts = Counts(connection, self.meta)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def forget(self) -> None:
        """Free what memory keeps of the file, and keep less from now on: for many that are open."""
        self._connection.execute(f"PRAGMA cache_size = {-_FEW_KIB}")
        self._connection.execute("PRAGMA shrink_memory")
        self._counts.forget()

    def close(self) -> None:
        """Close the file; may be called again."""
        release(self._connection)

    def facts(self) -> RunFacts:
        """The run as a whole."""
        with reading(self._path):
            meta = self.meta
            end = self._run_end()
            sql = "SELECT der FROM anchor ORDER BY position"
            anchors = self._all(sql, tuple[bytes], longest=LONG)
            recorded = self._counts.recorded
            plan = read_plan(meta["plan"], [der for (der,) in anchors])
            first_ns, last_ns = self._span(plan)
            stood_ns = checked("meta.stood_ns", meta.get("stood_ns", "0"), Span)
            return RunFacts(
                name=self._path.stem,
                file=str(self._path),
                plan=plan,
                started_ns=self._origin,
                ended_ns=end.ended_ns if end else None,
                end=end.end if end else End.UNFINISHED,
                started=max(checked("meta.started", meta["started"], Whole), recorded),
                recorded=recorded,
                versions=decoded("versions", meta["versions"], dict[str, str]),
                reasons=end.reasons if end else (),
                invalid=end.invalid if end else False,
                lag_p99_ns=end.lag_p99_ns if end else None,
                limits=end.limits if end else (),
                joined=end.joined if end else None,
                matrix=end.matrix if end else None,
                # Without an end mark: what was known at the start.
                stood_ns=end.stood_ns if end else stood_ns,
                host=meta["host"],
                first_ns=first_ns,
                last_ns=last_ns,
                made_now=self._made_now,
                vantages=self._vantages,
            )

    def _span(self, plan: Plan) -> tuple[int | None, int | None]:
        """Unix time at which the first attempt was due, and of the last one (`RunFacts`)."""
        if self._counts.elsewhere:
            first, last = (self.meta[name] for name in ("first_ns", "last_ns"))
            return checked("meta.first_ns", first, Moment), checked("meta.last_ns", last, Moment)
        ((first_due,),) = self._all(
            f"SELECT min(due) FROM attempt WHERE arrival <= {_NEAR}",  # noqa: S608 - a number
            tuple[int | None],
        )
        near = self._counts.recorded - _NEAR
        ((due, ended),) = self._all(
            f"SELECT max(due), max(due + total) FROM attempt WHERE arrival > {near}",  # noqa: S608 - a number
            tuple[int | None, int | None],
        )
        last_due = due if plan.load.rate or plan.load.segments else ended
        if first_due is None or last_due is None:
            return None, None
        return self._origin + first_due, self._origin + last_due

    @cached_property
    def _vantages(self) -> tuple[Vantage, ...]:
        rows = self._all(
            "SELECT id, name, host, started_ns, networks, versions, answers, offset_ns, error_ns, "  # noqa: S608 - a number
            f"rows, secrets FROM vantage ORDER BY id LIMIT {_MOST_VANTAGES + 1}",
            tuple[int, Text, Text, Moment, str, str, str, Span | None, Span | None, Text, Text],
        )
        check_numbers([number for number, *_ in rows])
        if len(rows) > _MOST_VANTAGES:
            raise ValueError(f"it has more than {_MOST_VANTAGES:,} vantages")
        return tuple(
            Vantage(
                name,
                host,
                started_ns,
                decoded("vantage.networks", networks, tuple[str, ...]),
                decoded("vantage.versions", versions, dict[str, str]),
                decoded("vantage.answers", answers, tuple[str, ...]),
                offset_ns,
                error_ns,
                there,
                secrets,
            )
            for (
                _,
                name,
                host,
                started_ns,
                networks,
                versions,
                answers,
                offset_ns,
                error_ns,
                there,
                secrets,
            ) in rows
        )

    def addresses(self) -> Sequence[Address]:
        """By index."""
        with reading(self._path):
            rows = self._all(
                "SELECT id, ip, port, label FROM address ORDER BY id",
                tuple[int, str, Port, Text | None],
            )
            check_numbers([number for number, *_ in rows])
            with naming("address.ip"):
                names = read_plan(self.meta["plan"], ()).proxy is not None
                for _, ip, *_ in rows:
                    check_place(ip, names=names)
            return [Address(ip, port, label) for _, ip, port, label in rows]

    def chains(self) -> Sequence[SeenChain]:
        """Ordered by id."""
        with reading(self._path):
            met = self._counts.by_chain()
            return [
                SeenChain(number, digest, certificates, *met[number])
                for number, (digest, certificates) in self.sent().items()
                if number in met
            ]

    def sent(self) -> Mapping[int, tuple[bytes, tuple[bytes, ...]]]:
        """SHA-256 and certificates of each chain, by id; some are known by their SHA-256 alone."""
        with reading(self._path):
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
            return {
                number: (digest, tuple(certificates.get(number, ()))) for number, digest in rows
            }

    def verdicts(self) -> Sequence[Verdict]:
        """In the order in which they were made."""
        with reading(self._path):
            findings: dict[int, list[Finding]] = {}
            for number, category, position, detail, refusal, versions in self._all(
                "SELECT verdict, category, position, detail, refusal, versions FROM finding "
                "ORDER BY verdict, rank",
                tuple[int, str, Whole | None, Text, str, Text | None],
            ):
                with naming("finding"):
                    finding = Finding(
                        Category(category), position, detail, Refusal(refusal), versions or ""
                    )
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
                    decoded("verdict.families", families, tuple[str, ...]),
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
            stored = self._stored_ports(self._counts.recorded)
            if (self._run_end() and stored) or self._counts.elsewhere:
                return stored
            tally = self._counts.whole
            return [
                PortCount(port, attempts, tally.failed_ports[port])
                for port, attempts in sorted(tally.ports.items())
            ]

    def histograms(self) -> Sequence[HistogramRow]:
        """Of the whole run (block -1), including empty ones, and of each time block."""
        return self._histograms

    @cached_property
    def _histograms(self) -> Sequence[HistogramRow]:
        with reading(self._path):
            stored = self._stored_histograms()
            if self._run_end() and any(row.block >= 0 for row in stored):
                for row in stored:
                    # Raises where it is damaged.
                    if Histogram.decode(row.hdr).count > self._counts.recorded:
                        raise ValueError("a histogram has more values than there are attempts")
                return stored
            latency = self._counts.whole.latency
            return [
                HistogramRow(key.phase, key.good, key.block, histogram.encode(), histogram.clamped)
                for key, histogram in [*latency.whole().items(), *latency.blocks()]
            ]

    def _stored_ports(self, most: int) -> Sequence[PortCount]:
        """The counts by port in the file, of at most so many attempts."""
        rows = self._all("SELECT port, attempts, failures FROM port", tuple[Port, Whole, Whole])
        counts = list(map(PortCount._make, rows))  # by the thousand of a thousand files: no loops
        _, attempts, failures = zip(*counts, strict=True) if counts else ((), (), ())
        if any(map(gt, failures, attempts)):
            raise ValueError("a port has more failures than attempts")
        if sum(attempts) > most:
            raise ValueError("ports have more attempts than there are")
        return counts

    def _stored_histograms(self) -> Sequence[HistogramRow]:
        return [
            HistogramRow(phase, outcome == "ok", block, hdr.encode("ascii"), clamped)
            for phase, outcome, block, hdr, clamped in self._all(
                "SELECT phase, outcome, block, hdr, clamped FROM histogram",
                tuple[Phase, str, Block, str, Whole],
            )
        ]

    def histogram_block_ns(self) -> int:
        """Width of the blocks of `histograms`; block 0 starts with the run."""
        with reading(self._path):
            stored = self.meta.get("histogram_block_ns")
            if stored:
                return checked("meta.histogram_block_ns", stored, Width)
            return self._counts.whole.latency.block_ns

    def failures(self, limit: int) -> Iterator[Record]:
        """The first `limit` failures of the target, by id."""
        return self._records(_FAILURES, limit)

    def good(self, most: int) -> Iterator[Record]:
        """Good attempts; where there are more than `most`, every second, third … attempt.

        Of a merged run about as many, by lot.
        """
        with reading(self._path):
            step = max(1, -(-self._counts.recorded // most))
            merged = bool(self._vantages)
        if merged:
            return self._records(f"{_GOOD}{LOT} < ?", self._origin, LOTS // step)
        return self._records(f"{_GOOD}attempt.arrival % ? = 0", step)

    def records(self) -> Iterator[Record]:
        """All attempts, in the order in which they ended."""
        return self._records(_ALL)

    def transcripts(self) -> Iterator[Transcript]:
        """Evidence of single attempts, in the order in which it was recorded."""
        left, last = MOST_TRANSCRIPT_BYTES + 20 * self._path.stat().st_size, -1
        sql = "SELECT id, transcript FROM evidence ORDER BY id"
        for number, blob in self._fetch(sql, tuple[Whole, bytes], longest=LONG, at_once=1):
            with reading(self._path):
                transcript = decode_transcript(blob)
                left -= transcript.bytes_kept + 100 * len(transcript.flights)
                if left < 0 or number <= last:
                    raise ValueError("it has more evidence than its size allows")
            last = number
            yield transcript

    def groups(self) -> Sequence[Record]:
        """An attempt of each group, by number; only the shared attributes mean anything."""
        with reading(self._path):
            digests = dict(self._all("SELECT id, sha256 FROM chain", tuple[int | None, Digest]))
            blank = Record._make([None] * len(Record._fields))
            return [
                blank._replace(**{**shared, "chain": shared["chain"] and digests[shared["chain"]]})
                for shared in self._counts.groups()
            ]

    @property
    def recorded(self) -> int:
        """How many attempts there are."""
        with reading(self._path):
            return self._counts.recorded

    @property
    def elsewhere(self) -> int:
        """How many attempts are counted, and have no row: those stayed where they were made."""
        with reading(self._path):
            return self._counts.elsewhere

    def next_rows(self, after: int, most: int, chosen: str) -> Integers:
        """The next rows of the table `attempt` after an arrival (`Counts.next_rows`)."""
        with reading(self._path):
            return self._counts.next_rows(after, most, chosen)

    def sums(self) -> Sums:
        """What is counted."""
        with reading(self._path):
            blocks = [row for row in self._stored_histograms() if row.block != WHOLE_RUN]
            ports = self._stored_ports(self._counts.recorded)
            return self._counts.sums(ports, blocks, self.histogram_block_ns())

    def failing_id(self, rank: int) -> int | None:
        """The id of the failure of the target with this rank; None where there are not so many."""
        sql = f"SELECT id FROM ({_FAILURES}) LIMIT 1 OFFSET ?"  # noqa: S608 - our names
        with reading(self._path):
            values = (self._origin, self._origin, rank + 1, rank)
            found = next(fetch(self._connection, sql, tuple[Whole], values), None)
        return found[0][0] if found else None

    def numbers(self, sql: str, first: int, last: int) -> Mapping[int, int | None]:
        """What a query gives of the attempts between two arrivals: a whole number by arrival."""
        found: dict[int, int | None] = {}
        with reading(self._path):
            kind, rows = tuple[Whole, Whole | None], 0
            for batch in fetch(self._connection, sql, kind, (first, last)):
                found.update(batch)
                rows += len(batch)
                if rows > last - first + 1:  # pages that point at each other in circles
                    raise ValueError("it has far more rows than its size allows")
        return found

    def details(self) -> Mapping[int, str]:
        """What else was seen, by number."""
        with reading(self._path):
            return dict(self._all("SELECT id, text FROM detail", tuple[int, Text]))

    def handshakes(self) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        """The columns of the view `handshake` (text where `text_columns` says so), and its rows."""
        sql = view_text("handshake")
        with reading(self._path):
            cursor = self._connection.execute(f"{sql} LIMIT 0")
            names = [column[0] for column in cursor.description]
            self._counts.recorded  # noqa: B018 - raises where there are more rows than that
        kind = _row_of(names, _RANGES | dict.fromkeys(text_columns(), Text))
        return names, self._fetch(sql, kind)

    def handshakes_by_group(self) -> GroupedRows | None:
        """The rows of `handshakes`, with what attempts share once for each group of them."""
        with reading(self._path):
            self._counts.recorded  # noqa: B018 - raises where there are more rows than that
            names, sql = group_query()
            kind = _row_of(["group", *names], _RANGES | dict.fromkeys(text_columns(), Text))
            groups = {row[0]: row[1:] for row in self._all(sql, kind)}
        own = [name for name in self.handshakes()[0] if name not in names]
        columns = ", ".join(f"ifnull({_COLUMNS[name]}, '')" for name in own)
        kinds = [_RANGES.get(name, Text if name == "detail" else Whole) | _EMPTY for name in own]
        rows = self._fetch(
            f"SELECT {columns}, attempt_group FROM attempt {_APART_JOINS}"  # noqa: S608 - our names
            "LEFT JOIN remark ON remark.arrival = attempt.arrival "
            "LEFT JOIN detail ON detail.id = remark.detail",
            GenericAlias(tuple, (*kinds, Whole)),
            [self._origin, self._origin],
        )
        return GroupedRows(tuple(own), names, groups, rows)

    def text_columns(self) -> frozenset[str]:
        """Which columns of `handshakes` hold text; the others hold integers."""
        return text_columns()

    def _all(self, sql: str, kind: type[_T], *, longest: int = SHORT) -> list[_T]:
        return fetch_all(self._connection, sql, kind, longest=longest)

    def _run_end(self) -> RunEnd | None:
        text = self.meta.get("ending")
        if not text:
            return None
        end = decoded("ending", text, RunEnd)
        checked("ending.ended_ns", end.ended_ns, Moment)
        checked("ending.started", end.started, Whole)
        checked("ending.stood_ns", end.stood_ns, Span)
        checked("ending.lag_p99_ns", end.lag_p99_ns or 0, Span)
        if end.joined is not None:
            checked("ending.joined", end.joined.spread_ns, Span)
        if end.matrix is not None:
            for probe in end.matrix.probes:
                checked("ending.matrix", probe.offered or 0, Whole)
        return end

    def _records(self, sql: str, *values: int) -> Iterator[Record]:
        with reading(self._path):
            self._counts.recorded  # noqa: B018 - raises where there are more rows than that
        for row in self._fetch(sql, _RECORD, [self._origin, self._origin, *values]):
            fields = list(row)
            for place in _FLAGS:
                if fields[place] is not None:
                    fields[place] = bool(fields[place])
            yield Record._make(fields)

    def _fetch(self, sql: str, kind: Any, *values: Any, **limits: Any) -> Iterator[Any]:
        with reading(self._path):
            for batch in fetch(self._connection, sql, kind, *values, **limits):
                yield from batch


def open_run(path: Path, *, made_now: bool = False) -> RunFile:
    """The run in a file, as it is at this moment; close it after use.

    Args:
        path: of the file.
        made_now: this very command line made the run, and nobody else.

    Raises:
        RunFileError: it is missing, is not a run file, has a newer schema, or is damaged.
    """
    with reading(path):
        connection = connect(path)
        try:
            run = RunFile(path, connection, made_now=made_now)
            if "records" not in run.meta:
                return run
            from stress.store.records import RecordsFile  # noqa: PLC0415 - needs numpy

            return RecordsFile(path, connection)
        except BaseException:
            connection.close()
            raise
