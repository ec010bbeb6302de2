"""Detects a rate limiter in the path: how many succeed does not depend on how many are offered.

In an open loop the starts are random, so some fifths of a second offer more than others. Where a
fraction of the connections fails (one bad node of several), more succeed when more are offered.
Behind a token bucket the same number succeeds, however many were offered. So over all windows that
have both, the slope of "good" on "offered" separates the two: about the fraction of good ones for a
bad node, about 0 for a limiter.

An overloaded server has a ceiling, too, but its queue shows: connections that succeed have waited,
and others fail late or never. So no limiter is reported where the failures are not quick, where the
good ones had to wait, or where the loop is closed (then the offer depends on the answers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt

from stress.measure import Histogram
from stress.model.outcome import Category, Outcome, Side
from stress.model.record import Record

WINDOW_NS = 200_000_000
OPEN_WINDOWS = 100
"""Windows that may still grow: attempts do not end in the order in which they start."""
FEWEST_WINDOWS = 25
"""Windows with both failures and successes that are needed for a judgement."""
LEAST_FAILING = 0.03
NEARLY_ALL = 0.95
FLATTER = 0.5
"""The slope must be below this times the fraction of good ones, with two standard errors."""
QUEUED_US = 20_000.0
_QUICK = frozenset({Category.RESET, Category.REFUSED, Category.EOF, Category.ALERT})


@dataclass(slots=True)
class _Sums:
    """A regression of good on offered, as running sums."""

    count: int = 0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    xy: float = 0.0
    yy: float = 0.0

    def add(self, offered: int, good: int) -> None:
        self.count += 1
        self.x += offered
        self.y += good
        self.xx += offered * offered
        self.xy += offered * good
        self.yy += good * good

    def slope(self) -> tuple[float, float] | None:
        """Return slope and standard error; None when the offer hardly varied."""
        spread = self.xx - self.x * self.x / self.count
        if spread < 4 * self.count:  # a standard deviation below 2 starts
            return None
        shared = self.xy - self.x * self.y / self.count
        slope = shared / spread
        rest = max(0.0, self.yy - self.y * self.y / self.count - slope * shared)
        return slope, sqrt(rest / max(1, self.count - 2) / spread)


@dataclass(slots=True)
class RateLimitDetector:
    """Watches the attempts of an open loop."""

    _windows: dict[int, list[int]] = field(default_factory=dict)
    """Window -> offered, good."""
    _sums: _Sums = field(default_factory=_Sums)
    _failed: int = 0
    _quick: int = 0
    _ended: int = 0
    _server: Histogram = field(default_factory=Histogram)
    _outcomes: dict[str, Outcome] = field(default_factory=dict)

    def add(self, records: Sequence[Record]) -> None:
        """Count attempts that ended."""
        good: list[int | None] = []
        for record in records:
            outcome = self._outcomes.get(record.outcome)
            if outcome is None:
                outcome = self._outcomes[record.outcome] = Outcome.parse(record.outcome)
            if outcome.side not in {Side.NOBODY, Side.TARGET}:
                continue
            window = self._windows.setdefault(record.started_ns // WINDOW_NS, [0, 0])
            window[0] += 1
            self._ended += 1
            if outcome.side is Side.NOBODY:
                window[1] += 1
                good.append(record.server_ns)
            else:
                self._failed += 1
                self._quick += outcome.category in _QUICK
        self._server.record_many(good)
        while len(self._windows) > OPEN_WINDOWS:
            self._close(min(self._windows))

    def _close(self, number: int) -> None:
        offered, good = self._windows.pop(number)
        if 0 < good < offered:
            self._sums.add(offered, good)

    def ceiling(self) -> float | None:
        """Return how many a second succeed, whatever is offered; None: no limiter is seen.

        Call it once, at the end.
        """
        for number in sorted(self._windows)[1:-1]:  # the first and the last window are not whole
            self._close(number)
        sums = self._sums
        if sums.count < FEWEST_WINDOWS or self._failed < LEAST_FAILING * self._ended:
            return None
        early, middle = self._server.percentiles([1.0, 50.0])
        queued = early is not None and middle is not None and middle > 3 * early + QUEUED_US
        if queued or self._quick < NEARLY_ALL * self._failed:
            return None
        found = sums.slope()
        if found is None or found[0] + 2 * found[1] > FLATTER * sums.y / sums.x:
            return None
        return sums.y / sums.count * 1e9 / WINDOW_NS
