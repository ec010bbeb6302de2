"""The live view: where a run stands, on a terminal, rewritten in place.

It must cost the run nothing that could be seen in a latency: a frame takes about a millisecond and
is drawn at most three times a second, the interval and the percentiles are computed once a second,
and there is no thread. It reads no clock (the engine tells the elapsed time with each `Progress`),
and shows nothing that came over the network: endings are our own words.

The interval is one that holds whenever one looks: a reader who presses `q` as soon as the share
looks good has not been cheated. The same holds for the suspects, which are values of one dimension;
combinations are searched in the whole run, for the report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, TextIO

from stress.measure import Histogram
from stress.model.outcome import Outcome, Side
from stress.model.record import Flag, Record
from stress.model.run import Progress
from stress.model.summary import Interval
from stress.text import numbers
from stress.text.escape import escape

# The progress line: where the run stands, while it runs.
#
# It is talk, not data: it goes to stderr and must never disturb the run. A stream that cannot be
# written any more (a closed terminal) silences the line; it does not stop the handshakes. The line
# reads no clock: the engine tells the elapsed time with each `Progress`.

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
            start = f"[{numbers.clock(progress.elapsed_s)}] "
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
    chains = numbers.counted(progress.chains, "chain")
    in_flight = f"{numbers.thousands(progress.in_flight)} in flight"
    start = [_done(progress), numbers.rate(progress.rate), _failing(progress, bounds)]
    left = left_s(progress)
    end = _progress_aside(progress) + ([] if left is None else [f"{numbers.clock(left)} left"])
    lines = ["  ".join(start + middle + end) for middle in ([chains, in_flight], [chains], [])]
    return next((line for line in lines if len(line) <= width), lines[-1])


def _done(progress: Progress) -> str:
    if progress.total is None:
        return numbers.thousands(progress.ended)
    return f"{numbers.thousands(progress.ended)}/{numbers.thousands(progress.total)}"


def _failing(progress: Progress, bounds: Bounds) -> str:
    attempts = progress.ended - progress.ours - progress.not_sent
    if attempts <= 0:
        return "failing 0"
    share = numbers.percent(progress.failed / attempts)
    interval = numbers.interval(bounds(progress.failed, attempts))
    return f"failing {numbers.thousands(progress.failed)} ({share}, {interval})"


def _progress_aside(progress: Progress) -> list[str]:
    """What says something about our own side, shown only when there is any."""
    asides = []
    if progress.ours:
        asides.append(f"{numbers.thousands(progress.ours)} ours")
    if progress.not_sent:
        asides.append(f"{numbers.thousands(progress.not_sent)} not sent")
    return asides


def left_s(progress: Progress) -> float | None:
    """Seconds until count or duration ends the run, whichever comes first; None: unknown."""
    ends = []
    if progress.duration_s is not None:
        ends.append(progress.duration_s - (progress.elapsed_s - progress.stood_s))
    if progress.total is not None and progress.rate > 0:
        ends.append((progress.total - progress.ended) / progress.rate)
    return min(ends, default=None)


if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.table import Table

    from stress.analysis.causes.live_anomalies import LiveAnomalies

FRAME_S = 0.3
INTERVAL_S = 1.0
WIDTH = 100
STOPPED = "stopped by the user (q)"
BUSY_NS = 20_000_000
"""Lag from which on a reader should know that this machine is busy."""
_FULL_LAG_NS = 100_000_000
_BAR = 24
_LONG_BAR = 32
"""Leaves room for the count and the rate at 60 columns."""
_MOST_ENDINGS = 3
_MOST_CHAINS = 4

Keys = Callable[[], str]
"""The keys that were pressed since the last call."""


class LiveView:
    """Shows each `Progress` that is due; `q` stops the run well, `p` lets it stand still.

    Args:
        stream: the terminal.
        bounds: the interval of the failing share, valid whenever one looks.
        target: what is asked, as the user named it.
        cap: most handshakes in flight.
        keys: what was typed; None where nobody can type.
        suspects: told of each record; says what fails more often than the rest.
        may_pause: whether `p` is heard.
    """

    def __init__(
        self,
        stream: TextIO,
        bounds: Bounds,
        *,
        target: str,
        cap: int,
        keys: Keys | None,
        suspects: LiveAnomalies,
        may_pause: bool = True,
    ) -> None:
        self._stream, self._bounds = stream, bounds
        self._target, self._cap, self._keys = target, cap, keys
        self._suspects, self._may_pause = suspects, may_pause
        self._live: Live | None = None
        self._interval: Interval | None = None
        self._endings: Counter[str] = Counter()
        self._phases = {"server": Histogram(), "handshake": Histogram()}
        self._latency = ""
        self._suspected: tuple[str, ...] = ()
        self.pausing = False
        """Whether the run shall stand still just now."""
        self._shown_s = self._computed_s = float("-inf")
        self._stopping = self._gone = False

    def __call__(self, progress: Progress) -> str | None:
        self._listen()
        if not self._gone and progress.elapsed_s - self._shown_s >= FRAME_S:
            self._shown_s = progress.elapsed_s
            self._show(progress)
        return STOPPED if self._stopping else None

    def _listen(self) -> None:
        keys = self._keys().lower() if self._keys is not None else ""
        self._stopping = self._stopping or "q" in keys
        if self._may_pause and keys.count("p") % 2:
            self.pausing = not self.pausing
        self.pausing = self.pausing and not self._stopping

    def hear(self, records: Sequence[Record]) -> None:
        """Count what the engine kept: endings, and latencies of what is good."""
        self._endings.update([record.outcome for record in records])
        self._suspects.take(records)
        good = [one for one in records if one.outcome == "ok" and not one.flags & Flag.WARM_UP]
        self._phases["server"].record_many([record.server_ns for record in good])
        self._phases["handshake"].record_many([record.handshake_ns for record in good])

    def close(self) -> None:
        """Wipe the view and give the cursor back."""
        if self._live is not None:
            self._quietly(self._live.stop)
            self._live = None

    def _show(self, progress: Progress) -> None:
        if progress.elapsed_s - self._computed_s >= INTERVAL_S:
            self._computed_s = progress.elapsed_s
            attempts = progress.ended - progress.ours - progress.not_sent
            self._interval = self._bounds(progress.failed, attempts) if attempts > 0 else None
            self._suspected = self._suspects.sentences()
            self._latency = "; ".join(_told(*each) for each in self._phases.items())
        self._quietly(lambda: self._draw(self.frame(progress)))

    def _draw(self, frame: RenderableType) -> None:
        if self._live is None:
            from rich.live import Live  # noqa: PLC0415 - heavy

            self._live = Live(
                console=_console(self._stream),
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        self._live.update(frame, refresh=True)

    def _quietly(self, action: Callable[[], None]) -> None:
        """A terminal that has gone away silences the view; it does not stop the handshakes."""
        try:
            action()
        except (OSError, ValueError):  # ValueError: the stream was closed
            self._gone, self._live = True, None

    def frame(self, progress: Progress) -> RenderableType:
        """One picture of the run."""
        from rich.console import Group  # noqa: PLC0415 - heavy

        parts: list[RenderableType] = [self._head(progress), *_advance(progress)]
        parts.append(self._figures(progress))
        parts.append(_words(self._hint(), "dim"))
        return Group(*parts)

    def _head(self, progress: Progress) -> RenderableType:
        left = left_s(progress)
        rest = f", {numbers.clock(left)} left" if left is not None else ""
        state = "  paused" if self.pausing else ""
        clock = numbers.clock(progress.elapsed_s - progress.stood_s)
        return _words(f"{escape(self._target)}  {clock}{rest}{state}", "bold")

    def _hint(self) -> str:
        if self._stopping:
            return "stopping: nothing new is dialled, what is in flight may end"
        if self.pausing:
            return "paused: nothing is dialled; p goes on; q stops well"
        pause = "p pauses; " if self._may_pause else ""
        how = f"q stops well; {pause}" if self._keys is not None else ""
        return f"{how}Ctrl-C interrupts; what was recorded is reported"

    def _figures(self, progress: Progress) -> Table:
        from rich.table import Table  # noqa: PLC0415 - heavy

        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True, style="dim", min_width=9)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        grid.add_row("failing", _words(self._failing(progress), "red" if progress.failed else ""))
        if self._latency:
            grid.add_row("latency", _words(self._latency))
        for sentence in self._suspected:
            grid.add_row("suspect", _words(sentence, "red"))
        seen = self._suspects.chains(_MOST_CHAINS)
        told = f": {', '.join(seen)}" if seen else ""
        grid.add_row("chains", _words(f"{numbers.thousands(progress.chains)}{told}"))
        share = progress.in_flight / self._cap if self._cap else 0.0
        flying = f"{numbers.thousands(progress.in_flight)} of {numbers.thousands(self._cap)}"
        grid.add_row("in flight", _bar(share, flying))
        grid.add_row("our lag", _lag(progress.lag_ns))
        aside = _aside(progress)
        if aside:
            grid.add_row("not counted", _words(aside, "yellow"))
        return grid

    def _failing(self, progress: Progress) -> str:
        attempts = progress.ended - progress.ours - progress.not_sent
        if attempts <= 0:
            return "-"
        share = numbers.percent(progress.failed / attempts)
        between = numbers.interval(self._interval) if self._interval else "-"
        failed, tried = numbers.thousands(progress.failed), numbers.thousands(attempts)
        return f"{failed} of {tried}: {share} (95% {between}){self._why()}"

    def _why(self) -> str:
        """The most frequent failures by name."""
        failures = Counter({name: n for name, n in self._endings.items() if _failure(name)})
        told = [f"{name} {numbers.thousands(n)}" for name, n in failures.most_common(_MOST_ENDINGS)]
        return f"  {', '.join(told)}" if told else ""


def _failure(name: str) -> bool:
    return Outcome.parse(name).side is Side.TARGET


def _told(phase: str, histogram: Histogram) -> str:
    """Percentiles of one phase; a dash where there are none yet."""
    half, most = histogram.percentiles([50.0, 99.0])
    shown = [numbers.milliseconds(value) for value in (half, most)]
    return f"{phase} p50 {shown[0]}, p99 {shown[1]} ms"


def _console(stream: TextIO) -> Console:
    from rich.console import Console  # noqa: PLC0415 - heavy

    return Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=False)


def _advance(progress: Progress) -> list[RenderableType]:
    """How far it is, and how fast."""
    shares = []
    if progress.total:
        shares.append(progress.ended / progress.total)
    if progress.duration_s:
        shares.append((progress.elapsed_s - progress.stood_s) / progress.duration_s)
    done = numbers.thousands(progress.ended)
    if progress.total is not None:
        done = f"{done} of {numbers.thousands(progress.total)}"
    return [
        _bar(
            min(1.0, max(shares, default=0.0)), f"{done}  {numbers.rate(progress.rate)}", _LONG_BAR
        )
    ]


def _lag(lag_ns: int) -> RenderableType:
    busy = lag_ns >= BUSY_NS
    words = f"{numbers.milliseconds(lag_ns / 1000)} ms"
    said = f"{words}: this machine is busy" if busy else words
    return _bar(min(1.0, lag_ns / _FULL_LAG_NS), said, style="yellow" if busy else "")


def _aside(progress: Progress) -> str:
    parts = []
    if progress.ours:
        parts.append(f"{numbers.thousands(progress.ours)} failed on this machine")
    if progress.not_sent:
        parts.append(f"{numbers.thousands(progress.not_sent)} not sent: the cap was full")
    return ", ".join(parts)


def _bar(share: float, words: str, width: int = _BAR, style: str = "") -> RenderableType:
    """A bar of text, so that it reads the same without colour."""
    filled = round(min(1.0, max(0.0, share)) * width)
    return _words(f"{'━' * filled}{'─' * (width - filled)}  {words}", style)


def _words(text: str, style: str = "") -> RenderableType:
    from rich.text import Text  # noqa: PLC0415 - heavy

    return Text(text, style=style, no_wrap=True, overflow="ellipsis")
