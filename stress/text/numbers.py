"""Numbers as people read them: fractions, counts, rates and durations. Only this module rounds."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, isclose, log10
from typing import Protocol


class Bounds(Protocol):
    """Both ends of an interval of a fraction, 0 to 1."""

    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


def thousands(number: int) -> str:
    """Write an integer with separators: 20,000."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: `1 attempt`, `2,000 attempts`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def some(names: Sequence[str], most: int) -> str:
    """Write the first of several names, and how many more there are: `a, b and 3 more`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def offered(load: float) -> str:
    """Write an offered load; small ones with three digits, so that no two steps look alike."""
    return f"{load:,.0f}" if load >= 100 else f"{load:.3g}"


def percent(share: float) -> str:
    """Write a fraction as percent, with its significant digits: 0.49%, 12.5%, 0.0050%."""
    return f"{_digits(share)}%"


def interval(bounds: Bounds) -> str:
    """Write an interval of a fraction, with one unit and an en dash: 0.40-0.60%.

    An upper bound above 99.99% is rounded up: its further digits would decide nothing.
    """
    high = 1.0 if bounds.high > 0.9999 else bounds.high
    return f"{_digits(bounds.low)}\u2013{percent(high)}"


def percent_up(share: float) -> str:
    """Write an upper bound of a fraction, with two digits, rounded up: 0.3%, 0.015%."""
    value = share * 100.0
    if value >= 100.0 or value <= 0.0:
        return f"{min(max(value, 0.0), 100.0):.0f}%"
    unit = 10.0 ** (floor(log10(value)) - 1)
    bound = ceil(value / unit - 1e-9) * unit
    text = f"{bound:.8f}" if bound < 1.0 else f"{bound:.1f}"
    return f"{text.rstrip('0').rstrip('.')}%"


def of(failures: int, attempts: int) -> str:
    """Write a part of a whole: `515 of 2,558 (20.1%)`."""
    share = failures / attempts if attempts else 0.0
    return f"{failures:,} of {attempts:,} ({percent(share)})"


def seconds(duration_s: float) -> str:
    """Write a duration in the unit people would use: 41 s, 12 min, 3.2 h."""
    if duration_s < 1.0:
        return f"{duration_s * 1000:.0f} ms"
    if duration_s < 10.0:
        return f"{duration_s:.1f} s"
    if duration_s < 120.0:
        return f"{duration_s:.0f} s"
    if duration_s < 7200.0:
        return f"{duration_s / 60:.0f} min"
    return f"{duration_s / 3600:.1f} h"


def milliseconds(microseconds: float | None) -> str:
    """Write a duration in milliseconds with about three digits; `-` when nothing was recorded."""
    if microseconds is None:
        return "-"
    value = microseconds / 1000
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def clock(seconds: float) -> str:
    """Write a time span as on a clock: `9 s`, `1:05` or `2:03:04`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def rate(per_second: float) -> str:
    """Write events per second: `812/s` or `0.5/s`."""
    return f"{per_second:,.0f}/s" if per_second >= 10 else f"{per_second:.1f}/s"


def _digits(share: float) -> str:
    value = share * 100.0
    if value <= 0.0:
        return "0"
    if value < 1e-6:
        return f"{value:.1e}"
    if value >= 100.0:
        return "100"
    if value > 99.0:
        return f"{min(value, 99.9999):.{_places(100.0 - value)}f}"
    if value >= 1.0:
        # One precision, except where the number is whole: 12.95% is 13.0%, 20% is 20%.
        whole = value >= 10.0 and isclose(value, round(value), rel_tol=1e-9)
        return f"{value:.0f}" if whole else f"{value:.1f}"
    return f"{value:.{_places(value)}f}"


def _places(value: float) -> int:
    """Return the decimals that show two significant digits of a number below one, at most 8."""
    return min(8, 1 - floor(log10(min(value, 1.0)))) if value > 0.0 else 1
