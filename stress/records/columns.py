"""Number the values of a column while it is read, and decide what becomes of it.

A column of few values is a dimension as it is. One of many is cut into ranges (numbers, when it was
asked for), keeps the values that fail most (texts), or is left out, with the reason in words. The
latencies become HDR histograms, and of each good row a 250th of them.

Imported late: it needs numpy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from stress.errors import UsageError
from stress.measure import Histogram
from stress.model.record import RecordColumn, RecordTable
from stress.model.run import HistogramRow, Phase
from stress.records.expression import as_number
from stress.text.escape import printable, quoted
from stress.text.numbers import thousands
from stress.text.scale import TO, in_order

MISSING = (None, "", "null", "NULL", "NaN", "nan", "N/A", "-", "\\N")
"""How "no value" is written."""
MOST_VALUES = 250
"""Values of a dimension that are told apart: a code is one byte."""
FEW_NUMBERS = 32
"""Numbers with more values than this are measurements, not names."""
BY_DEFAULT = 1_000
"""A text with more values is left out unless it is asked for."""
MOST_DISTINCT = 100_000
"""Values that are numbered at all; a column with more is no dimension."""
RANGES = 40
"""Into which measurements are cut; neighbours that fail alike are found as one."""
SAMPLE = 500_000
"""Rows of which it is tried whether they repeat."""
LONGEST_VALUE, LONGEST_KEPT = 200, 1_000
"""Characters of a value that are shown, and by which it is told from others."""
_FORMULA_STARTS = frozenset("=+-@\t\r")

_UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_ENDINGS = (
    (re.compile(r"(ns|nano(s|seconds?)?)$", re.IGNORECASE), "ns"),
    (re.compile(r"(us|µs|micro(s|seconds?)?)$", re.IGNORECASE), "us"),
    (re.compile(r"(ms|msec|milli(s|seconds?)?)$", re.IGNORECASE), "ms"),
    (re.compile(r"(_s|_sec|secs|seconds?)$", re.IGNORECASE), "s"),
)
_WHOLE_RUN = -1
MOST_NS = 1e16
"""A latency is shorter than a hundred days."""

Bytes: TypeAlias = NDArray[np.uint8]
Codes: TypeAlias = NDArray[np.uint32]
Numbers: TypeAlias = NDArray[np.int64]
Keys: TypeAlias = NDArray[np.uint64]
Mask: TypeAlias = NDArray[np.bool_]
Durations: TypeAlias = NDArray[np.float32]


class Numbering(dict[str | None, int]):
    """Numbers values in the order in which they come, from 1; 0 is "no value"."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(MISSING, 0))
        self.values_: list[str] = []

    def __missing__(self, value: str) -> int:
        if len(value) > LONGEST_KEPT:
            return self[value[:LONGEST_KEPT]]
        code = self[value] = len(self.values_) + 1
        self.values_.append(value)
        return code


def plain(text: str) -> str:
    """A text without the quote that exports put before what a spreadsheet takes for a formula."""
    return text[1:] if text[:1] == "'" and text[1:2] in _FORMULA_STARTS else text


class Answers(dict[str | None, int]):
    """What a function says of each distinct text; forgets when there are too many."""

    def __init__(self, answer: Callable[[str | None], int]) -> None:
        super().__init__()
        self._answer = answer

    def __missing__(self, text: str | None) -> int:
        found = self._answer(None if text in MISSING else plain(text or ""))
        if len(text or "") <= LONGEST_KEPT:
            if len(self) >= MOST_DISTINCT:
                self.clear()
            self[text] = found
        return found

    def of(self, texts: Sequence[str | None]) -> Numbers:
        """The answer for each text."""
        return np.fromiter(map(self.__getitem__, texts), np.int64, len(texts))


class Collected:
    """The codes of one column, a part for each batch."""

    def __init__(self, rows: int = 0) -> None:
        self._numbering = Numbering()
        self._parts: list[NDArray[np.unsignedinteger]] = []
        self.too_many = False
        if rows:  # the column begins later than the file
            self._parts.append(np.zeros(rows, np.uint8))

    def add(self, texts: Sequence[str | None] | None, rows: int, kept: Mask | slice) -> None:
        """Number the values of a batch; None: the column has no value in it."""
        if self.too_many:
            return
        codes: NDArray[np.unsignedinteger] = np.zeros(rows, np.uint8)[kept]
        if texts is not None:
            codes = np.fromiter(map(self._numbering.__getitem__, texts), np.uint32, rows)[kept]
            if len(self._numbering.values_) > MOST_DISTINCT:
                self.too_many, self._parts = True, []
                self._numbering = Numbering()
                return
            codes = codes.astype(np.min_scalar_type(len(self._numbering.values_)))
        self._parts.append(codes)

    def column(self, name: str, rows: Rows, *, wanted: bool) -> RecordColumn | str:
        """The dimension, or why it is none; what was numbered is forgotten.

        Args:
            name: of the dimension.
            rows: what is known of them.
            wanted: somebody asked for this column.
        """
        if self.too_many:
            return f"more than {MOST_DISTINCT:,} values"
        values, parts = self._numbering.values_, self._parts
        codes = np.concatenate(parts) if parts else np.zeros(0, np.uint8)
        self._parts, parts = [], []
        counts = rows.counted(codes, len(values) + 1)
        met = [code for code in range(1, len(values) + 1) if counts.attempts[code]]
        numbers = {code: as_number(plain(values[code - 1])) for code in met}
        measured = len(met) > FEW_NUMBERS and None not in numbers.values()
        reason = None if wanted else _unwanted(counts, len(met), measured=measured)
        if len(met) < 2:
            reason = "one value" if met else "no values"
        if reason is not None:
            return reason
        return (
            ranged(name, codes, numbers, counts)
            if measured
            else named(name, codes, values, met, counts)
        )


def _unwanted(counts: Counted, distinct: int, *, measured: bool) -> str | None:
    """Why a column that nobody asked for is no dimension."""
    if counts.attempts[0] and not (counts.attempts[1:] > counts.failures[1:]).any():
        return "a value in failed rows only"
    if measured:
        return f"a number of {thousands(distinct)} values; --dimension cuts it into ranges"
    return f"{thousands(distinct)} values" if distinct > BY_DEFAULT else None


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Attempts and failures by code."""

    attempts: NDArray[np.float64]
    failures: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What is known of all rows: which failed, and how many attempts each is."""

    failed: Mask
    weights: Numbers | None

    def counted(self, codes: NDArray[np.unsignedinteger], size: int) -> Counted:
        """Attempts and failures by code."""
        weights = self.weights
        failing = None if weights is None else weights[self.failed]
        attempts = np.bincount(codes, weights, size)
        failures = np.bincount(codes[self.failed], failing, size)
        return Counted(attempts.astype(np.float64), failures.astype(np.float64))


def named(
    name: str,
    codes: NDArray[np.unsignedinteger],
    values: Sequence[str],
    met: Sequence[int],
    counts: Counted,
) -> RecordColumn:
    """A dimension of texts; of more than fit, those that fail most beyond their part stay."""
    rate = counts.failures.sum() / counts.attempts.sum()
    beyond = counts.failures - rate * counts.attempts
    kept = sorted(met, key=lambda code: -beyond[code] / (counts.attempts[code] ** 0.5))
    texts = {code: printable(plain(values[code - 1]), LONGEST_VALUE) for code in kept[:MOST_VALUES]}
    ordered = in_order(set(texts.values()))
    places = {text: place for place, text in enumerate(ordered, 1)}
    return RecordColumn(
        name,
        ordered,
        _recoded(codes, len(values) + 1, {code: places[text] for code, text in texts.items()}),
        len(met),
    )


def ranged(
    name: str,
    codes: NDArray[np.unsignedinteger],
    numbers: dict[int, float | None],
    counts: Counted,
) -> RecordColumn:
    """A dimension of ranges that hold about as many attempts each; both ends are in the rows."""
    ordered = sorted(numbers.items(), key=lambda item: item[1] or 0.0)
    sizes = np.asarray([counts.attempts[code] for code, _ in ordered])
    middle = (np.cumsum(sizes) - sizes / 2.0) / sizes.sum()
    places = np.minimum((middle * RANGES).astype(np.int64), RANGES - 1)
    texts: list[str] = []
    recoded: dict[int, int] = {}
    for place in np.unique(places).tolist():
        inside = [
            item for item, other in zip(ordered, places.tolist(), strict=True) if other == place
        ]
        low, high = (f"{inside[end][1]:.12g}" for end in (0, -1))
        texts.append(low if low == high else f"{low}{TO}{high}")
        recoded |= {code: len(texts) for code, _ in inside}
    size = len(counts.attempts)
    return RecordColumn(name, tuple(texts), _recoded(codes, size, recoded), len(texts))


def _recoded(codes: NDArray[np.unsignedinteger], size: int, places: dict[int, int]) -> bytes:
    table = np.zeros(size, np.uint8)
    for code, place in places.items():
        table[code] = place
    recoded: Bytes = table[codes]
    return recoded.tobytes()


def _keys(blocks: NDArray[np.uint16], outcomes: Bytes, codes: Sequence[Bytes]) -> Keys:
    """A number for each row that is equal for equal rows, and hardly ever for others."""
    random = np.random.default_rng(len(codes))
    marks = random.integers(1, 1 << 63, size=(len(codes) + 1, 256), dtype=np.uint64)
    keys: Keys = blocks.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    keys += marks[0][outcomes]
    for column, mark in zip(codes, marks[1:], strict=True):
        keys += mark[column]
    return keys


def joined(
    blocks: NDArray[np.uint16],
    outcomes: Bytes,
    names: tuple[str, ...],
    weights: Numbers | None,
    dimensions: Sequence[RecordColumn],
    took: RecordColumn | None = None,
) -> RecordTable:
    """The table; rows with equal values are one where that makes them many fewer."""
    columns = [*dimensions, *filter(None, (took,))]
    codes = [np.frombuffer(column.codes, np.uint8) for column in columns]
    # Sorting a large table is dear: do rows repeat in the beginning?
    head = slice(0, SAMPLE)
    some = _keys(blocks[head], outcomes[head], [column[head] for column in codes])
    if len(blocks) > SAMPLE and 2 * len(np.unique(some)) > len(some):
        counts = b"" if weights is None else weights.tobytes()
        return RecordTable(
            blocks.tobytes(), outcomes.tobytes(), names, counts, tuple(dimensions), took
        )
    keys = _keys(blocks, outcomes, codes)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    begins = np.concatenate(([True], keys[1:] != keys[:-1]))
    del keys
    first = np.flatnonzero(begins)
    if 2 * len(first) <= len(order):
        group, leaders = np.cumsum(begins) - 1, order[first]
        every: Sequence[NDArray[np.unsignedinteger]] = [blocks, outcomes, *codes]
        exact = all(np.array_equal(values[order], values[leaders][group]) for values in every)
        if exact:  # no two different rows had the same key
            ones = np.ones(len(order), np.int64) if weights is None else weights
            weights = np.add.reduceat(ones[order], first)
            blocks, outcomes = blocks[leaders], outcomes[leaders]
            codes = [values[leaders] for values in codes]
    kept = [
        replace(column, codes=values.tobytes())
        for column, values in zip(columns, codes, strict=True)
    ]
    return RecordTable(
        blocks=blocks.tobytes(),
        outcomes=outcomes.tobytes(),
        names=names,
        counts=b"" if weights is None else weights.tobytes(),
        columns=tuple(kept[: len(dimensions)]),
        took=kept[-1] if took else None,
    )


class Latencies:
    """Reads the column of the latency: `COLUMN` or `COLUMN=UNIT`."""

    def __init__(self, given: str, columns: Sequence[str]) -> None:
        self.column, self.unit = given, ""
        if given not in columns and "=" in given:
            self.column, _, self.unit = given.rpartition("=")
            if self.unit not in _UNITS:
                raise UsageError(
                    f"--latency {quoted(given)}: there is no unit {quoted(self.unit)}",
                    "Units are ns, us, ms and s.",
                )
        by_name = (unit for ending, unit in _ENDINGS if ending.search(self.column))
        self._told = bool(self.unit)
        self.unit = self.unit or next(by_name, "ms")
        self._good, self._failed = Histogram(), Histogram()
        self._wrong = 0
        self._parts: list[Durations] = []
        """Of the rows that are kept, in nanoseconds; below 0 where there is none."""

    def add(self, texts: Sequence[str | None], outcomes: Numbers) -> None:
        """Count the latencies of a batch; rows that are left out have a negative outcome."""
        scale = _UNITS[self.unit]
        numbers = [None if text is None else as_number(text) for text in texts]
        values = [
            None if n is None or not 0 <= n * scale < MOST_NS else round(n * scale) for n in numbers
        ]
        self._wrong += values.count(None)
        known = np.fromiter((-1 if value is None else value for value in values), np.float32)
        self._parts.append(np.where(outcomes == 0, known, -1.0).astype(np.float32)[outcomes >= 0])
        for histogram, chosen in ((self._good, outcomes == 0), (self._failed, outcomes > 0)):
            histogram.record_many([values[row] for row in np.flatnonzero(chosen).tolist()])

    def histograms(self) -> Iterator[HistogramRow]:
        """Of all good and of all failed rows."""
        for histogram, good in ((self._good, True), (self._failed, False)):
            yield HistogramRow(Phase.TOTAL, good, _WHOLE_RUN, histogram.encode(), histogram.clamped)

    def by_row(self) -> RecordColumn:
        """The latency of each good row, as the middle one of at most 250 groups of equal size.

        Raises:
            UsageError: there is none.
        """
        took = np.concatenate(self._parts)
        self._parts = []
        good = took >= 0
        if not good.any():
            raise UsageError(
                f'no good row has a latency that can be read in "{quoted(self.column)}"',
                "It is a number, in the unit that the column's name or COLUMN=UNIT says.",
            )
        edges = np.unique(np.quantile(took[good], np.linspace(0.0, 1.0, MOST_VALUES)[1:-1]))
        codes = np.where(good, np.searchsorted(edges, took) + 1, 0)
        order = np.argsort(codes, kind="stable")
        begins = np.searchsorted(codes[order], np.arange(1, len(edges) + 3))
        values = [
            np.median(took[order[begin:end]]) if begin < end else edges[max(0, place - 1)]
            for place, (begin, end) in enumerate(pairwise(begins.tolist()))
        ]
        texts = tuple(str(round(float(value))) for value in values)
        return RecordColumn(
            printable(self.column), texts, codes.astype(np.uint8).tobytes(), len(texts)
        )

    def words(self) -> Iterator[str]:
        """How it was read."""
        yield f"{printable(self.column)} was read as {self.unit}"
        if self._wrong:
            yield f"{self._wrong:,} rows have no latency"
