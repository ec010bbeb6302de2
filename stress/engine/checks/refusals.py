"""Notices a target that refuses load: everything from now on, or all above a rate.

`CircuitBreaker` stops a run when the target begins to refuse everything: more load would only hurt
it, or us. "Everything" is nearly all of what ended lately, and "begins" means that it was different
before: a target that never worked is what the user wants to look at, not a reason to stop.

`RateLimitDetector` sees a rate limiter in the path: how many succeed does not depend on how many
are offered.

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

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from math import sqrt
from statistics import fmean, linear_regression, pvariance

from stress.measure import Histogram
from stress.model.outcome import Category, Outcome, Side
from stress.model.record import Record
from stress.model.run import Progress

RECENT_S = 5.0
ENOUGH = 50
"""Attempts that must have ended in the window before it is judged."""
NEARLY_EVERY = 0.98
HEALTHY = 0.5
"""A failure rate below this, at any time before, shows that the target once worked."""


class CircuitBreaker:
    """Watches the failure rate of the last few seconds."""

    def __init__(self) -> None:
        self._past: deque[Progress] = deque()
        self._has_worked = False

    def reset(self) -> None:
        """Forget the window, because another load begins."""
        self._past.clear()

    def reason_to_stop(self, progress: Progress) -> str | None:
        """Return the reason to stop, or None."""
        self._past.append(progress)
        while progress.elapsed_s - self._past[0].elapsed_s > RECENT_S:
            self._past.popleft()
        before = self._past[0]
        ended = progress.ended - before.ended
        failed = progress.failed - before.failed
        if ended < ENOUGH:
            return None
        if failed < HEALTHY * ended:
            self._has_worked = True
        if not self._has_worked or failed < NEARLY_EVERY * ended:
            return None
        return (
            f"stopped: the target began to refuse everything ({failed:,} of the last {ended:,}"
            f" attempts, {progress.elapsed_s:.0f} s after the start)"
        )


WINDOW_NS = 200_000_000
OPEN_WINDOWS = 100
"""Windows that may still grow: attempts do not end in the order in which they start."""
FEWEST_WINDOWS = 25
"""Windows with both failures and successes that are needed for a judgement."""
LEAST_FAILING = 0.03
NEARLY_ALL = 0.95
FLATTER = 0.5
"""The slope must be below this times the fraction of good ones, with two standard errors."""
LEAST_SPREAD = 2.0
"""Standard deviation of the offered starts of a window, below which no slope can be told."""
QUEUED_US = 20_000.0
_QUICK = frozenset({Category.RESET, Category.REFUSED, Category.EOF, Category.ALERT})


_parsed = cache(Outcome.parse)


@dataclass(slots=True)
class RateLimitDetector:
    """Watches the attempts of an open loop."""

    _windows: dict[int, list[int]] = field(default_factory=dict)
    """Window -> offered, good."""
    _mixed: Counter[tuple[int, int]] = field(default_factory=Counter)
    """Whole windows with failures and successes: how many had so many offered, and good."""
    _failed: int = 0
    _quick: int = 0
    _ended: int = 0
    _server: Histogram = field(default_factory=Histogram)

    def add(self, records: Sequence[Record]) -> None:
        """Count attempts that ended."""
        good: list[int | None] = []
        for record in records:
            outcome = _parsed(record.outcome)
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
            self._mixed[offered, good] += 1

    def ceiling(self) -> float | None:
        """Return how many a second succeed, whatever is offered; None: no limiter is seen.

        Call it once, at the end.
        """
        for number in sorted(self._windows)[1:-1]:  # the first and the last window are not whole
            self._close(number)
        if self._mixed.total() < FEWEST_WINDOWS or self._failed < LEAST_FAILING * self._ended:
            return None
        early, middle = self._server.percentiles([1.0, 50.0])
        queued = early is not None and middle is not None and middle > 3 * early + QUEUED_US
        if queued or self._quick < NEARLY_ALL * self._failed:
            return None
        offered, good = zip(*self._mixed.elements(), strict=True)
        spread = pvariance(offered)
        if spread < LEAST_SPREAD**2:
            return None
        slope, offset = linear_regression(offered, good)
        rest = sum((y - offset - slope * x) ** 2 for x, y in zip(offered, good, strict=True))
        error = sqrt(rest / (len(good) - 2) / (len(good) * spread))
        if slope + 2 * error > FLATTER * fmean(good) / fmean(offered):
            return None
        return fmean(good) * 1e9 / WINDOW_NS
