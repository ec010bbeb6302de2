"""Export a run for other tools: CSV, JSON lines, Parquet, and histogram logs.

The first three have the columns of the view `handshake`. Text that came from the network is written
so that a spreadsheet does not take it for a formula and a terminal does not obey it.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import lru_cache
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import msgspec

from stress.errors import RecordError, UsageError
from stress.measure import Histogram, HistogramLog
from stress.store.reader import GroupedRows, RunFile
from stress.store.tally import WHOLE_RUN
from stress.text.escape import escape_json, inert

_ROWS_AT_ONCE, _BATCH = 50_000, 1_000
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""Text that a spreadsheet would take for a formula (OWASP: CSV Injection)."""


class Format(StrEnum):
    """The formats of an export."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    HLOG = "hlog"


def export_run(run: RunFile, form: Format, to: Path | BinaryIO) -> None:
    """Write a run in another format.

    Args:
        run: an open run.
        form: which format.
        to: a file that does not exist yet, or an open binary stream, which stays open.

    Raises:
        UsageError: the file exists or cannot be made, or a library for the format is missing.
        RecordError: the file could not be written to its end.
        RunFileError: the run file is damaged.
    """
    write = _WRITERS[form]
    if not isinstance(to, Path):
        write(run, to)
        return
    with _new_file(to) as stream:
        write(run, stream)


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A new file for its owner alone, which is removed again when it could not be written whole."""
    try:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        stream = os.fdopen(os.open(path, flags, 0o600), "wb")
    except FileExistsError:
        raise UsageError(f"{path} exists already", "choose another name, or remove it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"cannot write {path}: {reason}", "choose a file in a folder that can be written"
        ) from error
    try:
        with stream:
            yield stream
    except OSError as error:
        path.unlink(missing_ok=True)
        raise RecordError(f"could not write {path}: {error.strerror or error}") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def _text(stream: BinaryIO, newline: str) -> Iterator[TextIO]:
    """The stream for text; it stays open, whatever happens."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline=newline)
    try:
        yield text
    finally:
        text.detach()


def _write_csv(run: RunFile, stream: BinaryIO) -> None:
    names, rows = run.handshakes()
    grouped = run.handshakes_by_group()
    with _text(stream, "") as text:
        writer = csv.writer(text)
        writer.writerow(names)
        if grouped:
            for lines in _lines(names, grouped):
                text.write(lines)
            return
        known = run.text_columns()
        places = [place for place, name in enumerate(names) if name in known]
        # By columns: half of a row is numbers, and of these nothing has to be looked at.
        while batch := list(islice(rows, _BATCH)):
            columns: list[Iterable[Any]] = list(zip(*batch, strict=True))
            for place in places:
                columns[place] = map(_cell, columns[place])
            writer.writerows(zip(*columns, strict=True))


def _lines(names: Sequence[str], grouped: GroupedRows) -> Iterator[str]:
    """The lines of a CSV file, many at once.

    What the attempts of a group share is most of a line. It is made once, with a place left for
    each number.
    """
    forms: dict[int, str] = {}
    for group, values in grouped.groups.items():
        shared = dict(zip(grouped.shared, values, strict=True))
        texts = [_field(shared[one]).replace("%", "%%") if one in shared else "%s" for one in names]
        forms[group] = ",".join(texts) + "\r\n"
    detail = grouped.own.index("detail")
    while batch := list(islice(grouped.rows, _BATCH)):
        yield "".join(
            [
                forms[row[-1]] % row[:-1]
                if not row[detail]
                else forms[row[-1]] % (*row[:detail], _field(row[detail]), *row[detail + 1 : -1])
                for row in batch
                if row[-1] in forms
            ]
        )


def _field(value: str | int | None) -> str:
    """One field as `csv` writes it, within a line of several."""
    line = io.StringIO()
    csv.writer(line).writerow([_cell(value) if isinstance(value, str) else value, ""])
    return line.getvalue().removesuffix(",\r\n")


@lru_cache(2_000)
def _cell(text: str | None) -> str | None:
    """Text that neither a terminal nor a spreadsheet acts upon; rows repeat each other's."""
    if text is None:
        return None
    text = inert(text)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _write_jsonl(run: RunFile, stream: BinaryIO) -> None:
    names, rows = run.handshakes()
    encoder = msgspec.json.Encoder()
    while batch := list(islice(rows, _ROWS_AT_ONCE)):
        lines = encoder.encode_lines([dict(zip(names, row, strict=True)) for row in batch])
        if not lines.isascii() or b"\x7f" in lines:
            lines = escape_json(lines.decode()).encode()
        stream.write(lines)


def _write_parquet(run: RunFile, stream: BinaryIO) -> None:
    parquet = _arrow("pyarrow.parquet")
    schema, tables = _arrow_tables(run)
    with parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)


def _arrow(module: str) -> Any:
    """A module of pyarrow, which is not installed with the tool, because of its size.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        raise UsageError(
            "this format needs the library pyarrow, which is not installed",
            "pip install 'tls-stress[parquet]', or choose csv or jsonl",
        ) from None


def _arrow_tables(run: RunFile) -> tuple[Any, Iterator[Any]]:
    """The attempts as Arrow tables of at most 50,000 rows each, and the schema of all of them.

    Raises:
        UsageError: pyarrow is not installed.
    """
    arrow = _arrow("pyarrow")
    names, rows = run.handshakes()
    texts = run.text_columns()
    schema = arrow.schema(
        [(name, arrow.string() if name in texts else arrow.int64()) for name in names]
    )

    def tables() -> Iterator[Any]:
        while batch := list(islice(rows, _ROWS_AT_ONCE)):
            columns: Sequence[Sequence[Any]] = list(zip(*batch, strict=True))
            yield arrow.table(list(columns), schema=schema)

    return schema, tables()


def arrow_table(run: RunFile) -> Any:
    """All attempts as one `pyarrow.Table`.

    Raises:
        UsageError: pyarrow is not installed.
    """
    schema, tables = _arrow_tables(run)
    return _arrow("pyarrow").concat_tables([schema.empty_table(), *tables])


def _write_hlog(run: RunFile, stream: BinaryIO) -> None:
    """One tag for each phase and outcome; by time blocks, in the order of time."""
    width = run.histogram_block_ns()
    blocks = [row for row in run.histograms() if row.block != WHOLE_RUN]
    with _text(stream, "\n") as text:
        log = HistogramLog(text, started_ns=run.facts().started_ns)
        for row in sorted(blocks, key=lambda row: (row.block, row.phase, not row.good)):
            histogram = Histogram.decode(row.hdr, row.clamped)
            if histogram.count:
                tag = f"{row.phase.value}-{'ok' if row.good else 'failed'}"
                log.write(tag, histogram, start_ns=row.block * width, length_ns=width)


_WRITERS: dict[Format, Callable[[RunFile, BinaryIO], None]] = {
    Format.CSV: _write_csv,
    Format.JSONL: _write_jsonl,
    Format.PARQUET: _write_parquet,
    Format.HLOG: _write_hlog,
}
