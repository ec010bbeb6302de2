"""One failing connection beside its control, flight by flight: what differs is marked.

Times run from each connection's own connect(). Sizes of most messages vary by themselves (a
signature is a byte longer or shorter), so only names are compared, and the size of Certificate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from stress.evidence.selection import cases
from stress.evidence.tls_decode import decode_flights
from stress.model.outcome import Stage
from stress.model.plan import Plan
from stress.model.summary import Cause
from stress.model.transcript import Clock, Transcript

MOST_TIMELINES = 3
MOST_EVENTS = 40
"""Rows of one timeline."""
_SIZE_MATTERS = frozenset({"Certificate", "CompressedCertificate"})


@dataclass(frozen=True, slots=True)
class EventLine:
    """A message of a flight."""

    words: str
    differs: bool = False
    """Whether the other connection has nothing like it at this place."""


@dataclass(frozen=True, slots=True)
class ConnectionEvent:
    """Something that happened in one connection."""

    since_us: float
    """Microseconds from its connect()."""
    title: str
    lines: tuple[EventLine, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectionTimeline:
    """Both connections of a pair; None where one has nothing at this place."""

    title: str
    failing: str
    """Which attempt it was."""
    control: str | None
    """The same of the good one; None: none was kept."""
    rows: tuple[tuple[ConnectionEvent | None, ConnectionEvent | None], ...]
    left_out: int


def timelines(
    transcripts: Sequence[Transcript], causes: Sequence[Cause], plan: Plan
) -> tuple[ConnectionTimeline, ...]:
    """The first pair of each cause, and of what no cause explains."""
    shown = [case for case in cases(transcripts, causes, plan) if case.pairs][:MOST_TIMELINES]
    made = []
    for case in shown:
        pair = case.pairs[0]
        failing = list(_events(pair.failing))
        control = list(_events(pair.control)) if pair.control is not None else []
        rows = [
            (_marked(one, other), _marked(other, one)) if pair.control is not None else (one, None)
            for one, other in zip_longest(failing, control)
        ]
        made.append(
            ConnectionTimeline(
                title=case.category,
                failing=_named(pair.failing),
                control=None if pair.control is None else _named(pair.control),
                rows=tuple(rows[:MOST_EVENTS]),
                left_out=max(0, len(rows) - MOST_EVENTS),
            )
        )
    return tuple(made)


def _named(transcript: Transcript) -> str:
    record = transcript.record
    stages = {stage.value: stage.label for stage in Stage}
    stage = stages.get(record.stage, f"stage {record.stage}")
    return f"attempt {record.id} to {transcript.address}: {record.outcome}, reached {stage}"


def _events(transcript: Transcript) -> Iterator[ConnectionEvent]:
    record, begun = transcript.record, transcript.dialled_ns
    if record.connect_ns is None:
        yield ConnectionEvent(record.total_ns / 1000, "never connected")
        return
    yield ConnectionEvent(record.connect_ns / 1000, "connected")
    for flight, words in zip(transcript.flights, decode_flights(transcript), strict=True):
        arrow = "→ sent" if flight.sent else "← read"
        stamp = ", by the kernel's clock" if flight.clock is Clock.KERNEL else ""
        title = f"{arrow} {len(flight.data):,} bytes{stamp}"
        yield ConnectionEvent((flight.at_ns - begun) / 1000, title, tuple(map(EventLine, words)))
    for parting in transcript.partings:
        who, how = "we" if parting.sent else "the server", "RST" if parting.reset else "FIN"
        yield ConnectionEvent((parting.at_ns - begun) / 1000, f"{who} sent {how}")


def _marked(
    event: ConnectionEvent | None, beside: ConnectionEvent | None
) -> ConnectionEvent | None:
    """The event with the lines marked that the other does not have."""
    if event is None:
        return None
    known = {_essence(line.words) for line in beside.lines} if beside is not None else set()
    lines = tuple(EventLine(line.words, _essence(line.words) not in known) for line in event.lines)
    return ConnectionEvent(event.since_us, event.title, lines)


def _essence(words: str) -> str:
    name = words.partition(",")[0]
    return words if name in _SIZE_MATTERS else name
