"""Numbers as people read them. Rounding happens here and nowhere else in the room."""

from __future__ import annotations

from stress.model.summary import Interval


def count(number: int) -> str:
    """A whole number with thousands separators."""
    return f"{number:,}"


def plural(number: int, noun: str) -> str:
    """A count and its noun, such as `1 chain` or `2 chains`."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def percent(share: float) -> str:
    """A fraction as percent: two decimals, or two significant digits where they are fewer."""
    return f"{_percent_digits(share)} %"


def _percent_digits(share: float) -> str:
    value = share * 100
    if value == 0:
        return "0"
    if value >= 99.95:
        return "100" if value >= 100 else f"{min(value, 99.999):.3f}".rstrip("0")
    if value >= 0.1:
        return f"{value:.2f}"
    if value < 1e-6:
        return f"{value:.1e}"
    return f"{value:.{_leading_zeros(value) + 2}f}"


def _leading_zeros(value: float) -> int:
    zeros = 0
    while value < 0.1:
        value *= 10
        zeros += 1
    return zeros


def interval(bounds: Interval) -> str:
    """An interval of shares, its ends joined by an en dash, such as `0.40 to 0.60 %`."""
    return f"{_percent_digits(bounds.low)}\u2013{percent(bounds.high)}"


def milliseconds(microseconds: float | None) -> str:
    """A duration in milliseconds with about three digits; `-` when nothing was recorded."""
    if microseconds is None:
        return "-"
    value = microseconds / 1000
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def clock(seconds: float) -> str:
    """A time span such as `9 s`, `1:05` or `2:03:04`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def rate(per_second: float) -> str:
    """Events a second, such as `812/s` or `0.5/s`."""
    return f"{per_second:,.0f}/s" if per_second >= 10 else f"{per_second:.1f}/s"
