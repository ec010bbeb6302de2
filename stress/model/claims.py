"""What the analysis of a run finds, as data. The report turns these claims into sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from stress.model.limit import Limit
from stress.model.outcome import ClientView
from stress.model.plan import Address
from stress.model.run import SeenChain
from stress.model.summary import Condition, Interval, LatencyShift, RiskRatio

UNKNOWN_RATIO = RiskRatio(None, 1.0, None)


class Shape(StrEnum):
    """What the failure rate did over the run."""

    CONSTANT = "constant"
    BEGAN = "began"
    """Quiet, then failing until the end of the run."""
    ENDED = "ended"
    WINDOW = "window"
    BURSTS = "bursts"
    """More than one window."""


@dataclass(frozen=True, slots=True)
class FailureCount:
    """Failures of so many attempts."""

    failures: int
    attempts: int


@dataclass(frozen=True, slots=True)
class FailureKeys:
    """With which ticket keys failures of one category were answered, as far as tickets were read.

    Which were read depends on the chain and on chance, so this is no failure rate of a server.
    """

    failures: int
    """Of the category, all of them."""
    read: int
    """Those whose ticket has the name of a key."""
    keys: int
    """Distinct names among these."""
    name: str
    """The most frequent one."""
    most: int
    """Failures with it."""
    good: int
    """Good attempts, drawn at random, whose ticket has a name."""
    good_most: int
    """Those with the same one."""
    stands_out: bool
    """It is more frequent among the failures than chance explains (1%)."""


@dataclass(frozen=True, slots=True)
class RunChange:
    """What the next run does differently from the recorded one; None keeps it as it was."""

    count: int | None = None
    addresses: tuple[Address, ...] | None = None
    clients: tuple[str, ...] | None = None
    server_name: str | None = None
    """`none` sends no SNI."""
    rate: float | None = None
    extra: tuple[str, ...] = ()
    """Further arguments, appended."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How a class of failures behaves over time."""

    shape: Shape = Shape.CONSTANT
    windows: int = 0
    """Stretches of time with a high failure rate."""
    changed_ns: int | None = None
    """Unix time of the change, where the rate changed once and for good."""
    uncertainty_s: float = 0.0
    """Of `changed_ns`: the wider half of its interval."""
    period_s: float | None = None
    """From burst to burst; None: the bursts are not regular."""


@dataclass(frozen=True, slots=True)
class Lockout:
    """From a moment on nothing gets through."""

    since_ns: int
    """Unix time at which the last good attempt began."""
    good: int
    """Good attempts, all of them until then …"""
    before: int
    """… of so many."""
    after: int
    """Attempts since then, all failed."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Failures come back after a number of connections, or after a fixed time."""

    cycle: int | None = None
    """Connections from one failure to the next; None: it is a matter of time."""
    hits: int = 0
    """Failures at that place of the cycle."""
    of: int = 0
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Mechanism:
    """What decides an outcome by definition: the certificate chain, or an odd answer."""

    name: str
    """The chain's short hash, or `#3` when the run file does not hold it; else the answer."""
    chain: SeenChain | None
    met: FailureCount
    """Attempts that received it, and how many of them failed in this way."""
    dimension: str = "chain"


@dataclass(frozen=True, slots=True)
class Stalls:
    """Moments in which all connections to an address waited together, and then all were served."""

    count: int
    typical_us: float
    """Median length."""
    slow_us: float
    """Handshakes that took longer than this count as slow."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """More is offered than is answered, so the rest waits."""

    per_s: float
    """Handshakes that end in a second (median) while others wait …"""
    low: float
    high: float
    """… with its 95% interval."""
    offered_per_s: float
    wait_us: float
    """How long handshakes took meanwhile (median)."""


class RootCause(NamedTuple):
    """A root cause of the catalogue that fits, by its id."""

    id: str
    evidence: tuple[str, ...] = ()
    """What points to it, in words."""
    options: tuple[str, ...] = ()
    """What to add to the command for the experiment that tells it apart."""


class Basis(StrEnum):
    """What a claim rests on."""

    CONDITIONS = "conditions"
    PORTS = "ports"
    """The failing local ports have something in common."""
    CHAIN = "chain"
    """The mechanism alone: nothing else tells the failing connections apart."""
    DIFFERENCE = "difference"
    """Two valid chains for one name; nothing failed."""
    NEGOTIATED = "negotiated"
    """One client and the target agree on different things; nothing failed."""
    SLOW = "slow"
    """Good handshakes that take longer than others."""

    @property
    def failing(self) -> bool:
        """Whether it is about failures."""
        return self not in {Basis.DIFFERENCE, Basis.NEGOTIATED, Basis.SLOW}


@dataclass(frozen=True, slots=True)
class Claim:
    """What a class of failures has in common, or how two valid answers differ."""

    basis: Basis
    category: str
    mechanism: Mechanism | None
    failures: int
    """That it explains and no earlier claim does; none of a difference between valid answers."""
    grade: str
    risk_ratio: RiskRatio = UNKNOWN_RATIO
    p_value: float = 1.0
    likely: tuple[RootCause, ...] = ()
    """Root causes, the most likely first."""
    conditions: tuple[Condition, ...] = ()
    aliases: tuple[tuple[Condition, ...], ...] = ()
    rivals: tuple[tuple[Condition, ...], ...] = ()
    """Conditions that explain the failures nearly as well."""
    total: FailureCount = FailureCount(0, 0)
    """All failures of this class (or odd answers), and the attempts they are compared with."""
    inside: FailureCount = FailureCount(0, 0)
    """Under the conditions whatever else explains them, or of the chain where it stands alone."""
    interval: Interval | None = None
    """Of the failure rate there; None: it is only known as an exact one."""
    elsewhere: FailureCount = FailureCount(0, 0)
    shared: tuple[tuple[tuple[Condition, ...], int], ...] = ()
    """The conditions of earlier claims of this class, and how many failures also match those."""
    worst: tuple[tuple[Condition, ...], FailureCount] | None = None
    """The part inside that fails most."""
    timing: Timing = Timing()
    early_s: float | None = None
    """How long before its validity began a certificate was served, at most."""
    onset_at_chain: bool = False
    """Whether the moment at which the chain was first seen matters."""
    recurrence: Recurrence | None = None
    sticky_ports: bool = False
    """Ports that failed once fail again; no rule for which was found."""
    backlog: bool = False
    """Attempts served late after a rush count at the rate of the rush."""
    searched: bool = False
    """A search for the limit chose the loads, so they were not random."""
    usual: SeenChain | None = None
    """The chain that most good attempts received."""
    values: Mapping[str, int] = field(default_factory=dict)
    """Of a difference in what is agreed on: how often each answer was given."""
    shift: LatencyShift | None = None
    stalls: Stalls | None = None
    ceiling: Ceiling | None = None
    others: int = 0
    """Further odd chains that are not listed; without a mechanism, all valid chains."""
    clients: Mapping[str, ClientView] = field(default_factory=dict)
    experiment: RunChange | None = None
    """The next run: it confirms the claim, or separates it from a rival."""

    @property
    def attempts(self) -> int:
        """Attempts that fulfil the conditions; of a difference, those that got the odd answer."""
        different = self.basis in {Basis.DIFFERENCE, Basis.NEGOTIATED}
        return self.total.failures if different else self.inside.attempts

    @property
    def precision(self) -> float:
        """Part of the attempts under the conditions that failed."""
        return self.inside.failures / self.inside.attempts if self.inside.attempts else 0.0

    @property
    def recall(self) -> float:
        """Part of the failures of this class that fulfil the conditions."""
        placed = self.basis is not Basis.CHAIN
        explained = self.inside.failures if placed else self.failures
        return explained / self.total.failures if self.total.failures else 0.0


class Silence(StrEnum):
    """Why some failures have no cause."""

    RECURS = "recurs"
    LOCKED_OUT = "locked-out"
    ALL_FAILED = "all-failed"
    TOO_FEW = "too-few"
    SEVERAL_KINDS = "several-kinds"
    NOT_FOUND = "not-found"
    NOTHING_DIFFERS = "nothing-differs"


@dataclass(frozen=True, slots=True)
class UnexplainedClaim:
    """The failures that no claim explains."""

    failures: int = 0
    silence: Silence | None = None
    """None: there are none."""
    considered: int = 0
    """Groups of attempts that were tested."""
    hypotheses: int = 0
    depth: int = 3
    """Most conditions of such a group."""
    recurrence: Recurrence | None = None
    likely: tuple[RootCause, ...] = ()
    category: str = ""
    """The outcome that most of them have."""
    alike: tuple[str, ...] = ()
    """Signals that are known of them, and the same in all attempts."""


@dataclass(frozen=True, slots=True)
class LoadClaim:
    """Whether the failure rate follows the offered load, which was varied at random."""

    dependent: bool | None
    """None: undecided."""
    elasticity: float | None
    """By how many per cent the failure rate grows when the offered rate grows by one per cent;
    None: a wall, below which nothing fails."""
    low: float
    high: float
    segments: int
    slowest: float
    fastest: float
    concentrated: bool = False
    """Whether one place holds most of the failures."""
    elsewhere: LoadClaim | None = None
    """Of the failures outside the places that were found, where these do follow the load."""


class NoticeKind(StrEnum):
    """What a reader must know before trusting a run."""

    RECORDED = "recorded"
    """`text` was written while the run was recorded, or by another part of the analysis."""
    MARKED_INVALID = "marked-invalid"
    GENERATOR_LIMITED = "generator-limited"
    MOSTLY_LOCAL = "mostly-local"
    MOSTLY_PROXY = "mostly-proxy"
    NONE_SENT = "none-sent"
    NONE_ENDED = "none-ended"
    NONE_ATTEMPTED = "none-attempted"
    REPLAY = "replay"
    UNFINISHED = "unfinished"
    LOST = "lost"
    CANCELLED = "cancelled"
    LOCAL = "local"
    PROXY = "proxy"
    NOT_SENT = "not-sent"


@dataclass(frozen=True, slots=True)
class Notice:
    """One such thing, with its figures."""

    kind: NoticeKind
    count: int = 0
    of: int = 0
    names: Mapping[str, int] = field(default_factory=dict)
    """Our own failures by outcome."""
    text: str = ""
    limit: Limit | None = None


@dataclass(frozen=True, slots=True)
class ValidityClaim:
    """Whether a run says something about the target."""

    fatal: tuple[Notice, ...]
    """Empty: it does."""
    notes: tuple[Notice, ...]

    @property
    def valid(self) -> bool:
        """Whether nothing fatal is known."""
        return not self.fatal


class Untested(StrEnum):
    """What a run did not test."""

    OTHER_NETWORKS = "other-networks"
    IPV4 = "ipv4"
    IPV6 = "ipv6"
    TLS_1_3 = "tls-1.3"
    TLS_1_2 = "tls-1.2"
    OTHER_CLIENTS = "other-clients"
    RESUMPTION = "resumption"
    OTHER_NAMES = "other-names"
    OTHER_TIMES = "other-times"


@dataclass(frozen=True, slots=True)
class ClaimSet:
    """The claims of a run in their order, and the failures that none of them explains."""

    claims: tuple[Claim, ...] = ()
    unexplained: UnexplainedClaim = UnexplainedClaim()
    load: LoadClaim | None = None
    """None: the load was not varied."""
    lockout: Lockout | None = None

    @property
    def failing(self) -> tuple[Claim, ...]:
        """The claims about failures, without the inconsistencies."""
        return tuple(claim for claim in self.claims if claim.basis.failing)
