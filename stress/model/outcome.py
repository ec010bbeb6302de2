"""How an attempt ended (`Outcome`), whom that counts against (`Side`), how far it got (`Stage`).

The names are stored in run files and used by scripts: never change one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Self


class Side(StrEnum):
    """Whom an outcome counts against."""

    NOBODY = "nobody"
    """The attempt succeeded."""
    TARGET = "target"
    """The target, or the path to it, failed."""
    OURS = "ours"
    """This machine, the proxy that it goes through, or the user ended the attempt; never counted
    against the target."""
    NOT_SENT = "not-sent"
    """Due in the open loop but never started; counted neither as success nor as failure."""


class Kind(StrEnum):
    """The group of the taxonomy that a category belongs to, and whom that group counts against."""

    OK = "ok"
    TRUST = "trust"
    """The handshake finished, but a client of this kind would reject the chain."""
    WIRE = "wire"
    """The handshake did not finish."""
    OURS = "ours"
    NOT_SENT = "not-sent"
    FOREIGN = "foreign"
    """Somebody else's word for a failure, in records that are not ours."""

    @property
    def side(self) -> Side:
        """Whom the group counts against."""
        others = {"ok": Side.NOBODY, "ours": Side.OURS, "not-sent": Side.NOT_SENT}
        return others.get(self, Side.TARGET)


class Category(StrEnum):
    """Every outcome of the contract; numbered alerts share one category (`Outcome.alert`).

    To add one: a line here (name, kind, for trust also its precedence), and its texts and client
    codes in `stress/codes/tables/outcomes.toml`. The order of the lines means nothing.
    """

    kind: Kind
    precedence: int
    """Which of several trust findings names the failure: the lowest number.

    Apple's order (SecTrustInternal.h: Revoked > KeySize > WeakHash > Trust > Usage > Name >
    Expired), with one change: what only some client families enforce (Apple's "Compliance", pins,
    staples) comes last, so that a stale certificate is reported as expired.
    """

    def __new__(cls, value: str, kind: Kind = Kind.OK, precedence: int = 0) -> Self:
        """Attach the columns of the table to the member."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.kind = kind
        member.precedence = precedence
        return member

    @property
    def is_proxys(self) -> bool:
        """Whether the proxy that we go through ended the attempt, or the path to it."""
        return self.value.startswith("proxy-")

    OK = "ok"

    INCOMPLETE_CHAIN = "incomplete-chain", Kind.TRUST, 80
    WRONG_INTERMEDIATE = "wrong-intermediate", Kind.TRUST, 70
    EXPIRED_LEAF = "expired-leaf", Kind.TRUST, 160
    EXPIRED_INTERMEDIATE = "expired-intermediate", Kind.TRUST, 170
    NOT_YET_VALID = "not-yet-valid", Kind.TRUST, 180
    HOSTNAME_MISMATCH = "hostname-mismatch", Kind.TRUST, 140
    NO_SAN = "no-san", Kind.TRUST, 150
    SELF_SIGNED = "self-signed", Kind.TRUST, 60
    UNTRUSTED_ROOT = "untrusted-root", Kind.TRUST, 90
    WEAK_SIGNATURE = "weak-signature", Kind.TRUST, 40
    WEAK_KEY = "weak-key", Kind.TRUST, 30
    LIFETIME_TOO_LONG = "lifetime-too-long", Kind.TRUST, 200
    MISSING_EKU = "missing-eku", Kind.TRUST, 190
    WRONG_EKU = "wrong-eku", Kind.TRUST, 130
    UNHANDLED_CRITICAL_EXTENSION = "unhandled-critical-extension", Kind.TRUST, 50
    NAME_CONSTRAINTS = "name-constraints", Kind.TRUST, 120
    ISSUER_NOT_CA = "issuer-not-ca", Kind.TRUST, 100
    PATH_LENGTH = "path-length", Kind.TRUST, 110
    REVOKED = "revoked", Kind.TRUST, 20
    MISSING_SCT = "missing-sct", Kind.TRUST, 210
    MUST_STAPLE_MISSING = "must-staple-missing", Kind.TRUST, 230
    BAD_STAPLE = "bad-staple", Kind.TRUST, 240
    MALFORMED_CERTIFICATE = "malformed-certificate", Kind.TRUST, 10
    PIN_MISMATCH = "pin-mismatch", Kind.TRUST, 220

    DNS = "dns", Kind.WIRE
    REFUSED = "refused", Kind.WIRE
    UNREACHABLE = "unreachable", Kind.WIRE
    TIMEOUT_CONNECT = "timeout-connect", Kind.WIRE
    TIMEOUT_HANDSHAKE = "timeout-handshake", Kind.WIRE
    RESET = "reset", Kind.WIRE
    EOF = "eof", Kind.WIRE
    NOT_TLS = "not-tls", Kind.WIRE
    ALERT = "alert", Kind.WIRE
    """Stored and shown with its number, as `alert-40`; see `Outcome`."""
    NO_SHARED_VERSION = "no-shared-version", Kind.WIRE
    NO_SHARED_CIPHER = "no-shared-cipher", Kind.WIRE
    CLIENT_CERTIFICATE_REQUIRED = "client-certificate-required", Kind.WIRE
    BAD_SIGNATURE = "bad-signature", Kind.WIRE
    PROTOCOL_ERROR = "protocol-error", Kind.WIRE
    STARTTLS_REFUSED = "starttls-refused", Kind.WIRE
    STARTTLS_NOT_OFFERED = "starttls-not-offered", Kind.WIRE

    LOCAL_PORTS = "local-ports", Kind.OURS
    LOCAL_FILES = "local-files", Kind.OURS
    LOCAL_MEMORY = "local-memory", Kind.OURS
    LOCAL_NETWORK = "local-network", Kind.OURS
    LOCAL_LAG = "local-lag", Kind.OURS
    PROXY_REFUSED = "proxy-refused", Kind.OURS
    PROXY_AUTHENTICATION = "proxy-authentication", Kind.OURS
    PROXY_FAILED = "proxy-failed", Kind.OURS
    CANCELLED = "cancelled", Kind.OURS

    NOT_SENT = "not-sent", Kind.NOT_SENT


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended.

    Raises:
        ValueError: an alert without a number of 0 to 255, or a number without an alert.
    """

    category: Category
    alert: int | None = None
    """The alert description (RFC 8446 section 6) when the category is `ALERT`, else None."""

    def __post_init__(self) -> None:
        if (self.category is Category.ALERT) != (self.alert is not None):
            raise ValueError(f"{self.category} with alert number {self.alert}")
        if self.alert is not None and not 0 <= self.alert <= 255:
            raise ValueError(f"alert number {self.alert} is not in 0..255")

    @classmethod
    def parse(cls, name: str) -> Outcome:
        """Read a stored name such as `reset` or `alert-40`.

        Raises:
            ValueError: the name is not an outcome of the contract.
        """
        if name.startswith("alert-"):
            return cls(Category.ALERT, int(name.removeprefix("alert-")))
        return cls(Category(name))

    @property
    def name(self) -> str:
        """The contract's name, used by the run file, the JSON and the report."""
        return self.category.value if self.alert is None else f"alert-{self.alert}"

    @property
    def kind(self) -> Kind:
        """The group that the category belongs to."""
        return self.category.kind

    @property
    def side(self) -> Side:
        """Whom the outcome counts against."""
        return self.category.kind.side

    def __str__(self) -> str:
        return self.name


def kind_of(name: str) -> Kind:
    """The group of an outcome by its name; a name that is not ours is somebody else's failure."""
    try:
        return Outcome.parse(name).kind
    except ValueError:
        return Kind.FOREIGN


@lru_cache(maxsize=512)
def side_of(name: str) -> Side:
    """Whom an outcome counts against, by its name."""
    return kind_of(name).side


OK = Outcome(Category.OK)
NOT_SENT = Outcome(Category.NOT_SENT)
CANCELLED = Outcome(Category.CANCELLED)


class Stage(IntEnum):
    """How far an attempt got: the last step that was *reached*.

    The numbers are stored and never change, so later steps have higher ones: compare by `order`.
    """

    RESOLVE = 0
    CONNECT = 1
    """The SYN was sent."""
    CLIENT_HELLO = 2
    """TCP is connected and the ClientHello was sent; no ServerHello was read."""
    SERVER_HELLO = 3
    """A ServerHello was read; no Certificate message was seen."""
    CERTIFICATE = 4
    """The server's certificates were read; the handshake did not finish."""
    FINISHED = 5
    """The handshake finished."""
    AFTER_HANDSHAKE = 6
    """A fatal alert was read after the handshake finished."""
    STARTTLS = 7
    """TCP is connected and TLS was being asked for; no ClientHello was sent."""
    PROXY = 8
    """TCP is connected to a proxy, which was being asked for the target."""

    @property
    def order(self) -> int:
        """Its place among the steps, from 0."""
        return _ORDER.index(self)

    @property
    def label(self) -> str:
        """The contract's spelling, such as `server-hello`."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def parse(cls, label: str) -> Stage:
        """Read the contract's spelling.

        Raises:
            KeyError: there is no such stage.
        """
        return cls[label.upper().replace("-", "_")]


_ORDER = (
    Stage.RESOLVE,
    Stage.CONNECT,
    Stage.PROXY,
    Stage.STARTTLS,
    Stage.CLIENT_HELLO,
    Stage.SERVER_HELLO,
    Stage.CERTIFICATE,
    Stage.FINISHED,
    Stage.AFTER_HANDSHAKE,
)


@dataclass(frozen=True, slots=True)
class ClientView:
    """What one client family would do, and show."""

    fails: str
    """`yes`, `no` or `sometimes`."""
    reports: str
    """The codes or texts its user sees; "one of" where the choice is not known."""
