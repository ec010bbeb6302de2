"""Durations as HDR histograms: nanoseconds in, microseconds out; never measures a time.

HDR is high dynamic range. This is the only module that touches `hdrh`. What is true there, and what
follows here:

* `HdrHistogram.record_value` is pure Python, costs 0.64 µs a value, and silently drops values
  outside its range. So values are counted here, in a plain dictionary, and put into a real
  `HdrHistogram` only to encode. The bytes are the same as if each value had been recorded there.
* Counting has two steps. `Counter.update` counts a whole batch by its microsecond in C (about
  0.05 µs a value); only distinct microseconds are then folded into HDR buckets. Folding is put off
  until a result is read or too many distinct microseconds are pending (`_FOLD_AT`), so memory is
  bounded whatever the values are.
* A bucket is an index into HDR's array of counters. With 3 significant digits the first 2,048
  buckets are one microsecond wide, and each following 1,024 are twice as wide as the ones before.
* An encoded histogram may come from a hostile file: its settings and its unpacked size are checked
  before the library reads it.
* The library's log writer cannot be used: it fails on its own start time and never writes tags
  (https://github.com/HdrHistogram/HdrHistogram_py, `hdrh/log.py`, version 0.10.8).

Invariants: `count` is the number of values ever recorded, clamped ones included; `_counts` holds
no zero; `decode` returns exactly what `encode` was given.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import accumulate
from operator import sub
from typing import Any, Self, TextIO

LOWEST_US = 1
"""The resolution, one microsecond; shorter values count as 0 or 1."""
HIGHEST_US = 120_000_000
"""Two minutes. Longer values are recorded as this and counted in `Histogram.clamped`."""
DIGITS = 3
"""Significant decimal digits: any value is known to 0.1%."""

_LINEAR_BITS = 11
_HALF_BITS = 10
_SHIFTS = b"\0" + b"".join(
    bytes((bits,)) * 2 ** (bits - 1)
    for bits in range(1, (HIGHEST_US >> _LINEAR_BITS).bit_length() + 1)
)
"""How many low bits a bucket leaves out, by the value without its lowest 11 bits: a table, because
it is looked up for every distinct microsecond."""
_FOLD_AT = 4096

# The encoding V2: a cookie and a length, then zlib over a header and the counters.
_OUTER = struct.Struct(">II")
_INNER = struct.Struct(">IIIIQQd")
_OUTER_COOKIE = 0x1C849314
_INNER_COOKIE = 0x1C849313
_MOST_BUCKETS = 18_432
_MOST_BYTES = _INNER.size + 9 * _MOST_BUCKETS
_SETTINGS = [DIGITS, LOWEST_US, HIGHEST_US]

# Histogram logs (`.hlog`).
_SECOND = 1_000_000_000
_LEGEND = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n'


@dataclass(frozen=True, slots=True)
class Bin:
    """One bucket that is not empty."""

    low_us: int
    """Shortest duration that falls into it."""
    high_us: int
    """Longest duration that falls into it."""
    count: int


@dataclass(frozen=True, slots=True)
class Packed:
    """A histogram compressed in memory; to store or send one, use `encode`."""

    distinct: int
    """How many buckets are not empty."""
    body: bytes
    """Compressed: the steps from bucket to bucket (16 bits each), then the counts (64 bits)."""
    clamped: int


class Histogram:
    """Durations of one phase, counted in buckets of 0.1% width."""

    __slots__ = ("_clamped", "_count", "_counts", "_many", "_pending")

    def __init__(self) -> None:
        self._pending: Counter[int] = Counter()
        self._counts: dict[int, int] = {}
        self._many: Any = None
        self._count = 0
        self._clamped = 0

    @property
    def count(self) -> int:
        """How many values were recorded, clamped ones included."""
        self._fold()
        return self._count

    @property
    def clamped(self) -> int:
        """How many of them lay outside the range and were recorded at its edge."""
        self._fold()
        return self._clamped

    @property
    def max(self) -> float | None:
        """The longest duration in microseconds (upper edge of its bucket); None when empty."""
        self._fold()
        return float(_bin_of(max(self._counts))[1]) if self._counts else None

    def record(self, duration_ns: int) -> None:
        """Count one duration."""
        self._pending[(duration_ns + 500) // 1000] += 1
        if len(self._pending) > _FOLD_AT:
            self._fold()

    def record_many(self, durations_ns: Iterable[int | None]) -> None:
        """Count many durations; None is skipped, and so is NaN in an array of numpy."""
        if isinstance(durations_ns, (list, tuple)) or not hasattr(durations_ns, "dtype"):
            self._pending.update([(ns + 500) // 1000 for ns in durations_ns if ns is not None])
            if len(self._pending) > _FOLD_AT:
                self._fold()
            return
        import numpy as np  # noqa: PLC0415 - not needed to start

        array_ns: Any = durations_ns
        known_ns = array_ns[~np.isnan(array_ns)].astype(np.int64)
        whole_us = (known_ns + 500) // 1000
        values = np.clip(whole_us, 0, HIGHEST_US)
        shifts = np.frombuffer(_SHIFTS, np.uint8)[values >> _LINEAR_BITS].astype(np.int64)
        places = (shifts << _HALF_BITS) + (values >> shifts)
        counted = np.bincount(places, minlength=_MOST_BUCKETS)
        self._many = counted if self._many is None else self._many + counted
        self._count += len(values)
        self._clamped += int((values != whole_us).sum())

    def merge(self, other: Histogram) -> None:
        """Add what another histogram counted."""
        self._fold()
        other._fold()
        counts = self._counts
        for index, count in other._counts.items():
            counts[index] = counts.get(index, 0) + count
        self._count += other._count
        self._clamped += other._clamped

    def percentile(self, percent: float) -> float | None:
        """The duration in microseconds that `percent` (0 to 100) of the values do not exceed.

        It is the upper edge of the bucket, as HdrHistogram has it. None when nothing was recorded.
        """
        return self.percentiles([percent])[0]

    def percentiles(self, percents: Sequence[float]) -> list[float | None]:
        """Several percentiles in the order given, in one pass."""
        self._fold()
        if not self._count:
            return [None] * len(percents)
        found: dict[float, float] = {}
        bins = self.bins()
        current, reached = next(bins), 0
        for percent in sorted(set(percents)):
            wanted = max(1, int(min(percent, 100.0) * self._count / 100 + 0.5))
            while reached + current.count < wanted:
                reached += current.count
                current = next(bins)
            found[percent] = float(current.high_us if percent else current.low_us)
        return [found[percent] for percent in percents]

    def bins(self) -> Iterator[Bin]:
        """Every bucket that is not empty, shortest durations first."""
        self._fold()
        for index in sorted(self._counts):
            low, high = _bin_of(index)
            yield Bin(low, high, self._counts[index])

    def encode(self) -> bytes:
        """Base64 of the compressed HDR encoding V2, as every HdrHistogram library reads it.

        `clamped` is not part of it; store it separately.
        """
        from hdrh.histogram import HdrHistogram  # noqa: PLC0415 - not needed to start

        self._fold()
        hdr: Any = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
        for index, count in self._counts.items():
            hdr.counts[index] = count
        hdr.total_count = self._count
        if self._counts:
            hdr.max_value = _bin_of(max(self._counts))[1]
        encoded: bytes = hdr.encode()
        return encoded

    @staticmethod
    def decode(encoded: bytes, clamped: int = 0) -> Histogram:
        """Read what `encode` wrote.

        Raises:
            ValueError: the bytes are not an HDR histogram, or have another range or precision.
        """
        total = HistogramSum()
        total.add(encoded, clamped)
        return total.histogram()

    @classmethod
    def of(cls, counts: dict[int, int], clamped: int) -> Self:
        """The histogram with these counts by bucket."""
        histogram = cls()
        histogram._counts = counts
        histogram._count = sum(counts.values())
        histogram._clamped = clamped
        return histogram

    def pack(self) -> Packed:
        """The same in a fiftieth of the memory, while nothing is recorded; see `unpack`."""
        self._fold()
        counts, order = self._counts, sorted(self._counts)
        # Neighbours are close and most counts are small, so steps and counts compress tenfold.
        steps = array("H", map(sub, order, [0, *order]))
        held = array("Q", map(counts.__getitem__, order))
        return Packed(len(order), zlib.compress(steps.tobytes() + held.tobytes(), 1), self._clamped)

    @classmethod
    def unpack(cls, packed: Packed) -> Self:
        """The histogram that was packed."""
        body, steps, counts = zlib.decompress(packed.body), array("H"), array("Q")
        steps.frombytes(body[: packed.distinct * steps.itemsize])
        counts.frombytes(body[packed.distinct * steps.itemsize :])
        return cls.of(dict(zip(accumulate(steps), counts, strict=True)), packed.clamped)

    def _fold(self) -> None:
        """Move pending values into buckets; inlined, since it runs per distinct microsecond."""
        pending = self._pending
        if self._many is not None:
            (places,) = self._many.nonzero()
            counted = self._many[places].tolist()
            for index, count in zip(places.tolist(), counted, strict=True):
                self._counts[index] = self._counts.get(index, 0) + count
            self._many = None
        if not pending:
            return
        if min(pending) < 0 or max(pending) > HIGHEST_US:
            for value in [value for value in pending if not 0 <= value <= HIGHEST_US]:
                count = pending.pop(value)
                pending[0 if value < 0 else HIGHEST_US] += count
                self._clamped += count
        counts, known = self._counts, self._counts.get
        for value, count in pending.items():
            shift = _SHIFTS[value >> _LINEAR_BITS]
            index = (shift << _HALF_BITS) + (value >> shift)
            counts[index] = known(index, 0) + count
        self._count += pending.total()
        pending.clear()


@cache
def _bin_of(index: int) -> tuple[int, int]:
    """The lowest and the highest microsecond of a bucket."""
    shift = max(0, (index >> _HALF_BITS) - 1)
    low = (index - (shift << _HALF_BITS)) << shift
    return low, low + (1 << shift) - 1


class HistogramSum:
    """Adds encoded histograms; many times as fast as to decode each into a `Histogram`."""

    def __init__(self) -> None:
        import numpy as np  # noqa: PLC0415 - not needed to start

        self._counts = np.zeros(_MOST_BUCKETS, np.int64)
        self._clamped = 0

    def add(self, encoded: bytes, clamped: int) -> int:
        """Add what `Histogram.encode` wrote, and return how many values it has.

        Raises:
            ValueError: the bytes are not an HDR histogram, or have another range or precision.
        """
        import numpy as np  # noqa: PLC0415 - not needed to start
        from hdrh.codec import decode  # noqa: PLC0415 - not needed to start

        # The bytes may come from a hostile file, and the library's decoder checks less.
        try:
            packed = base64.b64decode(encoded, validate=True)
            cookie, length = _OUTER.unpack_from(packed)
            unpacker = zlib.decompressobj()
            inner = unpacker.decompress(packed[_OUTER.size :], _MOST_BYTES)
            inner_cookie, payload, _, *settings, _ = _INNER.unpack_from(inner)
        except (binascii.Error, struct.error, zlib.error) as error:
            raise ValueError(f"this is not an HDR histogram: {error}") from error
        whole = unpacker.eof and not unpacker.unused_data and payload == len(inner) - _INNER.size
        lengths_fit = length == len(packed) - _OUTER.size and whole
        if (cookie, inner_cookie) != (_OUTER_COOKIE, _INNER_COOKIE) or not lengths_fit:
            raise ValueError("this is not an HDR histogram of encoding V2")
        if settings != _SETTINGS:
            digits, lowest, highest = settings
            raise ValueError(
                f"this HDR histogram counts {lowest} to {highest} with {digits} digits, "
                f"not {LOWEST_US} to {HIGHEST_US} with {DIGITS}"
            )
        counts = np.zeros(_MOST_BUCKETS, np.int64)
        try:
            decode(inner, _INNER.size, counts.ctypes.data, _MOST_BUCKETS, 8)
        except (IndexError, OverflowError) as error:  # from its C part, for invalid counters
            raise ValueError(f"this is not an HDR histogram: {error}") from error
        self._counts += counts
        self._clamped += clamped
        return int(counts.sum())

    def histogram(self) -> Histogram:
        """The sum."""
        import numpy as np  # noqa: PLC0415 - not needed to start

        places = np.flatnonzero(self._counts)
        counts = dict(zip(places.tolist(), self._counts[places].tolist(), strict=True))
        return Histogram.of(counts, self._clamped)


class HistogramLog:
    """Writes intervals as `.hlog`, which HdrHistogram's readers open.

    Values are microseconds, `Interval_Max` is milliseconds.

    Args:
        stream: where to write; the caller closes it.
        started_ns: Unix time, nanoseconds. Intervals are given relative to it.
    """

    def __init__(self, stream: TextIO, *, started_ns: int) -> None:
        self._stream = stream
        started = datetime.fromtimestamp(started_ns // _SECOND, UTC).isoformat()
        seconds = f"{started_ns / _SECOND:.3f} (seconds since epoch)"
        stream.write("#[Histogram log format version 1.3]\n")
        stream.write(f"#[BaseTime: {seconds}]\n#[StartTime: {seconds}, {started}]\n")
        stream.write("#[Values are microseconds, Interval_Max is milliseconds]\n")
        stream.write(_LEGEND)

    def write(self, tag: str, histogram: Histogram, *, start_ns: int, length_ns: int) -> None:
        """Write one interval.

        Args:
            tag: the series, such as `server-ok`.
            histogram: what was counted in the interval.
            start_ns: start of the interval, relative to the start of the log.
            length_ns: its length.

        Raises:
            ValueError: the tag could not be read back.
        """
        if not tag or any(mark in tag for mark in ", \t\r\n"):
            raise ValueError(f"a tag must not contain a comma or white space: {tag!r}")
        longest_ms = (histogram.max or 0.0) / 1000
        times = f"{start_ns / _SECOND:.3f},{length_ns / _SECOND:.3f},{longest_ms:.3f}"
        self._stream.write(f"Tag={tag},{times},{histogram.encode().decode('ascii')}\n")
