"""Protocol of whatever watches or steers a run while it is running."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from stress.model.chain import Chain, Verdict
from stress.model.plan import Address, Segment
from stress.model.record import Record
from stress.model.run import Progress
from stress.model.transcript import Transcript


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


# A `Sink`: where the engine puts what it records.


class Sink(Protocol):
    """Receives what the engine records. Called from one thread, in order; may block."""

    def add_address(self, index: int, address: Address) -> None:
        """An address joined the run under this index."""

    def add_chain(self, chain: Chain, verdicts: Sequence[Verdict]) -> None:
        """A chain was seen for the first time and judged. Comes before its first record."""

    def add_records(self, records: Sequence[Record]) -> None:
        """Attempts that ended.

        Raises:
            RecordError: they could not be stored; the run must stop opening connections.
        """

    def add_transcripts(self, transcripts: Sequence[Transcript]) -> None:
        """Attempts whose bytes are kept as evidence; their records were added before.

        Raises:
            RecordError: as for `add_records`.
        """

    def commit(self, started: int) -> None:
        """Make everything added so far durable; called at least once a second.

        Args:
            started: attempts that have begun so far, over all workers.

        Raises:
            RecordError: as for `add_records`.
        """
