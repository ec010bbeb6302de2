"""Protocol of whatever watches or steers a run while it is running."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from stress.model.plan import Segment
from stress.model.record import Record
from stress.model.run import Progress


class Observer:
    """Watches a run. A subclass overrides what it needs.

    The engine calls all observers from one thread, in the order in which they were given, and
    waits for each: an observer that blocks slows the run down.
    """

    def on_records(self, records: Sequence[Record]) -> None:
        """Receives attempts that have ended, as they were recorded."""

    def on_progress(self, progress: Progress) -> str | None:  # noqa: ARG002 - for subclasses
        """Receives the state of the run several times a second; returns a reason to stop it."""
        return None

    def wants_pause(self) -> bool:
        """Whether the run shall start no attempts for now."""
        return False


class LoadController(Observer, ABC):
    """Chooses the load, segment by segment, from the results of the segments before."""

    def on_canary(self, totals_ns: Sequence[int | None]) -> None:
        """Receives handshake times of a healthy server on this machine; None: it failed."""

    @abstractmethod
    def next_segment(self) -> Segment | None:
        """Returns the next segment; None ends the run.

        Called when all attempts of the last segment have ended. `Record.segment` tells to which
        segment an attempt belongs.
        """
