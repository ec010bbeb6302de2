"""A run that is taken up again: what the first part left is told to a new file, and goes on there.

The first part's file is somebody's evidence and stays as it is. The new file tells both parts as
one run: the same start, the rows of the first part as they were, and counts that include them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from stress.model.chain import Chain
from stress.model.record import Record
from stress.model.run import RunEnd
from stress.model.sink import Sink
from stress.model.target import Address
from stress.model.transcript import Transcript
from stress.model.verdict import Verdict
from stress.store.reader import RunFile
from stress.store.writer import RunWriter

_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a run came."""

    next_id: int
    """Above the ids of all its rows, and of attempts that left none."""
    last_ns: int
    """Unix time of the latest start; that of the run where it has no row."""


def extent(run: RunFile) -> Extent:
    """How far the run came: all its rows are looked at."""
    facts = run.facts()
    next_id, last_ns = facts.started, facts.started_ns
    for record in run.records():
        next_id, last_ns = max(next_id, record.id + 1), max(last_ns, record.started_ns)
    return Extent(next_id, last_ns)


def retell(run: RunFile, sink: Sink) -> None:
    """Tell a sink everything that a run holds.

    Raises:
        RunFileError: the run is damaged.
        RecordError: the sink cannot keep it.
    """
    for index, address in enumerate(run.addresses()):
        sink.see_address(index, address)
    verdicts = run.verdicts()
    for seen in run.chains():
        if seen.certificates:  # without them it is known by its rows alone
            about = [verdict for verdict in verdicts if verdict.chain == seen.sha256]
            sink.see_chain(Chain(seen.certificates), about)
    records = run.records()
    while batch := list(islice(records, _BATCH)):
        sink.take(batch)
    transcripts = run.transcripts()
    while kept := list(islice(transcripts, 10)):
        sink.keep(kept)


class ResumedWriter:
    """Keeps the second part behind the first; a `stress.model.sink.Sink`.

    Args:
        writer: of the new file, to which the first part was told.
        before: attempts that had begun in the first part.
    """

    def __init__(self, writer: RunWriter, before: int) -> None:
        self._writer, self._before = writer, before

    def see_address(self, index: int, address: Address) -> None:
        """An address joined the run under this index."""
        self._writer.see_address(index, address)

    def see_chain(self, chain: Chain, verdicts: Sequence[Verdict]) -> None:
        """A chain was met for the first time in this part and judged."""
        self._writer.see_chain(chain, verdicts)

    def take(self, records: Sequence[Record]) -> None:
        """Attempts that ended."""
        self._writer.take(records)

    def keep(self, transcripts: Sequence[Transcript]) -> None:
        """Attempts of which every byte is kept."""
        self._writer.keep(transcripts)

    def commit(self, started: int) -> None:
        """Make all that was taken durable; the first part's attempts are counted in."""
        self._writer.commit(self._before + started)

    def finish(self, ending: RunEnd, reasons: Sequence[str]) -> None:
        """Write the end of the whole, with the first part's attempts and these reasons."""
        whole = replace(
            ending,
            started=self._before + ending.started,
            reasons=(*reasons, *ending.reasons),
        )
        self._writer.finish(whole)
