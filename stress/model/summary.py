"""The answer: one `Summary`, from which every report (terminal, JSON, page) is made.

The fields are the contract's `tls-stress/summary/1`, in its order. The JSON is this dataclass,
encoded; what is added here is added there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from stress.model.limit import Limit

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
    target: str
    profile: str
    clients: tuple[str, ...]
    started: str
    """RFC 3339, UTC."""
    duration_s: float
    processes: int
    seed: int
    server_name: str | None = None
    anchors: str = ""
    policy: str = ""
    host: str = ""
    """From where."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval for a share, as fractions."""

    level: float
    low: float
    high: float
    method: str


@dataclass(frozen=True, slots=True)
class Failures:
    """How much failed. `share` is `count` / attempts."""

    count: int
    share: float
    interval: Interval
    categories: Mapping[str, int]
    stages: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Category -> stage -> count."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`dimension` = `value`, both as people read them."""

    dimension: str
    value: str


@dataclass(frozen=True, slots=True)
class RiskRatio:
    """How much more often it fails inside than outside; None: unbounded."""

    value: float | None
    low: float
    high: float | None


@dataclass(frozen=True, slots=True)
class ClientView:
    """What one client family would do, and show."""

    fails: str
    """`yes`, `no` or `sometimes`."""
    reports: str
    """The codes or texts its user sees; "one of" where the choice is not known."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What a set of failing connections has in common."""

    rank: int
    category: str
    kind: str
    """`failure` or `inconsistency`."""
    mechanism: Condition | None
    conditions: tuple[Condition, ...]
    aliases: tuple[tuple[Condition, ...], ...]
    failures: int
    attempts: int
    precision: float
    recall: float
    risk_ratio: RiskRatio
    p_value: float
    grade: str
    sentence: str
    likely: tuple[str, ...]
    fix: str
    clients: Mapping[str, ClientView]
    next: str = ""
    """The next experiment, as a command line."""


@dataclass(frozen=True, slots=True)
class ChainLine:
    """A distinct chain."""

    sha256: str
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
    """May the run be believed, and about what."""

    valid: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assertion:
    """A goal or assertion, and whether it holds."""

    expression: str
    holds: str
    """`yes`, `no` or `unknown`."""
    value: float | None


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
    """What share could have been seen."""
    asked: str
    """How we asked: client, addresses, SNI, trust store."""
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
    not_sent: int
    failures: Failures
    causes: tuple[Cause, ...]
    unexplained: Mapping[str, int]
    chains: tuple[ChainLine, ...]
    addresses: tuple[AddressLine, ...]
    latency: Mapping[str, Quantiles]
    validity: Validity
    assertions: tuple[Assertion, ...]
    lines: Headlines
    limits: tuple[Limit, ...] = ()
    """What each search for a limit found; empty: none was searched for."""
    schema: str = SCHEMA
