"""Read files of records into one table: which rows failed, when, and what is known of them.

Imported late: it needs numpy.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from stress.errors import UsageError
from stress.model.attributes import ATTRIBUTES, Form
from stress.model.outcome import OK, Kind, Side, kind_of
from stress.model.record import RecordColumn, RecordSource
from stress.model.run import MOST_BLOCKS, PortCount, Records
from stress.records.columns import (
    LONGEST_VALUE,
    Answers,
    Bytes,
    Collected,
    Latencies,
    Numbers,
    Rows,
    joined,
)
from stress.records.expression import FORMS, MOST_SHOWN, Failed, as_number, no_column, parse_failed
from stress.records.files import MOST_BROKEN, Broken, RowBatch, batches
from stress.records.times import FORMS as TIME_FORMS
from stress.records.times import Times
from stress.text.escape import printable, quoted
from stress.text.numbers import counted, percent, thousands

SOURCE = "source"
"""The dimension of the files, where there are several."""
TIMES = ("time", "timestamp", "@timestamp", "ts", "datetime", "date", "started_at", "created_at")
"""Columns that are taken for the time without being named."""
LOCAL_PORTS = ("local_port", "source_port", "src_port", "sport", "client_port", "remote_port")
"""Columns that are taken for the port from which each attempt came."""
RESERVED = frozenset({"time", "rate", "stage", "local_port"})
"""Dimensions whose values mean something else in a run of ours."""
MOST_KINDS = 6
"""Values of the failed rows that are kinds of failures of their own."""
MOST_WORDS = 1_000
"""Words for failures that are told apart while reading."""
MOST_COLUMNS = 100
PORTS = 65_536
LARGE, FEWER_BLOCKS = 2_000_000, 250
"""Rows from which on there are fewer blocks: each holds every combination of values."""
LEAST_IN_A_BLOCK = 20
"""Attempts that a block of time has on average."""
FIRST_BLOCK_NS = 1_000_000_000
SAMPLE = 5_000
"""Failures of which the moment is kept, to tell bursts within a block."""
PEEKED = 1_000
"""Rows whose values a message may name."""
FAILED, OTHERS = "failed", "other failures"
LEFT_OUT = -1
_OURS = frozenset({"due_ns", "started_ns", "outcome", "stage", "total_ns", "segment", "flags"})
"""Columns that only an export of a run of ours has, all together."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user said about the columns."""

    failed: str | None = None
    time: str | None = None
    dimensions: tuple[str, ...] = ()
    """Empty: every column of few values."""
    count: str | None = None
    latency: str | None = None


def read(paths: Sequence[Path], choice: Choice) -> Records:
    """Read all files as one.

    Raises:
        UsageError: a file or the choice is wrong, or nothing (or everything) failed.
    """
    reader = _Reader(paths, choice)
    collecting = gc.isenabled()
    gc.disable()  # millions of short lists and none in a circle: a third of the time
    try:
        for path in paths:
            reader.read(path)
    finally:
        if collecting:
            gc.enable()
    return reader.records()


class _Reader:
    """Takes the rows of one file after the other."""

    def __init__(self, paths: Sequence[Path], choice: Choice) -> None:
        twice = [path for path, times in Counter(paths).items() if times > 1]
        if twice:
            raise UsageError(f"{twice[0]} is named twice", "Its rows would count twice.")
        names = Counter(path.name for path in paths)
        self.choice = choice
        self.names = {one: one.name if names[one.name] == 1 else str(one) for one in paths}
        """A name for each file; where two would be alike, their paths."""
        self.failed = Failed("", "", "never")
        self.ours = False
        self.time: str | None = None
        self.times = Times()
        self.latencies: Latencies | None = None
        self.port: str | None = None
        self.ports = np.zeros((2, PORTS), np.int64)
        """Attempts and failures by local port."""
        self.kinds: dict[str, int] = {OK.name: 0}
        """Outcomes, numbered as they come."""
        self.seen = Counter[str]()
        self.columns: dict[str, Collected] = {}
        self.left_out: dict[str, str] = {}
        self.parts: tuple[list[Numbers], list[Numbers], list[Numbers]] = ([], [], [])
        """Outcomes, moments and weights of the rows that are kept."""
        self.kept = self.rows = 0
        self.broken: list[str] = []
        self.without = Counter[str]()
        """Rows that are left out, by the reason."""

    def read(self, path: Path) -> None:
        """Take the rows of one file."""
        broken, good, first = Broken(path.name), 0, True
        for batch in batches(path, broken):
            if first:
                self.begin(list(batch.columns), more=batch.more)
                first = False
            self.add(batch, self.names[path])
            good += batch.rows
        broken.check(good)
        if good:
            self.check_columns()
        if not good:
            raise UsageError(f"{path} has no rows", "It has a header line and nothing below it.")
        if broken.count:
            self.broken.append(broken.words(good + broken.count))
        self.rows += broken.count

    def begin(self, columns: Sequence[str], *, more: bool) -> None:
        """Check the choice against the first columns of a file; more may come."""
        choice = self.choice
        ours = set(columns) >= _OURS
        text = choice.failed or ("outcome != ok" if ours else None)
        if text is None and choice.latency is None:
            raise UsageError(
                "which rows failed? Say so with --failed",
                f"{FORMS} The columns are: {', '.join(map(quoted, columns[:MOST_SHOWN]))}.",
            )
        if choice.latency is not None and self.latencies is None:
            self.latencies = Latencies(choice.latency, columns)
        if text is not None:
            self.failed = parse_failed(text, columns, more=more)
        elif self.latencies is not None:
            self.failed = Failed("", self.latencies.column, "never")
        self.known = dict.fromkeys(columns)
        self.ours = ours and self.failed.column == "outcome"
        if not more:
            self.check_columns()
        self.time = choice.time or ("due_ns" if ours else None)
        if self.time is None:
            known = {name.lower(): name for name in reversed(columns)}
            self.time = next((known[name] for name in TIMES if name in known), None)
            if self.time in {self.failed.column, choice.count, *choice.dimensions}:
                self.time = None
        self.port = next((name for name in LOCAL_PORTS if name in columns), None)
        self.verdicts, self.clock = Answers(self.verdict), Answers(self.moment)
        self.scale, self.port_numbers = Answers(_weight), Answers(_weight)

    def check_columns(self) -> None:
        """Raise unless every column that was named is there."""
        choice, columns = self.choice, list(self.known)
        for option, name in (
            ("--failed", self.failed.column),
            ("--time", choice.time),
            ("--count", choice.count),
            ("--latency", self.latencies.column if self.latencies else None),
            *(("--dimension", name) for name in choice.dimensions),
        ):
            given = name is None or name in self.known or name in self.columns
            if not given and not (name == SOURCE and len(self.names) > 1):
                raise no_column(option, name or "", columns)

    def verdict(self, value: str | None) -> int:
        """0 good, from 1 on a kind of failure, -1 left out."""
        says = self.failed(value)
        if self.ours and value is not None and kind_of(value).side in {Side.OURS, Side.NOT_SENT}:
            return LEFT_OUT
        if not says:
            return LEFT_OUT if says is None else 0
        name = FAILED if value is None else printable(value, LONGEST_VALUE)
        if kind_of(name) in {Kind.OK, Kind.OURS, Kind.NOT_SENT}:
            name = f"{FAILED}: {name}"
        if name not in self.kinds and len(self.kinds) > MOST_WORDS:
            name = OTHERS
        return self.kinds.setdefault(name, len(self.kinds))

    def moment(self, text: str | None) -> int:
        """Unix nanoseconds, -1 where there is no time."""
        found = None if text is None else self.times.read(text)
        return LEFT_OUT if found is None else found

    def add(self, batch: RowBatch, source: str) -> None:
        """Take the rows of a batch that can be used."""
        rows, columns = batch.rows, dict(batch.columns)
        self.known |= dict.fromkeys(columns)
        nothing: Sequence[None] = (None,) * rows
        kept, taken = np.ones(rows, np.bool_), list(self.numbers(columns, nothing))
        for _, numbers, why in taken:
            self.without[why] += int(np.count_nonzero(kept & (numbers < 0)))
            kept &= numbers >= 0
        chosen = slice(None) if kept.all() else kept
        for part, numbers, _ in taken:
            kind = np.int16 if part is self.parts[0] else np.int64
            part.append(numbers[chosen].astype(kind))
        outcomes = np.where(kept, taken[0][1], LEFT_OUT)
        if self.latencies is not None:
            self.latencies.add(columns.get(self.latencies.column, nothing), outcomes)
        if self.port is not None:
            ports = self.port_numbers.of(columns.get(self.port, nothing))
            weights = taken[-1][1] if self.choice.count is not None else np.ones(rows, np.int64)
            for row, least in enumerate((0, 1)):
                known = (outcomes >= least) & (ports >= 0) & (ports < PORTS)
                self.ports[row] += np.bincount(ports[known], weights[known], PORTS).astype(np.int64)
        if len(self.names) > 1:
            columns["file" if SOURCE in columns else SOURCE] = (source,) * rows
        self.begin_columns(columns)
        for name, collected in self.columns.items():
            collected.add(columns.get(name), rows, chosen)
        self.kept += int(np.count_nonzero(kept))
        self.rows += rows

    def numbers(
        self, columns: Mapping[str, Sequence[str | None]], nothing: Sequence[None]
    ) -> Iterator[tuple[list[Numbers], Numbers, str]]:
        """Outcomes, moments and weights: where they go, what they are, and what a negative is."""
        texts = columns.get(self.failed.column, nothing)
        if self.rows < PEEKED:
            shown = (text[:LONGEST_VALUE] if text else "(empty)" for text in islice(texts, PEEKED))
            self.seen.update(shown)
        outcomes, moments, weights = self.parts
        yield outcomes, self.verdicts.of(texts), f"no verdict from {quoted(self.failed.column)}"
        if self.time is not None:
            texts = columns.get(self.time, nothing)
            alike = self.times.read_many(texts)
            yield moments, self.clock.of(texts) if alike is None else alike, "no time"
        if self.choice.count is not None:
            texts = columns.get(self.choice.count, nothing)
            why = f"no whole number in {quoted(self.choice.count)}"
            yield weights, self.scale.of(texts), why

    def begin_columns(self, names: Mapping[str, object]) -> None:
        """Begin to number columns that come for the first time."""
        for name in names:
            if name in self.columns or not self.wants(name):
                continue
            if len(self.columns) < MOST_COLUMNS:
                self.columns[name] = Collected(self.kept)
            elif len(self.left_out) < MOST_COLUMNS:
                self.left_out[printable(name)] = f"only {MOST_COLUMNS} columns are searched"

    def wants(self, name: str) -> bool:
        """Whether a column may be a dimension."""
        if len(self.names) > 1 and name in {SOURCE, "file"}:
            return True
        if self.choice.dimensions:
            return name in self.choice.dimensions
        if self.ours:
            return name in {*_our_dimensions(), "sampled"}
        latency = self.latencies.column if self.latencies else None
        return name not in {self.failed.column, self.time, self.choice.count, latency}

    def records(self) -> Records:
        """Everything that was read, as one table."""
        codes, names = self.named(_whole(self.parts[0]))
        moments, weights = (_whole(part) if part else None for part in self.parts[1:])
        self.check(codes, weights)
        columns = list(self.dimensions(Rows(codes > 0, weights)))
        took = self.latencies.by_row() if self.latencies else None
        attempts = len(codes) if weights is None else int(weights.sum())
        begun, ended = (0, 0) if moments is None else (int(moments.min()), int(moments.max()))
        # Within a block rows are compared, so it needs some; a run of ours keeps its own blocks.
        blocks_most = MOST_BLOCKS
        if not self.ours:
            most = MOST_BLOCKS if len(codes) < LARGE else FEWER_BLOCKS
            blocks_most = min(most, attempts // LEAST_IN_A_BLOCK)
        width = FIRST_BLOCK_NS
        while (ended - begun) // width >= max(1, blocks_most):
            width *= 2
        failing: tuple[tuple[int, int, str], ...] = ()
        blocks = np.zeros(len(codes), np.uint16)
        if moments is not None:
            blocks = ((moments - begun) // width).astype(np.uint16)
            if weights is None:
                failing = tuple(failing_sample(moments, codes, names))
        return Records(
            source=self.source(attempts, columns),
            started_ns=begun,
            ended_ns=ended,
            block_ns=width,
            table=joined(blocks, codes, names, weights, columns, took),
            failing=failing,
            ports=tuple(
                PortCount(int(port), *map(int, self.ports[:, port]))
                for port in np.flatnonzero(self.ports[0])
            ),
            latencies=tuple(self.latencies.histograms()) if self.latencies else (),
            notes=tuple(self.remarks()),
        )

    def dimensions(self, rows: Rows) -> Iterator[RecordColumn]:
        """The columns that are dimensions; the others are left out with their reasons."""
        # Where the tickets of a sample were read, a backend is known rather of those that failed.
        unasked = self.ours and not self.choice.dimensions and "sampled" in self.columns
        drawn = self.columns.pop("sampled").column("sampled", rows, wanted=True) if unasked else ""
        if unasked and drawn != "no values":
            self.columns.pop("backend")
            self.left_out["backend"] = "it is known of a sample only"
        for name in list(self.columns):
            shown = _our_dimensions().get(name, name) if self.ours else printable(name)
            if shown in RESERVED and not self.ours:
                shown = f"{shown} (column)"
            wanted = name in self.choice.dimensions
            found = self.columns.pop(name).column(shown, rows, wanted=wanted)
            if isinstance(found, str):
                self.left_out[printable(name)] = found
                if name == self.port:
                    self.left_out[shown] = "only ranges and hashes of it are searched"
            else:
                yield spelled(found) if self.ours else found

    def named(self, outcomes: Numbers) -> tuple[Bytes, tuple[str, ...]]:
        """The outcomes with few kinds of failures; the rare ones, or all of too many, are one."""
        names, sizes = list(self.kinds), np.bincount(outcomes, minlength=len(self.kinds))
        kinds = [kind for kind in range(1, len(names)) if sizes[kind]]
        kinds.sort(key=lambda kind: (-sizes[kind], names[kind]))
        told = kinds if self.ours else kinds[:MOST_KINDS]
        together = not self.ours and (
            self.failed.operator == "=" or 2 * sizes[told].sum() < sizes[1:].sum()
        )
        codes, shown = np.zeros(len(names), np.uint8), [OK.name]
        for kind in kinds:
            name = FAILED if together else names[kind] if kind in told else OTHERS
            if name not in shown:
                shown.append(name)
            codes[kind] = shown.index(name)
        return codes[outcomes], tuple(shown)

    def check(self, outcomes: Bytes, weights: Numbers | None) -> None:
        """Raise unless times were times, and some rows failed and some did not."""
        rows, expression = len(outcomes), quoted(self.failed.text)
        failed = int(np.count_nonzero(outcomes))
        untimed, wrong = self.without["no time"], self.times.wrong
        if wrong is not None and untimed > MOST_BROKEN * self.rows:
            raise UsageError(
                f"{counted(untimed, 'row')} of {thousands(self.rows)} without a time that can be "
                f'read in "{quoted(self.time)}", such as "{wrong}"',
                TIME_FORMS,
            )
        usual = ", ".join(f"{quoted(value)} ({n:,})" for value, n in self.seen.most_common(5))
        seen = f"The first rows have: {usual}."
        if not rows or (weights is not None and not weights.sum()):
            why = ", ".join(
                f"{thousands(n)} with {reason}" for reason, n in self.without.items() if n
            )
            raise UsageError(f"no row can be used: {why or 'all count for nothing'}", seen)
        if not failed and self.latencies is None:
            raise UsageError(f"no row failed: none of {thousands(rows)} has {expression}", seen)
        if failed == rows:
            raise UsageError(
                f"only failed rows: all {thousands(failed)} have {expression}",
                "Causes are what failed rows have more often than good ones, so good rows are "
                f"needed too. {seen}",
            )

    def source(self, attempts: int, columns: Sequence[RecordColumn]) -> RecordSource:
        """Where the rows come from."""
        return RecordSource(
            files=tuple(printable(name) for name in self.names.values()),
            failed=printable(self.failed.text),
            rows=self.rows,
            attempts=attempts,
            time=printable(self.time or ""),
            port=self.port or "",
            left_out=self.left_out,
            how=tuple(self.understood(columns)),
        )

    def understood(self, columns: Sequence[RecordColumn]) -> Iterator[str]:
        """How columns were read where it could have been otherwise."""
        yield from self.times.words()
        if self.latencies is not None:
            yield from self.latencies.words()
        for column in columns:
            if column.distinct > len(column.values):
                yield (
                    f"of {thousands(column.distinct)} values of {column.name} the "
                    f"{len(column.values)} that fail most beyond their part are told apart"
                )

    def remarks(self) -> Iterator[str]:
        """What a reader must know before trusting the answer."""
        yield from self.broken
        for why, number in self.without.items():
            if number:
                part = percent(number / self.rows)
                yield f"{counted(number, 'row')} ({part}) left out: {why}"
        if self.time is None:
            yield "no column of times: a burst cannot be told from a steady rate"


def _whole(parts: list[Numbers]) -> Numbers:
    """All parts as one; they are forgotten one after the other."""
    whole = np.empty(sum(map(len, parts)), parts[0].dtype)
    end = len(whole)
    while parts:
        part = parts.pop()
        whole[end - len(part) : end] = part
        end -= len(part)
    return whole


def _weight(text: str | None) -> int:
    number = None if text is None else as_number(text)
    if number is None or not 0 <= number < 1 << 40 or number != int(number):
        return LEFT_OUT
    return int(number)


def _our_dimensions() -> Mapping[str, str]:
    """Columns of an export of ours -> the dimension that their values are of."""
    found = {"stage": "stage"}  # no dimension, but how far each attempt came
    for each in ATTRIBUTES:
        if each.dimensions and each.name != "segment":
            shown = [alias for _, alias in each.shown] or [each.name]
            found |= dict(zip(shown, map(str, each.dimensions), strict=False))
    return found


def spelled(column: RecordColumn) -> RecordColumn:
    """A column of an export of ours, its flags as the report spells them."""
    flags = {str(one) for each in ATTRIBUTES if each.form is Form.FLAG for one in each.dimensions}
    if column.name not in flags:
        return column
    words = {"1": "yes", "0": "no"}
    return replace(column, values=tuple(words.get(value, value) for value in column.values))


def failing_sample(
    moments: Numbers, outcomes: Bytes, names: Sequence[str]
) -> Iterator[tuple[int, int, str]]:
    """The first failures in the order of time; rows of one moment stay in their order."""
    order = None
    failed = np.flatnonzero(outcomes)
    if (moments[1:] < moments[:-1]).any():
        order = np.argsort(moments, kind="stable")
        failed = np.flatnonzero(outcomes[order])
    for place in failed[:SAMPLE].tolist():
        row = place if order is None else order[place]
        yield place, int(moments[row]), names[outcomes[row]]
