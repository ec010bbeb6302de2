"""The door between the engine and whoever keeps or shows records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stress.model.chain import Chain
from stress.model.plan import Segment
from stress.model.record import Record
from stress.model.target import Address
from stress.model.transcript import Transcript
from stress.model.verdict import Verdict


class Sink(Protocol):
    """Takes what the engine saw. Called from one thread, in order; may block (back-pressure)."""

    def see_address(self, index: int, address: Address) -> None:
        """An address joined the run under this index."""

    def see_chain(self, chain: Chain, verdicts: Sequence[Verdict]) -> None:
        """A chain was met for the first time and judged. Comes before its first record."""

    def take(self, records: Sequence[Record]) -> None:
        """Attempts that ended.

        Raises:
            RecordError: they could not be kept; the run must stop dialling.
        """

    def keep(self, transcripts: Sequence[Transcript]) -> None:
        """Attempts of which every byte is kept, as evidence; their rows were taken before.

        Raises:
            RecordError: as for `take`.
        """

    def commit(self, started: int) -> None:
        """Makes all that was taken durable; called at least once a second.

        Args:
            started: attempts that have begun so far, over all workers.

        Raises:
            RecordError: as for `take`.
        """


# The door for whoever decides, while a run goes on, what load comes next.


class LoadController(Protocol):
    """Decides the next segment from what became of the ones before. Pure: it is told the time."""

    def take(self, records: Sequence[Record]) -> None:
        """Attempts that ended; `Record.segment` says in which segment they were due."""

    def sang(self, totals_ns: Sequence[int | None]) -> None:
        """How long a healthy server on this machine took meanwhile; None: it failed."""

    def next(self) -> Segment | None:
        """What comes now that all attempts of the last segment have ended; None: it is over."""
