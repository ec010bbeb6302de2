"""Shows a running run: a live view on a terminal, plain lines elsewhere.

Both go to stderr, are drawn rarely and must not disturb the run: a frame of the live view takes
about a millisecond, and the interval and the percentiles are computed once a second. A stream that
can no longer be written to (a closed terminal) ends the display, not the run. Nothing here reads a
clock, because each `Progress` has the elapsed time, and no text from the network is shown.

The intervals hold whenever one looks: stopping with `q` as soon as the failure rate looks good does
not bias it. The same holds for suspects, which are values of one dimension; combinations are left
to the report, which searches the whole run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from stress.measure import Histogram
from stress.model.limit import SearchState, Standing
from stress.model.observer import Observer
from stress.model.outcome import Side, side_of
from stress.model.record import Flag, Record
from stress.model.run import Progress
from stress.model.summary import Interval
from stress.text import numbers
from stress.text.escape import escape

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live
    from rich.table import Table

    from stress.analysis.causes.live_anomalies import LiveAnomalies

LINE_S, FRAME_S, INTERVAL_S = 5.0, 0.3, 1.0
"""Least seconds between two lines, two frames, and two computations of the figures in a frame."""
STOPPED = "stopped by the user (q)"
BUSY_NS = 20_000_000
"""Event-loop lag from which on this machine counts as busy."""
_FULL_LAG_NS = 100_000_000
_BAR = 24
_LONG_BAR = 32
"""Leaves room for the count and the rate at 60 columns."""
_STANDINGS = {
    Standing.HELD: "held",
    Standing.GAVE_WAY: "failed",
    Standing.GENERATOR: "generator-limited",
}
_MOST_OUTCOMES = 3
_MOST_CHAINS = 4
_MOST_VANTAGES = 8

Bounds = Callable[[int, int], Interval]
"""From failures and attempts to the interval of the failure rate, valid whenever one looks."""
Keys = Callable[[], str]
"""The keys that were pressed since the last call."""


class ProgressLine(Observer):
    """Writes a line every five seconds to a file, a pipe or a terminal without cursor control."""

    def __init__(
        self,
        stream: TextIO,
        bounds: Bounds,
        *,
        width: int = 100,
        search: Callable[[], SearchState] | None = None,
    ) -> None:
        self._stream: TextIO | None = stream
        self._bounds, self._width = bounds, width
        self._search = None if search is None else SearchLine(search)
        self._shown_s = 0.0

    def on_progress(self, progress: Progress) -> None:
        """Write a line when it is due."""
        searched = self._search.words(progress) if self._search else ""
        if self._stream is None or progress.elapsed_s - self._shown_s < LINE_S:
            return
        self._shown_s = progress.elapsed_s
        start = f"[{numbers.clock(progress.elapsed_s)}] "
        try:
            line = searched or describe(progress, self._bounds, self._width - len(start))
            parts = [f"{' ' * len(start)}{words}" for words in of_vantages(progress)]
            self._stream.write("\n".join([f"{start}{line}", *parts, ""]))
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream was closed
            self._stream = None


class SearchLine:
    """Writes how far a search for the limit has come: step, load, bracket, and the time left.

    Call `words` several times a second: the time left of a step counts from when it was first seen.
    """

    def __init__(self, state: Callable[[], SearchState]) -> None:
        self._state = state
        self._seen: tuple[int, int] = (0, 0)
        self._began_s = 0.0

    def words(self, progress: Progress) -> str:
        """Such as `step 7: 212/s  last 240/s failed  bracket: held 200/s, not 240/s  45 s left`."""
        state = self._state()
        if (state.step, state.tries) != self._seen:
            self._seen, self._began_s = (state.step, state.tries), progress.elapsed_s
        rest_s = max(0.0, state.seconds - (progress.elapsed_s - self._began_s))

        def load(value: float) -> str:
            return f"{numbers.offered(value)}{state.knob.unit}"

        again = f", try {state.tries}" if state.tries > 1 else ""
        confirming = " to confirm" if state.confirming else ""
        parts = [f"step {state.step}{again}: {load(state.load)}{confirming}"]
        if state.last is not None:
            parts.append(f"last {load(state.last.rate)} {_STANDINGS[state.last.standing]}")
        bounds = [
            f"{word} {load(bound)}"
            for word, bound in (("held", state.held), ("not", state.failed))
            if bound is not None
        ]
        parts += [f"bracket: {', '.join(bounds)}"] if bounds else []
        left_s = rest_s + (state.after_s or 0.0)
        in_all = " in this step" if state.after_s is None else ""
        parts.append(f"{numbers.clock(left_s)} left{in_all}")
        return "  ".join([state.of, *parts] if state.of else parts)


def describe(progress: Progress, bounds: Bounds, width: int = 100) -> str:
    """One line: done/total, rate, failure rate with interval, chains, in flight, time left.

    Where that is wider than `width`, what is in flight and then the chains are left out.
    """
    done = f"{progress.ended:,}" + ("" if progress.total is None else f"/{progress.total:,}")
    failing = f"failing {progress.failed:,}"
    if (attempts := _attempts(progress)) > 0:
        rate = numbers.percent(progress.failed / attempts)
        failing += f" ({rate}, {numbers.interval(bounds(progress.failed, attempts))})"
    left = left_s(progress)
    end = [
        *([f"{progress.ours:,} local"] if progress.ours else []),
        *([f"{progress.not_sent:,} not sent"] if progress.not_sent else []),
        *([] if left is None else [f"{numbers.clock(left)} left"]),
    ]
    start = [done, numbers.rate(progress.rate), failing]
    chains, flying = numbers.counted(progress.chains, "chain"), f"{progress.in_flight:,} in flight"
    lines = ["  ".join(start + middle + end) for middle in ([chains, flying], [chains], [])]
    return next((line for line in lines if len(line) <= width), lines[-1])


def of_vantages(progress: Progress) -> Iterator[str]:
    """A line for each vantage, of many for the worst: done, rate, failures, chains and lag."""
    shown = progress.vantages
    if len(shown) > _MOST_VANTAGES:
        worst = sorted(shown, key=lambda one: (not one.lost, -one.progress.failed))
        shown = tuple(worst[:_MOST_VANTAGES])
    wide = max((len(one.name) for one in shown), default=0)
    for one in shown:
        part = one.progress
        busy = f"  lag {numbers.milliseconds(part.lag_ns / 1000)} ms"
        state = "  lost" if one.lost else busy
        yield (
            f"{escape(one.name):<{wide}}  {part.ended:,}  {numbers.rate(part.rate)}"
            f"  failing {part.failed:,}  {numbers.counted(part.chains, 'chain')}{state}"
        )
    if left := len(progress.vantages) - len(shown):
        yield f"and {left:,} more"


def left_s(progress: Progress) -> float | None:
    """Seconds until count or duration ends the run, whichever comes first; None: unknown."""
    ends = []
    if progress.duration_s is not None:
        ends.append(progress.duration_s - (progress.elapsed_s - progress.stood_s))
    if progress.total is not None and progress.rate > 0:
        ends.append((progress.total - progress.ended) / progress.rate)
    return min(ends, default=None)


def _attempts(progress: Progress) -> int:
    """Attempts that count for the failure rate."""
    return progress.ended - progress.ours - progress.not_sent


class LiveView(Observer):
    """Redraws a picture of the run in place; `q` stops the run gracefully, `p` pauses it.

    Args:
        stream: the terminal.
        bounds: the interval of the failure rate.
        target: what is tested, as the user named it.
        cap: the concurrency limit.
        keys: what was typed; None where nobody can type.
        suspects: is given each record; says what fails more often than the rest.
        may_pause: whether `p` works.
        search: how far the search for the limit has come; None: nothing is searched for.
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
        search: Callable[[], SearchState] | None = None,
    ) -> None:
        self._stream, self._bounds = stream, bounds
        self._target, self._cap, self._keys = target, cap, keys
        self._suspects, self._may_pause = suspects, may_pause
        self._search = None if search is None else SearchLine(search)
        self._live: Live | None = None
        self._interval: Interval | None = None
        self._failures: Counter[str] = Counter()
        self._phases = {"server": Histogram(), "handshake": Histogram()}
        self._latency = ""
        self._suspected: tuple[str, ...] = ()
        self._shown_s = self._computed_s = float("-inf")
        self._pausing = self._stopping = self._gone = False

    def on_records(self, records: Sequence[Record]) -> None:
        """Count outcomes, and latencies of what succeeded."""
        self._failures.update([record.outcome for record in records if record.outcome != "ok"])
        self._suspects.take(records)
        good = [one for one in records if one.outcome == "ok" and not one.flags & Flag.WARM_UP]
        self._phases["server"].record_many([record.server_ns for record in good])
        self._phases["handshake"].record_many([record.handshake_ns for record in good])

    def on_progress(self, progress: Progress) -> str | None:
        """Read the keys, and draw a frame when it is due."""
        keys = self._keys().lower() if self._keys is not None else ""
        self._stopping = self._stopping or "q" in keys
        if self._may_pause and keys.count("p") % 2:
            self._pausing = not self._pausing
        self._pausing = self._pausing and not self._stopping
        if not self._gone and progress.elapsed_s - self._shown_s >= FRAME_S:
            self._shown_s = progress.elapsed_s
            if progress.elapsed_s - self._computed_s >= INTERVAL_S:
                self._computed_s = progress.elapsed_s
                attempts, self._interval = _attempts(progress), None
                if attempts > 0:
                    self._interval = self._bounds(progress.failed, attempts)
                self._suspected = self._suspects.sentences()
                latencies = []
                for phase, histogram in self._phases.items():
                    p50, p99 = map(numbers.milliseconds, histogram.percentiles([50.0, 99.0]))
                    latencies.append(f"{phase} p50 {p50}, p99 {p99} ms")
                self._latency = "; ".join(latencies)
            with self._until_gone():
                self._draw(self.frame(progress))
        return STOPPED if self._stopping else None

    def wants_pause(self) -> bool:
        """Whether the user paused the run."""
        return self._pausing

    def close(self) -> None:
        """Wipe the view and give the cursor back."""
        with self._until_gone():
            if self._live is not None:
                self._live.stop()
        self._live = None

    def _draw(self, frame: RenderableType) -> None:
        if self._live is None:
            from rich.console import Console  # noqa: PLC0415 - heavy
            from rich.live import Live  # noqa: PLC0415 - heavy

            self._live = Live(
                console=Console(file=self._stream, highlight=False, markup=False, emoji=False),
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        self._live.update(frame, refresh=True)

    @contextmanager
    def _until_gone(self) -> Iterator[None]:
        """A terminal that is gone ends the view, not the run."""
        try:
            yield
        except (OSError, ValueError):  # ValueError: the stream was closed
            self._gone, self._live = True, None

    def frame(self, progress: Progress) -> RenderableType:
        """One picture of the run."""
        from rich.console import Group  # noqa: PLC0415 - heavy

        running_s, left = progress.elapsed_s - progress.stood_s, left_s(progress)
        rest = f", {numbers.clock(left)} left" if left is not None else ""
        state = "  paused" if self._pausing else ""
        done = f"{progress.ended:,}" + ("" if progress.total is None else f" of {progress.total:,}")
        part = max(
            progress.ended / progress.total if progress.total else 0.0,
            running_s / progress.duration_s if progress.duration_s else 0.0,
        )
        if self._stopping:
            hint = "stopping: no new handshakes, waiting for those in flight"
        elif self._pausing:
            hint = "paused, p: resume, q: stop gracefully"
        else:
            pause = "p: pause, " if self._may_pause else ""
            keys = f"q: stop gracefully, {pause}" if self._keys is not None else ""
            hint = f"{keys}Ctrl-C: interrupt; what was recorded is reported"
        searched = self._search.words(progress) if self._search else ""
        return Group(
            _text(f"{escape(self._target)}  {numbers.clock(running_s)}{rest}{state}", "bold"),
            *([_text(searched)] if searched else []),
            _bar(part, f"{done}  {numbers.rate(progress.rate)}", _LONG_BAR),
            self._figures(progress),
            _text(hint, "dim"),
        )

    def _figures(self, progress: Progress) -> Table:
        from rich.table import Table  # noqa: PLC0415 - heavy

        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True, style="dim", min_width=len("not counted"))
        grid.add_column()  # wraps: what is said last matters as much on a narrow terminal
        failing, attempts = "-", _attempts(progress)
        if attempts > 0:
            interval = numbers.interval(self._interval) if self._interval else "-"
            names = [
                f"{name} {count:,}"
                for name, count in self._failures.most_common()
                if side_of(name) is Side.TARGET
            ]
            share = numbers.percent(progress.failed / attempts)
            failing = f"{progress.failed:,} of {attempts:,}: {share} (95% CI {interval})"
            failing += f"  {', '.join(names[:_MOST_OUTCOMES])}" if names else ""
        grid.add_row("failing", _text(failing, "red" if progress.failed else ""))
        if self._latency:
            grid.add_row("latency", _text(self._latency))
        for sentence in self._suspected:
            grid.add_row("suspect", _text(sentence, "red"))
        seen = self._suspects.chains(_MOST_CHAINS)
        named = f": {', '.join(seen)}" if seen else ""
        grid.add_row("chains", _text(f"{progress.chains:,}{named}"))
        in_flight = f"{progress.in_flight:,} of {self._cap:,}"
        grid.add_row("in flight", _bar(progress.in_flight / max(1, self._cap), in_flight))
        lag, busy = f"{numbers.milliseconds(progress.lag_ns / 1000)} ms", progress.lag_ns >= BUSY_NS
        lag, style = (f"{lag}: this machine is busy", "yellow") if busy else (lag, "")
        grid.add_row("client lag", _bar(progress.lag_ns / _FULL_LAG_NS, lag, style=style))
        for words in of_vantages(progress):
            grid.add_row("vantage", _text(words, "yellow" if words.endswith("lost") else ""))
        ours, not_sent = progress.ours, progress.not_sent
        aside = [f"{ours:,} failed on this machine"] if ours else []
        aside += [f"{not_sent:,} not sent: concurrency limit reached"] if not_sent else []
        if aside:
            grid.add_row("not counted", _text(", ".join(aside), "yellow"))
        return grid


def _bar(part: float, words: str, width: int = _BAR, style: str = "") -> RenderableType:
    """A bar of text, so that it reads the same without colour."""
    filled = round(min(1.0, max(0.0, part)) * width)
    return _text(f"{'━' * filled}{'─' * (width - filled)}  {words}", style)


def _text(words: str, style: str = "") -> RenderableType:
    from rich.text import Text  # noqa: PLC0415 - heavy

    return Text(words, style=style, overflow="fold")
