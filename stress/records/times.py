"""Recognise what a column of times is: ISO 8601, a web server's log, or a number since 1970.

A number is in the unit in which it lies between 1973 and 5138: seconds, or milli-, micro- or
nanoseconds. A time without a zone is UTC. Both are told in words, because a wrong guess would move
everything by hours or a factor of a thousand.

Imported late: it needs numpy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime

import numpy as np
from numpy.typing import NDArray

from stress.text.escape import quoted

EARLIEST, LATEST = 0, 1 << 62
"""Unix nanoseconds that a run file can hold: 1970 to 2116."""
FORMS = (
    "Times are ISO 8601 (2026-12-01T08:00:00Z), as in web server logs, or Unix seconds, ms, us, ns."
)
_UNITS = (("seconds", 10**9, 1e11), ("ms", 10**6, 1e14), ("us", 10**3, 1e17), ("ns", 1, 1e20))
"""Name, nanoseconds, and from which value on it is a finer unit."""
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]+)?")
_COMPACT = re.compile(r"(19|20)[0-9]{2}(0[1-9]|1[0-2])([0-2][0-9]|3[01])([0-9]{6})?")
_ZONE = re.compile(r"\s*(UTC|GMT|Z|[+-][0-9]{2}:?[0-9]{2})$", re.IGNORECASE)
_LOG = "%d/%b/%Y:%H:%M:%S"
_DIGITS = "%Y%m%d%H%M%S"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UTC = ("Z", "+00:00")


class Times:
    """Reads the times of one column, and remembers how."""

    def __init__(self) -> None:
        self._unit: tuple[str, int, float] | None = None
        self._naive = False
        self.wrong: str | None = None
        """The first value that is no time."""

    def read_many(self, texts: Sequence[str | None]) -> NDArray[np.int64] | None:
        """Unix nanoseconds of times that are all written alike in UTC; None: they are not."""
        first = texts[0] if texts else None
        if first is None or first[4:5] != "-" or first[10:11] not in {"T", " "}:
            return None
        zone = next((zone for zone in _UTC if first.endswith(zone)), "")
        length = len(first)
        end = length - len(zone)
        if end < len("2026-12-01T08:00:00") or None in texts:
            return None
        # numpy reads words such as "now", too.
        if {f"{len(text)}{text[4]}{text[end:]}" for text in texts if text} != {f"{length}-{zone}"}:
            return None
        try:
            found = np.array([text[:end] for text in texts if text], dtype="datetime64[ns]")
        except ValueError:
            return None
        found = found.astype(np.int64)
        if found.min() < EARLIEST or found.max() >= LATEST:
            return None
        self._naive = self._naive or not zone
        return found

    def read(self, text: str) -> int | None:
        """Unix nanoseconds; None when it is no time between 1970 and 2116."""
        text = text.strip()
        if _COMPACT.fullmatch(text):
            found = self._calendar(text)
        elif match := _NUMBER.fullmatch(text):
            found = self._number(text, whole=match[1] is None)
        else:
            found = self._calendar(text)
        if found is None or not EARLIEST <= found < LATEST:
            self.wrong = self.wrong or quoted(text)
            return None
        return found

    def words(self) -> Iterator[str]:
        """How the times were read."""
        if self._unit is not None:
            yield f"times are Unix {self._unit[0]}"
        if self._naive:
            yield "times without a zone were read as UTC"

    def _number(self, text: str, *, whole: bool) -> int | None:
        value = float(text)
        if self._unit is None and value:
            self._unit = next((unit for unit in _UNITS if value < unit[2]), None)
        name, scale, most = self._unit or _UNITS[0]
        if value >= most or (name != "seconds" and value and value < most / 1e3):
            return None  # another unit than the values before
        return int(text) * scale if whole else round(Decimal(text) * scale)

    def _calendar(self, text: str) -> int | None:
        body = text.strip("[]")
        zone = _ZONE.search(body)
        bare = body[: zone.start()] if zone else body
        offset = zone[1] if zone and zone[1][0] in "+-" else "+00:00"
        # The first reader knows for itself whether there is a zone; the others are told.
        readers: tuple[Callable[[], datetime], ...] = (
            lambda: datetime.fromisoformat(text.replace("/", "-")),
            lambda: datetime.fromisoformat(bare.replace("/", "-") + offset),
            lambda: datetime.strptime(bare + offset, f"{_LOG}%z"),
            lambda: datetime.strptime(bare + offset, f"{_DIGITS}%z"),
            lambda: parsedate_to_datetime(text),
        )
        for reader in readers:
            try:
                moment = reader()
            except (ValueError, TypeError, IndexError, OverflowError):
                continue
            self._naive |= moment.tzinfo is None or (zone is None and reader is not readers[0])
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            since = aware - _EPOCH
            return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
        return None
