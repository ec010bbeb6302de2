"""A recorded run, as the store provides it and the analysis reads it."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Any, NamedTuple, Protocol, overload

from stress.model.attributes import SHARED
from stress.model.chain import Verdict
from stress.model.limit import Limit
from stress.model.plan import Address, Plan
from stress.model.record import Record, RecordSource, RecordTable
from stress.model.transcript import Transcript


class End(StrEnum):
    """How the run as a whole ended."""

    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    """By the user (SIGINT, SIGTERM)."""
    STOPPED = "stopped"
    """By a goal, or because the record could not be written."""
    UNFINISHED = "unfinished"
    """The file has no end mark: the run still goes on, or died."""


class Phase(StrEnum):
    """The durations that have histograms."""

    CONNECT = "connect"
    SERVER = "server"
    HANDSHAKE = "handshake"
    TOTAL = "total"
    """From the intended start: corrected for coordinated omission."""
    ATTEMPT = "attempt"
    """From the actual start: uncorrected."""
    LAG = "lag"


@dataclass(frozen=True, slots=True)
class JoinedLog:
    """A balancer's log from which `backend` was filled (`tls-stress join`)."""

    files: tuple[str, ...]
    format: str
    """Which format its lines have, in words."""
    by_time: bool
    """By times alone, because a NAT changes the ports: a suggestion."""
    joined: int
    """Attempts whose line was found."""
    ambiguous: int
    """Attempts for which more than one line fits."""
    unmatched: int
    """Attempts that reached the balancer and have no line."""
    offset_ns: int
    """How far the balancer's clock was ahead of ours."""
    spread_ns: int
    """Within which 95% of the joined differ from that."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One connection of the resumption matrix."""

    address: int
    """Index of the address."""
    local_port: int | None
    offered: int | None = None
    """Place of the probe whose session it offered; None: it offered none."""
    resumed: bool | None = None
    """The server accepted that; None: the handshake did not finish."""
    failed: bool = False
    """A client would refuse what it received; where a session was resumed: what that one's
    connection received."""
    outcome: str = "ok"
    chain: str | None = None
    """SHA-256 of the chain, in hexadecimal; None: a session was resumed, or none was seen."""
    key: str | None = None
    """Name of the key of its session ticket."""


@dataclass(frozen=True, slots=True)
class ResumptionMatrix:
    """Which connections accepted the sessions of which others (`--backends`)."""

    tls_version: int
    probes: tuple[Probe, ...]
    """In the order in which they were made, one after the other."""


@dataclass(frozen=True, slots=True)
class Vantage:
    """A machine from which a part of a merged run was made (`tls-stress merge`)."""

    name: str
    host: str
    """Name and address of the machine, as in its own run file."""
    started_ns: int
    """Unix time of its start by its own clock; with `host` it tells one run from another."""
    networks: tuple[str, ...]
    """Local addresses that its connections are known to have come from."""
    versions: Mapping[str, str]
    answers: tuple[str, ...]
    """Addresses of the target as its DNS answered there at the start."""
    offset_ns: int | None = None
    """How far its clock was ahead of the others'; None: not known, so nothing was corrected."""
    error_ns: int | None = None
    """Of the offset, plus or minus."""
    rows: str = ""
    """Path, on that machine, of the file that has all of its rows; empty: they came home."""
    secrets: str = ""
    """Path, on that machine, of the TLS secrets of its evidence; empty: they are with it."""


WAS_LOST = " was lost ("
"""How the doubt goes on, after the name, that a vantage sent no file home."""
ONE_SOURCE = "one-source"
"""How the doubt begins that all load of a run came from one address."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How the engine ended; stored as the end mark of the run file."""

    end: End
    ended_ns: int
    """Unix time, nanoseconds."""
    started: int
    """Attempts that began, or were due and not sent."""
    reasons: tuple[str, ...] = ()
    """Doubts about the measurement, as sentences."""
    invalid: bool = False
    """True when these make the whole measurement say nothing about the target."""
    lag_p99_ns: int | None = None
    """99th percentile of the event loops' lag, all processes."""
    stood_ns: int = 0
    """How long the run was paused by its user."""
    limits: tuple[Limit, ...] = ()
    """What each search for a limit found; empty: none was searched for."""
    joined: JoinedLog | None = None
    """The log by which backends were found; None: none was."""
    matrix: ResumptionMatrix | None = None
    """What came of offering sessions after the run (`--backends`); None: none were."""


@dataclass(frozen=True, slots=True)
class VantageProgress:
    """How far one of several vantages is."""

    name: str
    progress: Progress
    lost: bool = False
    """Its link ended before its part did."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a run, for the live line."""

    elapsed_s: float
    total: int | None
    """Attempts planned, None when a duration ends the run."""
    duration_s: float | None
    """Planned duration, None when a count ends the run."""
    started: int
    ended: int
    """Attempts that ended, all sides."""
    failed: int
    """Failures of the target."""
    ours: int
    not_sent: int
    chains: int
    in_flight: int
    rate: float
    """Attempts ended a second, over the last few seconds."""
    lag_ns: int
    """Worst event-loop lag of the last second."""
    stood_s: float = 0.0
    """How much of `elapsed_s` the run was paused by its user."""
    vantages: tuple[VantageProgress, ...] = ()
    """Of each machine that makes a part of the run; empty: this one makes all of it."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The run as a whole."""

    name: str
    file: str
    """Path of the run file, as the caller would open it."""
    plan: Plan
    started_ns: int
    """Unix time, nanoseconds."""
    ended_ns: int | None
    """None when the file has no end mark."""
    end: End
    started: int
    """Attempts that began (or were due and not sent). Larger than the rows only after a kill."""
    recorded: int
    versions: Mapping[str, str]
    """Tool, Python, TLS libraries, kernel."""
    reasons: tuple[str, ...]
    """Doubts about the measurement, as sentences (see `validity.reasons`)."""
    invalid: bool
    """True when these make the whole measurement say nothing about the target."""
    lag_p99_ns: int | None
    """99th percentile of the event loops' lag, all processes."""
    limits: tuple[Limit, ...] = ()
    """What each search for a limit found; empty: none was searched for."""
    stood_ns: int = 0
    """How long no connections were opened: paused, or interrupted and resumed."""
    host: str = ""
    """Name and address of the local host."""
    first_ns: int | None = None
    """Unix time at which the first attempt was due, after all starting up; None: no attempt."""
    last_ns: int | None = None
    """When the last attempt was due; in a closed loop, when the last one ended."""
    records: RecordSource | None = None
    """Where the attempts come from, if not from a run of ours: the plan then says nothing."""
    made_now: bool = False
    """This very command line made the run, so the paths in its plan are the user's own."""
    matrix: ResumptionMatrix | None = None
    joined: JoinedLog | None = None
    """The log by which backends were found; None: none was."""
    vantages: tuple[Vantage, ...] = ()
    """The machines whose runs were merged, by index; empty: all attempts come from one."""

    @property
    def begun_ns(self) -> int:
        """Unix time at which the first machine began, on the clock of all its other times.

        Time blocks count from `started_ns`, which may be earlier where runs were merged.
        """
        if not self.merged:
            return self.started_ns
        return min(one.started_ns - (one.offset_ns or 0) for one in self.vantages)

    @property
    def merged(self) -> bool:
        """Whether its times are corrected to one clock, and its doubts have names.

        The file of one part of a run names its vantage, too, and has the times of its own clock.
        """
        starts = [one.started_ns for one in self.vantages]
        return bool(starts) and starts != [self.started_ns]


@dataclass(frozen=True, slots=True)
class SeenChain:
    """A distinct chain of the run."""

    id: int
    sha256: bytes
    certificates: tuple[bytes, ...]
    """DER, in the order sent."""
    seen: int
    first_ns: int
    """Unix time of the start of the first attempt that got it."""
    last_ns: int


class Cell(NamedTuple):
    """A distinct combination of shared attributes in a time block, and how many attempts have it.

    None means "not reached".
    """

    block: int
    """Index of the time block of `due_ns`; see `Cube.block_ns`."""
    address: int
    source: int | None
    client: int
    chain: int | None
    """`SeenChain.id`."""
    tls_version: int | None
    cipher: int | None
    key_group: int | None
    alpn: str | None
    resumed: bool | None
    segment: int
    stage: int
    outcome: str
    count: int  # type: ignore[assignment]  # hides the method of tuples, which nobody needs
    others: tuple[Hashable, ...] = ()
    """Values of `CELL_OTHERS`, in that order; empty: none was reached."""


MOST_BLOCKS = 1000
"""Time blocks of a cube; where there would be more, their width doubles."""
MOST_GOOD = 50_000
"""Good attempts whose durations are looked at one by one."""
CELL_FIELDS = tuple(name for name in Cell._fields if name not in {"block", "count", "others"})
"""Shared attributes that are fields of a `Cell`, between its block and its count."""
CELL_OTHERS = tuple(
    each.name
    for each in SHARED
    if (each.dimensions or each.counted) and each.name not in CELL_FIELDS
)
"""Shared attributes that nothing but the search for causes reads from a `Cell`, by their names."""


def cell_reader(attribute: str) -> Callable[[Cell], Hashable]:
    """A function that reads a shared attribute from a cell."""
    if attribute not in CELL_OTHERS:
        return attrgetter(attribute)
    place = CELL_OTHERS.index(attribute)
    return lambda cell: cell.others[place] if cell.others else None


class Cells(Sequence[Cell]):
    """Cells by columns: a run of millions has hundreds of thousands of them, but few kinds.

    Args:
        kinds: the combinations of attributes, in the order of their first cells; block and count
            of these mean nothing.
        blocks: of each cell.
        of: index of each cell's kind.
        counts: of each cell.
    """

    def __init__(
        self, kinds: Sequence[Cell], blocks: array[int], of: array[int], counts: array[int]
    ) -> None:
        self.kinds, self.blocks, self.of, self.counts = kinds, blocks, of, counts
        self._attempts: Sequence[int] | None = None

    @classmethod
    def of_cells(cls, cells: Iterable[Cell]) -> Cells:
        """The same cells; not copied where they are by columns already."""
        if isinstance(cells, Cells):
            return cells
        kinds: dict[tuple[Any, ...], tuple[int, Cell]] = {}
        blocks, of, counts = array("q"), array("q"), array("q")
        for cell in cells:
            block, *shared, count, others = cell
            of.append(kinds.setdefault((*shared, others), (len(kinds), cell))[0])
            blocks.append(block)
            counts.append(count)
        return cls([kind for _, kind in kinds.values()], blocks, of, counts)

    def by_kind(self) -> Iterator[tuple[Cell, int]]:
        """Each kind with its attempts in all blocks, of those that have any."""
        if self._attempts is None:
            attempts = [0] * len(self.kinds)
            for kind, count in zip(self.of, self.counts, strict=True):
                attempts[kind] += count
            self._attempts = attempts
        pairs = zip(self.kinds, self._attempts, strict=True)
        return ((kind, attempts) for kind, attempts in pairs if attempts)

    def changed(self, change: Callable[[Cell], Cell]) -> Cells:
        """The same cells with other attributes."""
        return Cells([change(kind) for kind in self.kinds], self.blocks, self.of, self.counts)

    def __len__(self) -> int:
        return len(self.counts)

    @overload
    def __getitem__(self, place: int) -> Cell: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Cell]: ...
    def __getitem__(self, place: int | slice) -> Cell | Sequence[Cell]:
        if isinstance(place, slice):
            return list(self)[place]
        kind = self.kinds[self.of[place]]
        return kind._replace(block=self.blocks[place], count=self.counts[place])

    def __iter__(self) -> Iterator[Cell]:
        return (self[place] for place in range(len(self)))


@dataclass(frozen=True, slots=True)
class Cube:
    """All attempts, counted by distinct attributes; causes are searched in it, not in the rows."""

    block_ns: int
    """Width of a time block; block 0 starts at `RunFacts.started_ns`."""
    cells: Sequence[Cell]
    records: RecordTable | None = None
    """The attributes, where they are not ours; the cells then only know times and outcomes."""


class PortCount(NamedTuple):
    """Attempts and failures of the target by local port."""

    port: int
    attempts: int
    failures: int


@dataclass(frozen=True, slots=True)
class HistogramRow:
    """One HDR histogram of a phase (microseconds; read it with `stress.measure`)."""

    phase: Phase
    good: bool
    """True: of attempts whose outcome is `ok`; False: of failures of the target."""
    block: int
    """Index of the time block (same width as the cube's, or a multiple); -1: the whole run."""
    hdr: bytes
    """Base64 of the compressed HDR encoding V2."""
    clamped: int
    """Values outside the histogram's range, recorded at its edge."""


@dataclass(frozen=True, slots=True)
class Records:
    """Records that are not ours, as they were read and as a run file keeps them."""

    source: RecordSource
    started_ns: int
    """Unix nanoseconds of the first; 0 where no column is the time."""
    ended_ns: int
    block_ns: int
    table: RecordTable
    failing: tuple[tuple[int, int, str], ...] = ()
    """Of the first failures: place in the order of time, Unix nanoseconds, outcome."""
    latencies: tuple[HistogramRow, ...] = ()
    ports: tuple[PortCount, ...] = ()
    """By local port, where an export of ours says it."""
    notes: tuple[str, ...] = ()
    """What a reader must know before trusting the answer, as sentences."""


class Run(Protocol):
    """A recorded run, as the analysis reads it."""

    def facts(self) -> RunFacts: ...
    def addresses(self) -> Sequence[Address]:
        """By index."""

    def chains(self) -> Sequence[SeenChain]:
        """Ordered by id."""

    def verdicts(self) -> Sequence[Verdict]: ...
    def cube(self) -> Cube: ...
    def ports(self) -> Sequence[PortCount]: ...
    def histograms(self) -> Sequence[HistogramRow]: ...
    def failures(self, limit: int) -> Iterator[Record]:
        """The first `limit` failures of the target, by id."""

    def good(self, most: int) -> Iterator[Record]:
        """Good attempts; where there are more than `most`, every second, third … attempt."""


class RunWithTranscripts(Run, Protocol):
    """A recorded run with what was kept of it byte for byte, as the page shows it."""

    def transcripts(self) -> Iterator[Transcript]: ...


@dataclass(frozen=True, slots=True)
class RunView:
    """A `Run` that is another one; a subclass overrides what it changes."""

    run: Run

    def facts(self) -> RunFacts:
        return self.run.facts()

    def addresses(self) -> Sequence[Address]:
        return self.run.addresses()

    def chains(self) -> Sequence[SeenChain]:
        return self.run.chains()

    def verdicts(self) -> Sequence[Verdict]:
        return self.run.verdicts()

    def cube(self) -> Cube:
        return self.run.cube()

    def ports(self) -> Sequence[PortCount]:
        return self.run.ports()

    def histograms(self) -> Sequence[HistogramRow]:
        return self.run.histograms()

    def failures(self, limit: int) -> Iterator[Record]:
        return self.run.failures(limit)

    def good(self, most: int) -> Iterator[Record]:
        return self.run.good(most)
