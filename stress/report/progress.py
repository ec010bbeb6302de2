"""The progress line: where the run stands, while it runs.

It is talk, not data: it goes to stderr and must never disturb the run. A stream that cannot be
written any more (a closed terminal) silences the line; it does not stop the handshakes. The line
reads no clock: the engine tells the elapsed time with each `Progress`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TextIO

from stress.model.run import Progress
from stress.model.summary import Interval
from stress.report import figures

Bounds = Callable[[int, int], Interval]
"""From failures and attempts to the interval of the failing share."""


class Manner(Enum):
    """How the line is shown. The value is the seconds between two updates."""

    LIVE = 0.1
    """Rewritten in place: stderr is a terminal."""
    PLAIN = 5.0
    """One line each five seconds: stderr is a file or a pipe."""


class ProgressLine:
    """Shows each `Progress` that is due; call it with what the engine reports."""

    def __init__(self, stream: TextIO, bounds: Bounds, manner: Manner, *, width: int = 100) -> None:
        self._stream: TextIO | None = stream
        self._bounds = bounds
        self._manner = manner
        self._width = width
        self._shown_s = float("-inf") if manner is Manner.LIVE else 0.0
        self._length = 0

    def __call__(self, progress: Progress) -> None:
        if progress.elapsed_s - self._shown_s < self._manner.value:
            return
        self._shown_s = progress.elapsed_s
        if self._manner is Manner.PLAIN:
            start = f"[{figures.clock(progress.elapsed_s)}] "
            line = describe(progress, self._bounds, self._width - len(start))
            self._write(f"{start}{line}\n")
        else:
            self._rewrite(describe(progress, self._bounds, self._width - 1))

    def close(self) -> None:
        """Wipe a live line, so that what follows starts on a clean one."""
        if self._manner is Manner.LIVE and self._length:
            self._write("\r" + " " * self._length + "\r")
            self._length = 0

    def _rewrite(self, line: str) -> None:
        shown = line[: self._width - 1]
        self._write("\r" + shown.ljust(self._length))
        self._length = len(shown)

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream was closed
            self._stream = None


def describe(progress: Progress, bounds: Bounds, width: int = 100) -> str:
    """One line: done/total, rate, failing with interval, chains, in flight, time left.

    Where that is wider than `width`, what is in flight and then the chains are left out.
    """
    chains = figures.plural(progress.chains, "chain")
    in_flight = f"{figures.count(progress.in_flight)} in flight"
    start = [_done(progress), figures.rate(progress.rate), _failing(progress, bounds)]
    left = left_s(progress)
    end = _aside(progress) + ([] if left is None else [f"{figures.clock(left)} left"])
    lines = ["  ".join(start + middle + end) for middle in ([chains, in_flight], [chains], [])]
    return next((line for line in lines if len(line) <= width), lines[-1])


def _done(progress: Progress) -> str:
    if progress.total is None:
        return figures.count(progress.ended)
    return f"{figures.count(progress.ended)}/{figures.count(progress.total)}"


def _failing(progress: Progress, bounds: Bounds) -> str:
    attempts = progress.ended - progress.ours - progress.not_sent
    if attempts <= 0:
        return "failing 0"
    share = figures.percent(progress.failed / attempts)
    interval = figures.interval(bounds(progress.failed, attempts))
    return f"failing {figures.count(progress.failed)} ({share}, {interval})"


def _aside(progress: Progress) -> list[str]:
    """What says something about our own side, shown only when there is any."""
    asides = []
    if progress.ours:
        asides.append(f"{figures.count(progress.ours)} ours")
    if progress.not_sent:
        asides.append(f"{figures.count(progress.not_sent)} not sent")
    return asides


def left_s(progress: Progress) -> float | None:
    """Seconds until count or duration ends the run, whichever comes first; None: unknown."""
    ends = []
    if progress.duration_s is not None:
        ends.append(progress.duration_s - (progress.elapsed_s - progress.stood_s))
    if progress.total is not None and progress.rate > 0:
        ends.append((progress.total - progress.ended) / progress.rate)
    return min(ends, default=None)
