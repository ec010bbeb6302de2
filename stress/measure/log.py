"""Histogram logs (`.hlog`), written so that HdrHistogram's own readers open them.

The library's writer cannot be used: it fails on its own start time and never writes tags
(https://github.com/HdrHistogram/HdrHistogram_py, `hdrh/log.py`, version 0.10.8).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TextIO

from stress.measure.histogram import Histogram

_SECOND = 1_000_000_000
_VERSION = "#[Histogram log format version 1.3]\n"
_LEGEND = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n'


class HistogramLog:
    """Writes intervals to a log. Values are microseconds, `Interval_Max` is milliseconds.

    Args:
        stream: where to; the caller closes it.
        started_ns: Unix time, nanoseconds. Intervals are given relative to it.
    """

    def __init__(self, stream: TextIO, *, started_ns: int) -> None:
        self._stream = stream
        started = datetime.fromtimestamp(started_ns // _SECOND, UTC).isoformat()
        seconds = f"{started_ns / _SECOND:.3f} (seconds since epoch)"
        stream.write(_VERSION)
        stream.write(f"#[BaseTime: {seconds}]\n#[StartTime: {seconds}, {started}]\n")
        stream.write(_LEGEND)

    def write(self, tag: str, histogram: Histogram, *, start_ns: int, length_ns: int) -> None:
        """Write one interval.

        Args:
            tag: which series it belongs to, such as `server-ok`.
            histogram: what was counted in the interval.
            start_ns: begin of the interval, relative to the start of the log.
            length_ns: its length.

        Raises:
            ValueError: the tag could not be read back.
        """
        if not tag or any(mark in tag for mark in ", \t\r\n"):
            raise ValueError(f"a tag has no comma and no space: {tag!r}")
        longest_ms = (histogram.max or 0.0) / 1000
        times = f"{start_ns / _SECOND:.3f},{length_ns / _SECOND:.3f},{longest_ms:.3f}"
        self._stream.write(f"Tag={tag},{times},{histogram.encode().decode('ascii')}\n")
