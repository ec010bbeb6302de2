"""Points in time, written as RFC 3339 in UTC and read as people write them (`--at`).

Times are Unix seconds. Certificates contain years that no calendar library has, so `instant` writes
those in words.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from stress.errors import UsageError
from stress.text.escape import quoted
from stress.text.units import span_s

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400
_LAST = 253_402_300_799
"""9999-12-31T23:59:59Z."""

_UNIX = re.compile(r"[0-9]{9,12}")
_DATE_OR_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})?)?"
)
_HINT = "Write 2026-12-01, 2026-12-01T08:00:00Z, Unix seconds, or +30d from now."


def instant(unix: int) -> str:
    """Write a point in time as `2026-10-01T00:00:00Z`, outside the years 1 to 9999 in words.

    Args:
        unix: seconds since 1970-01-01T00:00:00Z; may be negative.
    """
    try:
        moment = _EPOCH + timedelta(seconds=unix)
    except OverflowError:
        return "before the year 1" if unix < 0 else "after the year 9999"
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def span(seconds: int) -> str:
    """Write a length of time in its largest fitting unit: `12 s`, `4 min`, `5 h`, `53 d`."""
    length = abs(seconds)
    for unit, size, most in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 2 * _DAY)):
        if length < most:
            return f"{length // size} {unit}"
    return f"{length // _DAY} d"


def days(seconds: int) -> str:
    """Write a validity period in days, rounded up, since one second more counts as another day.

    Source: CA/B Forum Baseline Requirements 6.3.2.
    """
    return f"{-(-seconds // _DAY)} d"


def moment(text: str, now: int) -> int:
    """Read a point in time; a date is its midnight, a time without offset is UTC.

    Args:
        text: RFC 3339 date or time, Unix seconds, or `+30d`/`-1h` from now.
        now: the present, Unix seconds; used by relative times only.

    Raises:
        UsageError: it is not a point in time between 1970 and 9999.
    """
    words = text.strip()
    value: int | None = None
    if words[:1] in {"+", "-"}:
        try:
            seconds = span_s(words[1:])
        except UsageError as error:
            raise UsageError(error.message, _HINT) from None
        value = now + round(-seconds if words[0] == "-" else seconds)
    elif _UNIX.fullmatch(words):
        value = int(words)
    elif _DATE_OR_TIME.fullmatch(words):
        try:
            parsed = datetime.fromisoformat(words.upper())
            value = int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())
        except (ValueError, OverflowError):  # month 13, or year 1 with an offset
            value = None
    if value is None or not 0 <= value <= _LAST:
        raise UsageError(f'"{quoted(words)}" is not a point in time', _HINT)
    return value


def time_of_day(unix_ns: int, begun_ns: int) -> str:
    """A moment of a run as a time of day, UTC; with the date when the run crosses one."""
    begun = datetime.fromtimestamp(begun_ns // 1_000_000_000, UTC)
    then = datetime.fromtimestamp(unix_ns // 1_000_000_000, UTC)
    return f"{then:%H:%M:%S}" if then.date() == begun.date() else f"{then:%m-%d %H:%M:%S}"
