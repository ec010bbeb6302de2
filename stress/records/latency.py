"""Count the latencies of good and failed rows as HDR histograms."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from stress.errors import UsageError
from stress.measure import Histogram
from stress.model.run import HistogramRow, Phase
from stress.records.columns import Numbers
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

    def add(self, texts: Sequence[str | None], outcomes: Numbers) -> None:
        """Count the latencies of a batch; rows that are left out have a negative outcome."""
        scale = _UNITS[self.unit]
        numbers = [None if text is None else as_number(text) for text in texts]
        values = [None if n is None or n < 0 else round(n * scale) for n in numbers]
        self._wrong += values.count(None)
        for histogram, chosen in ((self._good, outcomes == 0), (self._failed, outcomes > 0)):
            histogram.record_many([values[row] for row in np.flatnonzero(chosen).tolist()])

    def histograms(self) -> Iterator[HistogramRow]:
        """Of all good and of all failed rows."""
        for histogram, good in ((self._good, True), (self._failed, False)):
            yield HistogramRow(Phase.TOTAL, good, _WHOLE_RUN, histogram.encode(), histogram.clamped)

    def words(self) -> Iterator[str]:
        """How it was read."""
        yield f"{printable(self.column)} was read as {self.unit}"
        if self._wrong:
            yield f"{self._wrong:,} rows have no latency"
