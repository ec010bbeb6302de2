"""Read a file of records a batch at a time: CSV, JSON lines or Parquet, by what it begins with.

Each batch is columns of texts (None: no value). A row that is broken is counted with its line and
left out; with too many of them the file is refused, because then it is another kind of file, or
columns have moved. Nothing is held but one batch, and no line may be longer than a million
characters, so a hostile file costs time in proportion to its size and no memory.

CSV and JSON lines are read by the standard library and msgspec, which say on which line a row is
broken; pyarrow is needed for Parquet alone (docs/decisions/0021-records.md has the figures).
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

import msgspec

from stress.errors import UsageError
from stress.text.escape import command, quoted
from stress.text.numbers import counted, percent

ROWS_AT_ONCE = 20_000
CHARACTERS_AT_ONCE = 16_000_000
LONGEST_LINE = 1_000_000
MOST_KEYS = 1_000
"""Distinct keys of JSON lines that become columns."""
MOST_BROKEN = 0.01
"""Part of the rows that may be broken."""
SHOWN = 5
"""Broken rows whose lines are named."""
DEEPEST = 8
"""Levels of nested objects that are told apart by `outer.inner`."""
_HEAD = 4096
_DELIMITERS = ",;\t|"
_PARQUET, _DATABASE = b"PAR1", b"SQLite format 3"
_KINDS = "isolate reads CSV, JSON lines (one object a line) and Parquet."
_PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}


@dataclass(slots=True)
class Broken:
    """The rows of a file that could not be read."""

    path: str
    count: int = 0
    lines: list[str] = field(default_factory=list)
    """The first of them, each with its line and what is wrong."""

    def add(self, line: int, why: str) -> None:
        """A row ends on this line and cannot be used."""
        self.count += 1
        if len(self.lines) < SHOWN:
            self.lines.append(f"line {line} {why}")

    def words(self, rows: int) -> str:
        """How many, and where, as one clause."""
        shown = "; ".join(self.lines) + ("; …" if self.count > len(self.lines) else "")
        return (
            f"{counted(self.count, 'row')} of {self.path} ({percent(self.count / rows)}) cannot be "
            f"read: {shown}"
        )

    def check(self, good: int) -> None:
        """Raise when there are too many to trust the rest.

        Raises:
            UsageError: more than one row in a hundred is broken.
        """
        rows = self.count + good
        if self.count > MOST_BROKEN * rows:
            hint = f"Mend the file; at most {MOST_BROKEN:.0%} may be broken. {_KINDS}"
            raise UsageError(self.words(rows), hint)


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Some rows of a file, as columns."""

    rows: int
    columns: Mapping[str, Sequence[str | None]]
    """By name; a column that is not here has no value in these rows."""
    more: bool = False
    """Later rows may have further columns."""


def batches(path: Path, broken: Broken) -> Iterator[RowBatch]:
    """The rows of a file.

    Raises:
        UsageError: it cannot be read, or is of no kind that is known.
    """
    with _opened(path) as stream:
        head = stream.peek(_HEAD)[:_HEAD]
        if not head.strip():
            raise UsageError(f"{path} is empty", _KINDS)
        if head.startswith(_PARQUET):
            yield from parquet_batches(path)
            return
        packed = next((name for magic, name in _PACKED.items() if head.startswith(magic)), None)
        if packed:
            raise UsageError(f"{path} is compressed ({packed})", "Unpack it first.")
        wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        if head.startswith(_DATABASE):
            raise UsageError(
                f"{path} is a run file, or another database", command("report", str(path))
            )
        if b"\0" in head and not wide:
            raise UsageError(f"{path} is a binary file", _KINDS)
        text = io.TextIOWrapper(
            stream,
            encoding="utf-16" if wide else "utf-8-sig",
            errors="backslashreplace",
            newline="",
        )
        lines = _Lines(text, broken)
        first = head.decode("utf-16" if wide else "utf-8-sig", "replace").lstrip()[:1]
        if first == "[":
            raise UsageError(
                f"{path} is one JSON array", f"jq -c '.[]' makes lines of it. {_KINDS}"
            )
        yield from (json_batches if first == "{" else csv_batches)(path, lines, broken)


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader[Any]]:
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a directory", f"Name the files in it. {_KINDS}")
        stream = io.BufferedReader(path.open("rb", buffering=0), 1 << 20)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read {path}: {reason}", _KINDS) from error
    with stream:
        try:
            yield stream
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"cannot read {path}: {reason}", _KINDS) from error


class _Lines:
    """The lines of a text; one that is too long is broken and becomes an empty one."""

    def __init__(self, stream: TextIO, broken: Broken) -> None:
        self._stream, self._broken = stream, broken
        self.number = 0
        self.held = 0
        """Characters that were read since the last batch."""

    def __iter__(self) -> Iterator[str]:
        read = partial(self._stream.readline, LONGEST_LINE)
        for line in iter(read, ""):
            self.number += 1
            self.held += len(line)
            if len(line) < LONGEST_LINE or line.endswith(("\n", "\r")):
                yield line
                continue
            while (rest := read()) and not rest.endswith(("\n", "\r")):
                pass
            self._broken.add(self.number, f"is longer than {LONGEST_LINE:,} characters")
            yield "\n"


def csv_batches(path: Path, lines: _Lines, broken: Broken) -> Iterator[RowBatch]:
    """Of a CSV file, whose first line names the columns."""
    source = iter(lines)
    first = next(source, "")
    delimiter = max(_DELIMITERS, key=first.count)
    csv.field_size_limit(LONGEST_LINE)
    reader = csv.reader(chain([first], source), delimiter=delimiter)
    header = _names(next(reader, []))
    if not header:
        broken.check(0)
        raise UsageError(f"{path} has no header line", _KINDS)
    width, rows, any_rows = len(header), list[list[str]](), False
    while True:
        try:
            for row in reader:
                if len(row) == width:
                    rows.append(row)
                    if len(rows) == ROWS_AT_ONCE or lines.held > CHARACTERS_AT_ONCE:
                        break
                elif row:
                    broken.add(lines.number, f"has {len(row)} fields, the header has {width}")
            else:
                break
        except csv.Error as error:
            broken.add(lines.number, str(error))
            continue
        yield RowBatch(len(rows), dict(zip(header, zip(*rows, strict=True), strict=True)))
        rows, any_rows, lines.held = [], True, 0
    if rows or not any_rows:
        columns: Sequence[Sequence[str]] = list(zip(*rows, strict=True)) or [()] * width
        yield RowBatch(len(rows), dict(zip(header, columns, strict=True)))


def _names(header: Sequence[str]) -> list[str]:
    """Distinct names of the columns, none of them empty."""
    names: dict[str, None] = {}
    for place, name in enumerate(header, 1):
        base = free = name.strip() or f"column {place}"
        while free in names:
            free = f"{base} (column {place})" if free == base else f"{free}'"
        names[free] = None
    return list(names)


def json_batches(path: Path, lines: _Lines, broken: Broken) -> Iterator[RowBatch]:
    """Of JSON lines: one object a line."""
    decoder = msgspec.json.Decoder(dict[str, Any])
    rows: list[dict[str, Any]] = []
    names: dict[str, None] = {}
    for line in lines:
        try:
            row = decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            if line.strip():
                broken.add(lines.number, "is no JSON object")
            continue
        if any(type(value) is dict for value in row.values()):
            row = dict(_flat(row))
        rows.append(row)
        if len(rows) == ROWS_AT_ONCE or lines.held > CHARACTERS_AT_ONCE:
            yield _transposed(rows, names)
            rows, lines.held = [], 0
    if rows:
        yield _transposed(rows, names)
    elif not lines.number:
        raise UsageError(f"{path} is empty", _KINDS)


def _flat(row: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if type(value) is dict and depth < DEEPEST:
            yield from _flat(value, f"{prefix}{name}.", depth + 1)
        else:
            yield prefix + name, value


def _transposed(rows: Sequence[Mapping[str, Any]], names: dict[str, None]) -> RowBatch:
    """A batch of the columns that are known, and of new ones up to a bound."""
    for name in chain.from_iterable(rows):
        if name not in names and len(names) < MOST_KEYS:
            names[name] = None
    columns: dict[str, Sequence[str | None]] = {}
    for name in names:
        column = [row.get(name) for row in rows]
        columns[name] = [
            # What is no text, as it stands in JSON.
            each
            if each is None or type(each) is str
            else msgspec.json.encode(each).decode("utf-8", "replace")
            for each in column
        ]
    return RowBatch(len(rows), columns, more=True)


def parquet_batches(path: Path) -> Iterator[RowBatch]:
    """Of a Parquet file."""
    try:
        arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise UsageError(
            f"{path} is Parquet, and the library pyarrow is not installed",
            "pip install 'tls-stress[parquet]', or convert the file to CSV",
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            names = _names(file.schema_arrow.names)
            for part in file.iter_batches(batch_size=ROWS_AT_ONCE):
                columns = [_texts(arrow, column) for column in part.columns]
                yield RowBatch(part.num_rows, dict(zip(names, columns, strict=True)))
            if not file.metadata.num_rows:
                yield RowBatch(0, dict.fromkeys(names, ()))
    except (arrow.ArrowException, OSError) as error:
        why = quoted(str(error).splitlines()[0] if str(error) else type(error).__name__)
        raise UsageError(f"the Parquet file {path} is damaged: {why}", _KINDS) from error


def _texts(arrow: Any, column: Any) -> Sequence[str | None]:
    try:
        texts: list[str | None] = column.cast(arrow.string()).to_pylist()
    except (arrow.ArrowException, UnicodeDecodeError):
        return [None if each is None else str(each) for each in column.to_pylist()]
    return texts
