"""Protocol between the engine and whatever stores its records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stress.model.chain import Chain
from stress.model.record import Record
from stress.model.target import Address
from stress.model.transcript import Transcript
from stress.model.verdict import Verdict


class Sink(Protocol):
    """Stores what the engine records. Called from one thread, in order; may block the engine."""

    def see_address(self, index: int, address: Address) -> None:
        """Adds an address of the target under this index."""

    def see_chain(self, chain: Chain, verdicts: Sequence[Verdict]) -> None:
        """Adds a new chain with its verdicts, before its first record."""

    def take(self, records: Sequence[Record]) -> None:
        """Adds attempts that have ended.

        Raises:
            RecordError: they cannot be stored; the run must stop dialling.
        """

    def keep(self, transcripts: Sequence[Transcript]) -> None:
        """Adds the transcripts of attempts whose records were added before.

        Raises:
            RecordError: as for `take`.
        """

    def commit(self, started: int) -> None:
        """Makes everything added so far durable; called at least once a second.

        Args:
            started: attempts started so far, over all workers.

        Raises:
            RecordError: as for `take`.
        """
