"""The answer: one `Summary`, from which every report (terminal, JSON, page) is made.

The fields are the contract's `tls-stress/summary/1`, in its order. The JSON is this dataclass,
encoded; what is added here is added there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from stress.model.limit import Limit
from stress.model.outcome import ClientView
from stress.model.record import RecordSource

SCHEMA = "tls-stress/summary/1"


class Answer(StrEnum):
    """The verdict on the run (and its exit code)."""

    CLEAN = "clean"
    FAILING = "failing"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class RunLine:
    """Which run it was."""

    name: str
    file: str
    """A path that opens from the caller's folder."""
    target: str
    profile: str
    clients: tuple[str, ...]
    started: str
    """RFC 3339, UTC."""
    duration_s: float
    processes: int
    seed: int
    server_name: str | None = None
    """The name sent as SNI; null: none was."""
    anchors: str = ""
    """Where the trust anchors came from."""
    policy: str = ""
    """By whose rules the chains were judged."""
    host: str = ""
    """From where."""
    records: RecordSource | None = None
    """Whose records it was made of, and how they were read; null: it was a run of ours."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval for a share, as fractions."""

    level: float
    """Such as 0.95."""
    low: float
    high: float
    method: str
    """How it was made: `exact`, `anytime` …"""


@dataclass(frozen=True, slots=True)
class Failures:
    """How much failed. `share` is `count` / attempts."""

    count: int
    share: float
    interval: Interval
    categories: Mapping[str, int]
    """Outcome -> count."""
    stages: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Category -> stage -> count."""
    too_few: int | None = None
    """In how many stretches of time failures came together, where that was once or twice: too few
    for a tight interval. Null: often enough, or they are independent."""


class Comparator(StrEnum):
    """How a condition compares its dimension with its value."""

    IS = "is"
    IS_NOT = "is not"
    BETWEEN = "between"


@dataclass(frozen=True, slots=True)
class Condition:
    """A test on one dimension, such as `address` `is` `192.0.2.7:443`."""

    dimension: str
    value: str | tuple[str, str]
    """As people read it; with `between` the lower and the upper end."""
    op: Comparator = Comparator.IS

    @property
    def text(self) -> str:
        """The value as one string; a range is written with a dash."""
        return self.value if isinstance(self.value, str) else "–".join(self.value)  # noqa: RUF001

    def allows(self, value: str | None) -> bool:
        """Whether a value, as people read it, passes `is` or `is not`; one not reached never does.

        A range has numbers or times for ends, so texts do not fall into it.
        """
        return value is not None and (value == self.text) is (self.op is Comparator.IS)

    def __str__(self) -> str:
        negated = "not " if self.op is Comparator.IS_NOT else ""
        return f"{self.dimension} {negated}{self.text}"


FAILURE = "failure"
INCONSISTENCY = "inconsistency"
LATENCY = "latency"


@dataclass(frozen=True, slots=True)
class RiskRatio:
    """How much more often it fails inside than outside; None: unbounded."""

    value: float | None
    low: float
    high: float | None


@dataclass(frozen=True, slots=True)
class LatencyShift:
    """A percentile of the duration of good handshakes, under the conditions and elsewhere."""

    percentile: float
    """50 is the median."""
    there_us: float
    elsewhere_us: float
    low: float
    """How many times slower at least, with 95% confidence."""
    high: float


@dataclass(frozen=True, slots=True)
class Likely:
    """A root cause from the catalogue that fits the evidence."""

    id: str
    """Stable: scripts may match on it."""
    text: str
    """With the evidence for it."""
    fix: str
    """What to change; empty where nothing needs to be."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What a set of failing connections has in common."""

    rank: int
    category: str
    kind: str
    """`failure`, `inconsistency` or `latency`."""
    mechanism: Condition | None
    """What decides the verdict by definition, such as the chain; null: nothing does."""
    conditions: tuple[Condition, ...]
    """Where it occurs: all of them hold."""
    aliases: tuple[tuple[Condition, ...], ...]
    """Other conditions that select exactly the same handshakes."""
    failures: int
    attempts: int
    """Attempts that fulfil the conditions."""
    precision: float
    """Share of these attempts that failed."""
    recall: float
    """Share of all failures of this kind that are in here."""
    risk_ratio: RiskRatio
    p_value: float
    """Corrected for the number of hypotheses tested."""
    grade: str
    """Confidence: `strong`, `suggested` …"""
    sentence: str
    likely: tuple[Likely, ...]
    """Root causes that fit, the most likely first; at most four."""
    fix: str
    clients: Mapping[str, ClientView]
    """Client family -> what it does."""
    next: str = ""
    """The next experiment, as a command line."""
    latency: LatencyShift | None = None
    """Of a latency cause with a place: how much slower it is there."""
    interval: Interval | None = None
    """Of `precision`, from the same clustered estimate as that of all failures; null: there is no
    failure."""


@dataclass(frozen=True, slots=True)
class Unexplained:
    """The failures that belong to no cause."""

    failures: int = 0
    likely: tuple[Likely, ...] = ()
    """Root causes that fit them; empty only when there are no such failures."""
    next: str = ""
    """The next experiment, as a command line."""
    clients: Mapping[str, ClientView] = field(default_factory=dict)
    """Client family -> what it does, for the most frequent kind of these failures."""


class Purpose(StrEnum):
    """What a suggested command is for."""

    PROVE = "prove"
    VERIFY_FIX = "verify-fix"
    NEXT = "next"
    REPRODUCE = "reproduce"


@dataclass(frozen=True, slots=True)
class Command:
    """A command that the report prints, ready to run."""

    purpose: Purpose
    argv: tuple[str, ...]
    why: str = ""
    """What it is for, in words."""


@dataclass(frozen=True, slots=True)
class ChainLine:
    """A distinct chain."""

    sha256: str
    """Over the certificates in the order sent."""
    certificates: int
    subject: str
    issuer: str
    seen: int
    share: float
    """Of the attempts in which a chain was seen."""
    problems: Mapping[str, tuple[str, ...]]
    """Policy -> categories."""
    differs: str
    """What differs from the commonest chain, in words; empty for the commonest."""


@dataclass(frozen=True, slots=True)
class AddressLine:
    """An address of the target."""

    address: str
    label: str | None
    attempts: int
    failures: int
    interval: Interval
    latency: Quantiles | None = None
    """Of its good handshakes, from their start; of an even sample where there are very many."""


@dataclass(frozen=True, slots=True)
class BackendLine:
    """A server behind an address."""

    name: str
    how: str
    """What named it: `ticket`, the key of its session tickets; `header`, of its answer to a HEAD;
    `log`, a balancer's."""
    address: str | None
    """Of the target; null: it was met behind several."""
    attempts: int
    failures: int
    interval: Interval
    latency: Quantiles | None = None
    """Of its good handshakes, from their start; of an even sample where there are very many."""
    chains: Mapping[str, int] = field(default_factory=dict)
    """SHA-256 of a chain -> attempts that received it, the commonest first."""
    first: str = ""
    """When it was met first, RFC 3339, UTC, to the beginning of a time block of the run."""
    last: str = ""
    """When it was met last, likewise."""
    failing_since: str | None = None
    """When it failed first, likewise; null: it did not."""


@dataclass(frozen=True, slots=True)
class VantageLine:
    """A machine from which a part of the run was made."""

    name: str
    host: str
    attempts: int
    failures: int
    interval: Interval
    clock_offset_ms: float | None
    """How far its clock was ahead of the others'; null: not known, so nothing was corrected."""
    clock_error_ms: float | None
    """Of the offset, plus or minus."""
    networks: tuple[str, ...]
    """Local addresses that its connections are known to have come from."""
    answers: tuple[str, ...]
    """Addresses of the target as its DNS answered there at the start."""
    versions: Mapping[str, str]
    started: str
    """RFC 3339, UTC, by its own clock."""
    latency: Quantiles | None = None
    """Of its good handshakes, from their start; of an even sample where there are very many."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A ticket key that was not met before another was met for the last time."""

    before: str
    """The one that was not met again."""
    last: str
    """When it was met last, UTC, to a time block of the run."""
    after: str
    """The one that was not met before."""
    first: str
    """When it was met first."""


@dataclass(frozen=True, slots=True)
class BackendCount:
    """How many servers there are behind the addresses, told apart by what they say themselves."""

    how: str
    """What names them: `ticket`, the key of their session tickets; `header`, of an answer."""
    named: int
    """Finished handshakes whose server is named."""
    unnamed: int
    """The others: their server gave no name."""
    seen: int
    """Names that were met. Servers that share their keys have one; new keys are a new one."""
    estimate: float
    """How many there are, by Chao's estimate; the lower end of its 95% interval is `seen`."""
    high: int | None
    """Its upper end; null: unbounded."""
    least_share: float
    """A server with this fraction of the connections would have been met, with 95% confidence."""
    new_keys: tuple[NewKey, ...] = ()
    """Keys that took the place of others during the run, as after a reload."""
    sample: bool = False
    """Only handshakes that were drawn at random are counted here and in `backends`."""


@dataclass(frozen=True, slots=True)
class Spread:
    """What the order in which servers were met says about the balancer."""

    pairs: int
    """Connections that began one after the other, both of whose servers are known."""
    same: int
    """Pairs that met the same server."""
    expected: float
    """So many would have, if the server were drawn anew for each connection."""
    by_turns: bool
    """Far fewer did (0.1%): servers take turns."""
    by: str
    """`source` or `local_port`: what always led to the same server, where it came again; empty:
    neither."""
    least: float | None
    """Smallest share of a server, where the shares are not equal; null: they may be."""
    most: float | None
    """Largest share."""


@dataclass(frozen=True, slots=True)
class Offers:
    """Sessions that were offered to further connections."""

    offered: int
    accepted: int


@dataclass(frozen=True, slots=True)
class ResumptionGroups:
    """What offering TLS sessions to more connections showed (`--backends`).

    Servers that accept each other's sessions, by shared keys or a shared cache, are one group.
    """

    tls_version: int
    """In which it was done, as number on the wire."""
    connections: int
    failing: Offers
    """Sessions of connections that received a chain which a client refuses."""
    good: Offers
    """Sessions of the others."""
    refused_and_failed: int
    """Connections that refused a session of `failing`, and received such a chain themselves."""
    one_group: bool
    """All failures are from one group: as many refused one as would hardly miss a second (1%)."""
    all_shared: bool
    """Practically every session was accepted: all servers are one group."""
    same_key_refused: int
    """Connections that refused a session sealed, by its name, with the key of their own ticket."""
    effective: float | None
    """How many groups there are if they have equal shares; null: too few were accepted."""
    low: float | None
    """Lower end of its 95% interval."""
    high: float | None
    """Upper end."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Percentiles of one phase, in microseconds. None: nothing was recorded."""

    p50: float | None
    p90: float | None
    p99: float | None
    p999: float | None
    max: float | None
    unit: str = "us"


@dataclass(frozen=True, slots=True)
class Validity:
    """Whether the run can be trusted, and its warnings."""

    valid: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assertion:
    """A goal or assertion, and whether it holds."""

    expression: str
    holds: str
    """`yes`, `no` or `unknown`."""
    value: float | None
    """What was measured; null: nothing was."""
    seen_s: float | None = None
    """Where the answer is that a rate is below a limit: the seconds that were seen. Outages that
    are less frequent than about three in them could have been missed."""
    needed: int | None = None
    """Where it is unknown: about so many more handshakes, coming out like these, settle it; null:
    no number is known that would."""
    command: tuple[str, ...] = ()
    """A run that is long enough to settle it."""


@dataclass(frozen=True, slots=True)
class Headlines:
    """The report's first ten lines, as sentences, in the contract's order."""

    verdict: str
    where: str
    what: str
    who: str
    fix: str
    prove: str
    seen: str
    """What failure rate would have been detected."""
    asked: str
    """What was tested: client, addresses, SNI, trust store."""
    whence: str
    """From where and when."""
    valid: str


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole answer of a run."""

    verdict: Answer
    headline: str
    run: RunLine
    attempts: int
    """Without `ours` and `not_sent`."""
    completed: int
    """Attempts whose handshake finished."""
    ours: int
    """Failures of this machine; never counted against the target."""
    not_sent: int
    """Were due while no place was free."""
    failures: Failures
    causes: tuple[Cause, ...]
    unexplained: Unexplained
    chains: tuple[ChainLine, ...]
    addresses: tuple[AddressLine, ...]
    latency: Mapping[str, Quantiles]
    """By phase, of good attempts; `failing-total` is how long the failing ones took, `proxy` and
    `starttls` what came before TLS."""
    validity: Validity
    assertions: tuple[Assertion, ...]
    lines: Headlines
    limits: tuple[Limit, ...] = ()
    """What each search for a limit found; empty: none was searched for."""
    backends: tuple[BackendLine, ...] = ()
    """The servers behind the addresses, those that failed most first; empty: none is known."""
    vantages: tuple[VantageLine, ...] = ()
    """The machines whose runs were merged, by name; empty: all attempts come from one."""
    backend_count: BackendCount | None = None
    """How many there are; null: not known, or a log names them all."""
    balancing: Spread | None = None
    """How connections were spread over servers; null: not known, or nothing decides it."""
    resumption_groups: ResumptionGroups | None = None
    """What `--backends` found; null: it was not asked for."""
    commands: tuple[Command, ...] = ()
    """Every command that the report prints."""
    schema: str = SCHEMA
