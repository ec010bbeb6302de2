"""Read the latencies of rows: as HDR histograms, and of each good row to a 250th of them.

Imported late: it needs numpy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from stress.errors import UsageError
from stress.measure import Histogram
from stress.model.records import RecordColumn
from stress.model.run import HistogramRow, Phase
from stress.records.columns import MOST_VALUES, Numbers
from stress.records.expression import as_number
from stress.text.escape import printable, quoted

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
Durations: TypeAlias = NDArray[np.float32]


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
