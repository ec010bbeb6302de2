"""Writes moments and spans for people: RFC 3339 in UTC, also for years no calendar library has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400


def instant(unix: int) -> str:
    """A moment as `2026-10-01T00:00:00Z`; what lies outside the years 1 to 9999 is said in words.

    Args:
        unix: seconds since 1970-01-01T00:00:00Z; may be negative.
    """
    try:
        moment = _EPOCH + timedelta(seconds=unix)
    except OverflowError:
        return "before the year 1" if unix < 0 else "after the year 9999"
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def span(seconds: int) -> str:
    """A length of time in its largest fitting unit: `12 s`, `4 min`, `5 h`, `53 d`."""
    length = abs(seconds)
    for unit, size, most in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 2 * _DAY)):
        if length < most:
            return f"{length // size} {unit}"
    return f"{length // _DAY} d"


def days(seconds: int) -> str:
    """A validity period in days, rounded up, since one second more counts as another day.

    Source: CA/B Forum Baseline Requirements 6.3.2.
    """
    return f"{-(-seconds // _DAY)} d"
