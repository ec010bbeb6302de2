"""All who watch a run at once: the engine knows one, and here it is made of several."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from stress.cli.keyboard import Keyboard
from stress.model.plan import Plan
from stress.model.record import Record
from stress.model.run import Progress
from stress.report.live import Bounds

if TYPE_CHECKING:
    from stress.report.live import LiveView


class Watcher(Protocol):
    """Is told several times a second where the run stands."""

    def __call__(self, progress: Progress) -> str | None:
        """A reason to stop the run, or None to go on."""

    def close(self) -> None:
        """The run is over."""


@runtime_checkable
class Listener(Protocol):
    """A watcher who also wants to see the records."""

    def hear(self, records: Sequence[Record]) -> None:
        """Records as they were kept."""


@runtime_checkable
class Pauser(Protocol):
    """A watcher who may let the run stand still."""

    @property
    def pausing(self) -> bool:
        """Whether nothing shall be started just now."""


class Watching:
    """Tells each of them, and stops the run for the first reason that one of them has."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = watchers

    def __call__(self, progress: Progress) -> str | None:
        reasons = [watcher(progress) for watcher in self._watchers]
        return next((reason for reason in reasons if reason), None)

    def hear(self, records: Sequence[Record]) -> None:
        """Show the records to those who listen."""
        for watcher in self._watchers:
            if isinstance(watcher, Listener):
                watcher.hear(records)

    def pausing(self) -> bool:
        """Whether one of them wants the run to stand still just now."""
        return any(isinstance(each, Pauser) and each.pausing for each in self._watchers)

    def close(self) -> None:
        """Close all, the last first, also when one fails."""
        watchers = list(self._watchers)
        while watchers:
            try:
                watchers.pop().close()
            finally:
                Watching(watchers).close()
                watchers = []


class _Seat:
    """The live view together with the keyboard in front of it."""

    def __init__(self, view: LiveView, keyboard: Keyboard) -> None:
        self._view, self._keyboard = view, keyboard

    def __call__(self, progress: Progress) -> str | None:
        return self._view(progress)

    def hear(self, records: Sequence[Record]) -> None:
        self._view.hear(records)

    @property
    def pausing(self) -> bool:
        return self._view.pausing

    def close(self) -> None:
        try:
            self._view.close()
        finally:
            self._keyboard.close()


def live_view(plan: Plan, bounds: Bounds) -> Watcher:
    """The live view on standard error, with the keys of standard input.

    Goals and searches take time as evidence (`clean for 10m`, a queue that fills): no pause there.
    """
    from stress.analysis.causes.live_anomalies import LiveAnomalies  # noqa: PLC0415 - heavy
    from stress.report.live import LiveView  # noqa: PLC0415 - heavy

    keyboard = Keyboard()
    view = LiveView(
        sys.stderr,
        bounds,
        target=str(plan.target),
        cap=plan.load.concurrency,
        keys=keyboard if keyboard.hears else None,
        suspects=LiveAnomalies(
            [str(address) for address in plan.addresses], [one.name for one in plan.clients]
        ),
        may_pause=not plan.find_limit and not plan.goals,
    )
    return _Seat(view, keyboard)
