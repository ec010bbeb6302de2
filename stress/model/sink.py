"""A `Sink`: where the engine puts what it records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stress.model.chain import Chain
from stress.model.record import Record
from stress.model.target import Address
from stress.model.transcript import Transcript
from stress.model.verdict import Verdict


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
