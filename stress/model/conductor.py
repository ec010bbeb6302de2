"""The door for whoever decides, while a run goes on, what load comes next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stress.model.plan import Segment
from stress.model.record import Record


class Conductor(Protocol):
    """Decides the next segment from what became of the ones before. Pure: it is told the time."""

    def take(self, records: Sequence[Record]) -> None:
        """Attempts that ended; `Record.segment` says in which segment they were due."""

    def sang(self, totals_ns: Sequence[int | None]) -> None:
        """How long a healthy server on this machine took meanwhile; None: it failed."""

    def next(self) -> Segment | None:
        """What comes now that all attempts of the last segment have ended; None: it is over."""
