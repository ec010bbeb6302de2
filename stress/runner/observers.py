"""Creates the observers of a run: live view or progress lines, metrics, goals."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from threading import Lock, Timer
from typing import Any, Self, TextIO

from stress.model.limit import SearchState
from stress.model.observer import Observer
from stress.model.plan import Plan
from stress.model.run import Progress
from stress.runner.metrics import MetricsAddress, MetricsServer

# Reads single keys from the terminal during a run, and restores the terminal afterwards.


class Keyboard:
    """Reads what was typed, without waiting; reads nothing where stdin is not a terminal.

    A background job must not read from the terminal (the kernel would stop it), so keys are read
    only while the job is in the foreground. Ctrl-C stays a signal.

    Args:
        descriptor: of a terminal; None: standard input, where it is one.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        if descriptor is None:
            with suppress(OSError, ValueError, AttributeError):
                descriptor = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._descriptor = -1 if descriptor is None else descriptor
        self._before: list[Any] | None = None
        if not self._in_foreground():
            return
        try:
            import termios  # noqa: PLC0415 - not on every system
            import tty  # noqa: PLC0415 - the same
        except ImportError:
            return
        with suppress(OSError, termios.error):
            before = termios.tcgetattr(self._descriptor)
            tty.setcbreak(self._descriptor, termios.TCSANOW)  # keys at once, without echo
            self._before = before

    @property
    def available(self) -> bool:
        """Whether keys can be read."""
        return self._before is not None

    def __call__(self) -> str:
        """The keys pressed since the last call; usually none."""
        if self.available and self._in_foreground():
            with suppress(OSError, ValueError):
                if select.select([self._descriptor], [], [], 0)[0]:
                    return os.read(self._descriptor, 256).decode("ascii", "replace")
        return ""

    def close(self) -> None:
        """Restore the terminal."""
        if self._before is None:
            return
        import termios  # noqa: PLC0415 - not on every system

        with suppress(OSError, termios.error):
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)
        self._before = None

    def _in_foreground(self) -> bool:
        """Whether this process, not another job of the shell, owns the terminal."""
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Display:
    """How a run shows itself while it is running."""

    notify: Callable[[str], None]
    """Shows a sentence to the user, also under `--quiet`."""
    stream: TextIO | None = None
    """Where progress is shown; None: nowhere."""
    rewrites: bool = False
    """Whether the stream is a terminal that can move its cursor: it gets the live view."""
    width: int = 100
    metrics: MetricsAddress | None = None
    """Where metrics are served; None: nowhere."""
    watching: tuple[Observer, ...] = ()
    """Observers of whoever started the run; each may stop it."""
    judges_goals: bool = True
    """Whether the goals of the plan may stop it; those of a part are judged over all parts."""


QUIET_S = 0.5
"""How long something may take before it says what it does."""


class BusySign(Observer):
    """Says on a terminal what takes longer than half a second; the line is erased when it is over.

    As an observer of a run it is over with the first progress.

    Args:
        stream: a terminal that can erase a line; None: nothing is shown.
        what: is being done, such as `starting 2 workers`.
        after_s: how long nothing is shown.
    """

    def __init__(self, stream: TextIO | None, what: str, after_s: float = QUIET_S) -> None:
        self._stream, self._what, self._shown = stream, what, False
        self._lock = Lock()
        """A message comes from another thread than the sign."""
        self._timer = Timer(after_s, self._show_first)
        self._timer.daemon = True

    @property
    def shows(self) -> bool:
        """Whether it has a terminal to show anything on."""
        return self._stream is not None

    def __enter__(self) -> Self:
        if self.shows:
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def on_progress(self, progress: Progress) -> None:  # noqa: ARG002 - any will do
        """End with the first."""
        self.close()

    def around(self, notify: Callable[[str], None]) -> Callable[[str], None]:
        """Messages on the same terminal: the line is erased before each, and shown again."""

        def notify_apart(text: str) -> None:
            with self._lock:
                shown = self._shown
                self._erase()
                notify(text)
                if shown:
                    self._show()

        return notify_apart

    def close(self) -> None:
        """Erase the line."""
        if self._timer.is_alive():
            self._timer.cancel()
            self._timer.join()
        with self._lock:
            self._erase()

    def _show_first(self) -> None:
        with self._lock:
            self._show()

    def _show(self) -> None:
        self._shown = True
        self._write(f"{self._what} …")

    def _erase(self) -> None:
        if self._shown:
            self._shown = False
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # the terminal is gone
            assert self._stream is not None
            self._stream.write(text)
            self._stream.flush()


@contextmanager
def observers_for(
    plan: Plan, display: Display, search: Callable[[], SearchState] | None = None
) -> Iterator[list[Observer]]:
    """The observers of a run, closed at its end, the last first.

    Args:
        plan: of the run.
        display: where it is shown.
        search: how far the search for the limit has come; None: nothing is searched for.

    Raises:
        UsageError: the metrics cannot be served.
    """
    with ExitStack() as stack:
        observers: list[Observer] = [*display.watching]
        if display.metrics is not None:
            server = MetricsServer(display.metrics, str(plan.target))
            stack.callback(server.close)
            observers.append(server)
        if display.stream is not None:
            observers.append(_progress_view(plan, display, display.stream, search, stack))
        if plan.goals and display.judges_goals:
            from stress.analysis.goals.evidence import StoppingRule  # noqa: PLC0415 - heavy

            observers.append(StoppingRule(plan.goals, plan.load.processes))
        yield observers


def _progress_view(
    plan: Plan,
    display: Display,
    stream: TextIO,
    search: Callable[[], SearchState] | None,
    stack: ExitStack,
) -> Observer:
    """The live view, with keys from standard input, or plain lines."""
    from stress.analysis.causes.live_anomalies import LiveAnomalies  # noqa: PLC0415 - heavy
    from stress.analysis.proportions.estimate import LiveInterval  # noqa: PLC0415 - heavy
    from stress.report.live import LiveView, ProgressLine  # noqa: PLC0415 - heavy

    interval = LiveInterval()
    if not display.rewrites:
        return ProgressLine(stream, interval, width=display.width, search=search)
    keyboard = Keyboard()
    stack.callback(keyboard.close)
    view = LiveView(
        stream,
        interval,
        target=str(plan.target),
        cap=plan.load.concurrency,
        keys=keyboard if keyboard.available else None,
        suspects=LiveAnomalies(
            [str(address) for address in plan.addresses], [one.name for one in plan.clients]
        ),
        # Goals and searches take time as evidence (`clean for 10m`, a queue that fills).
        may_pause=not plan.find_limit and not plan.goals,
        search=search,
    )
    stack.callback(view.close)
    return view
