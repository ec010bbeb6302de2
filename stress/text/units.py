"""Amounts and times as people write them: durations, counts, rates, fractions, sizes, dates.

Every reader here takes the text (`moment` the present, too) and raises a `UsageError` that quotes
it; `option` puts the name of the option before the message.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TypeVar

from stress.errors import UsageError
from stress.text.escape import quoted

Read = TypeVar("Read")

_SECONDS: Mapping[str, Fraction] = {
    "d": Fraction(86400),
    "h": Fraction(3600),
    "m": Fraction(60),
    "s": Fraction(1),
    "ms": Fraction(1, 10**3),
    "us": Fraction(1, 10**6),
    "ns": Fraction(1, 10**9),
}
_PER_SECOND: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600}
_THOUSANDS: Mapping[str, int] = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_BYTES: Mapping[str, int] = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}
_NUMBER = r"[0-9]{1,18}(?:\.[0-9]{1,9})?"
_DURATION = re.compile(rf"(?:({_NUMBER})(ms|us|ns|d|h|m|s))")
_AMOUNT = re.compile(rf"({_NUMBER})\s?([a-z]{{0,3}})")
_RATE = re.compile(rf"({_NUMBER})(k?)(?:/([smh]))?")
_SHARE = re.compile(rf"({_NUMBER})\s?(%|/[1-9][0-9]{{0,17}})?")

_DURATIONS = "Write a duration such as 500ms, 30s, 10m or 1h30m."
LONGEST_S = 366 * 86400.0
MOST = 10**12


def option(name: str, read: Callable[[str], Read], value: str | float | None) -> Read | None:
    """Read an option's value when it was given, as text or as a plain number.

    Raises:
        UsageError: the value cannot be read; the message begins with the option's name.
    """
    return None if value is None else named(name, read, written(value))


def named(name: str, read: Callable[[str], Read], text: str) -> Read:
    """Read a text that was given.

    Raises:
        UsageError: it cannot be read; the message begins with the name.
    """
    try:
        return read(text)
    except UsageError as error:
        raise UsageError(f"{name}: {error.message}", error.hint) from None


def duration_s(text: str) -> float:
    """Read `500ms`, `30s`, `10m`, `1h30m` or a bare number of seconds, as seconds.

    Raises:
        UsageError: it is not a duration, or longer than a year.
    """
    seconds = span_s(text)
    if seconds > LONGEST_S:
        raise UsageError(f'"{quoted(text)}" is longer than a year', _DURATIONS)
    return seconds


def span_s(text: str) -> float:
    """Read what `duration_s` reads, however long.

    Raises:
        UsageError: it is not a duration.
    """
    plain = _plain(text)
    parts = _DURATION.findall(plain)
    if re.fullmatch(_NUMBER, plain):
        seconds = Fraction(plain)
    elif parts and "".join(number + unit for number, unit in parts) == plain:
        seconds = sum((Fraction(number) * _SECONDS[unit] for number, unit in parts), Fraction(0))
    else:
        raise UsageError(f'"{quoted(text)}" is not a duration', _DURATIONS)
    return float(seconds)


def positive_duration_s(text: str) -> float:
    """Read a duration above zero.

    Raises:
        UsageError: it is not a duration, zero, or longer than a year.
    """
    seconds = duration_s(text)
    if not seconds:
        raise UsageError(f'"{quoted(text)}" is zero', "Write 500ms, 30s or 10m.")
    return seconds


def count(text: str) -> int:
    """Read `20000`, `20,000`, `20_000`, `20k` or `1.5M` as a whole number.

    Raises:
        UsageError: it is not a whole number from 0 to 10^12.
    """
    hint = "Write a whole number such as 20000, 20,000 or 20k."
    plain = re.sub(r"(?<=[0-9])[,_](?=[0-9]{3})", "", _plain(text))
    if re.fullmatch(r"-[0-9]+|[0-9]{19,}", plain):
        raise UsageError(f'"{quoted(text)}" is not between 0 and {MOST:,}', hint)
    value = _amount(plain, _THOUSANDS)
    if value is None:
        raise UsageError(f'"{quoted(text)}" is not a whole number', hint)
    if value > MOST:
        raise UsageError(f'"{quoted(text)}" is more than {MOST:,}', hint)
    return value


def positive_count(text: str) -> int:
    """Read a whole number of at least 1.

    Raises:
        UsageError: it is not.
    """
    value = count(text)
    if not value:
        raise UsageError(f'"{quoted(text)}" is not at least 1', "Write a whole number above 0.")
    return value


def rate_per_s(text: str) -> float | None:
    """Read `500`, `500/s`, `30/m`, `2k/s` as attempts per second; `none` is None (closed loop).

    Raises:
        UsageError: it is not a rate, or zero.
    """
    hint = "Write attempts per second such as 500, 500/s or 30/m; none makes a closed loop."
    plain = _plain(text)
    if plain == "none":
        return None
    found = _RATE.fullmatch(plain)
    if not found:
        raise UsageError(f'"{quoted(text)}" is not a rate', hint)
    value = Fraction(found[1]) * _THOUSANDS[found[2]] / _PER_SECOND[found[3] or "s"]
    if not 0 < value <= 10**6:
        raise UsageError(f'"{quoted(text)}" is not a rate above 0, up to 1,000,000/s', hint)
    return float(value)


def share(text: str) -> float:
    """Read `0.1%`, `0.001` or `1/1000` as a fraction of 0 to 1.

    Raises:
        UsageError: it is not a fraction, or above 1.
    """
    hint = "Write a fraction such as 0.1%, 0.001 or 1/1000."
    found = _SHARE.fullmatch(_plain(text))
    if not found:
        raise UsageError(f'"{quoted(text)}" is not a fraction', hint)
    unit = found[2] or "/1"
    value = Fraction(found[1]) / (100 if unit == "%" else int(unit[1:]))
    if value > 1:
        raise UsageError(f'"{quoted(text)}" is more than 100%', hint)
    return float(value)


def size_bytes(text: str) -> int:
    """Read `500`, `64KiB` or `2MB` as bytes.

    Raises:
        UsageError: it is not a size.
    """
    value = _amount(_plain(text), _BYTES)
    if value is None or value > MOST:
        raise UsageError(f'"{quoted(text)}" is not a size', "Write a size such as 64KiB or 2MB.")
    return value


def _amount(plain: str, scales: Mapping[str, int]) -> int | None:
    """A number with one of these units, as a whole number; None: it is not one."""
    found = _AMOUNT.fullmatch(plain)
    scale = scales.get(found[2]) if found else None
    value = Fraction(found[1]) * scale if found and scale else None
    return int(value) if value is not None and value.denominator == 1 else None


def show_duration(seconds: float) -> str:
    """Return a duration that `duration_s` reads, to the millisecond: `1h30m`, `40s`, `250ms`."""
    left = round(seconds * 1000)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        amount, left = divmod(left, size)
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts) or "0s"


def show_rate(per_second: float) -> str:
    """Return a rate that `rate_per_s` reads: `500/s`, `30/m`."""
    if per_second < 1 and math.isclose(per_second * 60, round(per_second * 60)):
        return f"{round(per_second * 60)}/m"
    return f"{per_second:.9g}/s"


def show_size(size: int) -> str:
    """Return a size, rounded: `100 MB`."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            amount = f"{size / scale:.3g}" if size < 1000 * scale else f"{size // scale:,}"
            return f"{amount} {unit}"
    return f"{size} bytes"


def written(value: str | float) -> str:
    """Return a value as one would type it; without the exponent that `str` may give."""
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.9f}".rstrip("0").rstrip(".")
    return str(value)


def _plain(text: str) -> str:
    return text.strip().lower()


# Points in time are Unix seconds: written as RFC 3339 in UTC, and read as people write them
# (`--at`). Certificates contain years that no calendar library has; these are written in words.

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
