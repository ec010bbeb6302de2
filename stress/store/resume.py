"""Resume: copy an interrupted run into a new file and append.

The file of the interrupted run is somebody's evidence and stays as it is. The new file holds both
parts as one run: the same start, the rows of the first part as they were, and counts that include
them (`RunWriter.create(before=...)`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from stress.model.chain import Chain
from stress.model.observer import Sink
from stress.store.reader import RunFile

_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a run came."""

    next_id: int
    """Above the ids of all its rows, and of attempts that left none."""
    last_ns: int
    """Unix time of the latest start; the start of the run where it has no row."""


def extent(run: RunFile) -> Extent:
    """How far the run came; reads all its rows."""
    facts = run.facts()
    next_id, last_ns = facts.started, facts.started_ns
    for record in run.records():
        next_id, last_ns = max(next_id, record.id + 1), max(last_ns, record.started_ns)
    return Extent(next_id, last_ns)


def copy_run(run: RunFile, sink: Sink) -> None:
    """Copy everything that a run holds into a sink.

    Raises:
        RunFileError: the run is damaged.
        RecordError: the sink cannot store it.
    """
    for index, address in enumerate(run.addresses()):
        sink.add_address(index, address)
    verdicts = run.verdicts()
    for seen in run.chains():
        if seen.certificates:  # without them it is known by its rows alone
            about = [verdict for verdict in verdicts if verdict.chain == seen.sha256]
            sink.add_chain(Chain(seen.certificates), about)
    records = run.records()
    while batch := list(islice(records, _BATCH)):
        sink.add_records(batch)
    transcripts = run.transcripts()
    while kept := list(islice(transcripts, 10)):
        sink.add_transcripts(kept)
