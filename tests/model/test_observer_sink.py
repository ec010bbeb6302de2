"""A sink is whatever has these methods; the smallest one fits."""

from __future__ import annotations

from collections.abc import Sequence

from stress.model.chain import Chain, Verdict
from stress.model.observer import Sink
from stress.model.plan import Address
from stress.model.record import Record
from stress.model.transcript import Transcript


class Counting:
    """Keeps nothing but numbers."""

    def __init__(self) -> None:
        self.addresses = self.chains = self.records = self.transcripts = self.commits = 0

    def add_address(self, index: int, address: Address) -> None:
        self.addresses += 1

    def add_chain(self, chain: Chain, verdicts: Sequence[Verdict]) -> None:
        self.chains += 1

    def add_records(self, records: Sequence[Record]) -> None:
        self.records += len(records)

    def add_transcripts(self, transcripts: Sequence[Transcript]) -> None:
        self.transcripts += len(transcripts)

    def commit(self, started: int) -> None:
        self.commits += 1


def test_a_sink_needs_no_more_than_its_methods() -> None:
    counting = Counting()
    sink: Sink = counting  # the type checker's half of this test
    sink.add_address(0, Address("192.0.2.1", 443))
    sink.add_chain(Chain((b"leaf",)), ())
    sink.add_records(())
    sink.add_transcripts(())
    sink.commit(0)

    assert (counting.addresses, counting.chains, counting.commits) == (1, 1, 1)
    assert (counting.records, counting.transcripts) == (0, 0)
