"""How an attempt ended (`Outcome`), whose doing it was (`Side`), and how far it came (`Stage`).

The names are the contract's failure categories; they are stored, shown and relied upon by scripts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Side(StrEnum):
    """Who an ending says something about."""

    NOBODY = "nobody"
    """The attempt is good."""
    TARGET = "target"
    """The target (or the path to it) failed: counted."""
    OURS = "ours"
    """Our own machine or the user ended it: never counted against the target."""
    NOT_SENT = "not-sent"
    """Due in the open loop, never started: in neither count."""


class Kind(StrEnum):
    """Which half of the taxonomy an ending belongs to."""

    OK = "ok"
    TRUST = "trust"
    WIRE = "wire"
    OURS = "ours"
    NOT_SENT = "not-sent"


class Category(StrEnum):
    """Every ending the contract names, except the numbered alerts (`Outcome.alert`)."""

    OK = "ok"

    # Trust: the handshake finished, a client of this kind would refuse the chain.
    INCOMPLETE_CHAIN = "incomplete-chain"
    WRONG_INTERMEDIATE = "wrong-intermediate"
    EXPIRED_LEAF = "expired-leaf"
    EXPIRED_INTERMEDIATE = "expired-intermediate"
    NOT_YET_VALID = "not-yet-valid"
    HOSTNAME_MISMATCH = "hostname-mismatch"
    NO_SAN = "no-san"
    SELF_SIGNED = "self-signed"
    UNTRUSTED_ROOT = "untrusted-root"
    WEAK_SIGNATURE = "weak-signature"
    WEAK_KEY = "weak-key"
    LIFETIME_TOO_LONG = "lifetime-too-long"
    MISSING_EKU = "missing-eku"
    WRONG_EKU = "wrong-eku"
    UNHANDLED_CRITICAL_EXTENSION = "unhandled-critical-extension"
    NAME_CONSTRAINTS = "name-constraints"
    ISSUER_NOT_CA = "issuer-not-ca"
    PATH_LENGTH = "path-length"
    REVOKED = "revoked"
    MISSING_SCT = "missing-sct"
    MUST_STAPLE_MISSING = "must-staple-missing"
    BAD_STAPLE = "bad-staple"
    MALFORMED_CERTIFICATE = "malformed-certificate"
    PIN_MISMATCH = "pin-mismatch"

    # Wire: the handshake did not finish.
    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT_CONNECT = "timeout-connect"
    TIMEOUT_HANDSHAKE = "timeout-handshake"
    RESET = "reset"
    EOF = "eof"
    NOT_TLS = "not-tls"
    ALERT = "alert"
    """Stored and shown with its number, as `alert-40`; see `Outcome`."""
    NO_SHARED_VERSION = "no-shared-version"
    NO_SHARED_CIPHER = "no-shared-cipher"
    CLIENT_CERTIFICATE_REQUIRED = "client-certificate-required"
    BAD_SIGNATURE = "bad-signature"
    PROTOCOL_ERROR = "protocol-error"

    # Ours: never counted against the target.
    LOCAL_PORTS = "local-ports"
    LOCAL_FILES = "local-files"
    LOCAL_MEMORY = "local-memory"
    LOCAL_NETWORK = "local-network"
    LOCAL_LAG = "local-lag"
    CANCELLED = "cancelled"

    NOT_SENT = "not-sent"

    @property
    def kind(self) -> Kind:
        """Which half of the taxonomy this category belongs to."""
        return _KIND[self]


def _kinds() -> dict[Category, Kind]:
    kinds: dict[Category, Kind] = {}
    current = Kind.OK
    starts = {
        Category.OK: Kind.OK,
        Category.INCOMPLETE_CHAIN: Kind.TRUST,
        Category.DNS: Kind.WIRE,
        Category.LOCAL_PORTS: Kind.OURS,
        Category.NOT_SENT: Kind.NOT_SENT,
    }
    for category in Category:
        current = starts.get(category, current)
        kinds[category] = current
    return kinds


_KIND = _kinds()
_SIDE = {
    Kind.OK: Side.NOBODY,
    Kind.TRUST: Side.TARGET,
    Kind.WIRE: Side.TARGET,
    Kind.OURS: Side.OURS,
    Kind.NOT_SENT: Side.NOT_SENT,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The ending of one attempt.

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
            raise ValueError(f"alert number {self.alert} is not one octet")

    @classmethod
    def parse(cls, name: str) -> Outcome:
        """Read a stored name such as `reset` or `alert-40`.

        Raises:
            ValueError: the name is no ending of the contract.
        """
        if name.startswith("alert-"):
            return cls(Category.ALERT, int(name.removeprefix("alert-")))
        return cls(Category(name))

    @property
    def name(self) -> str:
        """The contract's name: what the run file, the JSON and the report say."""
        return self.category.value if self.alert is None else f"alert-{self.alert}"

    @property
    def kind(self) -> Kind:
        """Which half of the taxonomy it belongs to."""
        return _KIND[self.category]

    @property
    def side(self) -> Side:
        """Whom it says something about."""
        return _SIDE[self.kind]

    def __str__(self) -> str:
        return self.name


OK = Outcome(Category.OK)
NOT_SENT = Outcome(Category.NOT_SENT)
CANCELLED = Outcome(Category.CANCELLED)


class Stage(IntEnum):
    """How far an attempt came: the last step that was *reached*. Ordered."""

    RESOLVE = 0
    CONNECT = 1
    """A connection was being opened (the SYN was sent)."""
    CLIENT_HELLO = 2
    """TCP is connected and our ClientHello went out; no ServerHello was read."""
    SERVER_HELLO = 3
    """A ServerHello was read; no Certificate message was seen."""
    CERTIFICATE = 4
    """The server's certificates were read; the handshake is not finished."""
    FINISHED = 5
    """The handshake finished."""
    AFTER_HANDSHAKE = 6
    """Something decisive came after the handshake (a fatal alert)."""

    @property
    def label(self) -> str:
        """The contract's spelling, such as `server-hello`."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def parse(cls, label: str) -> Stage:
        """Read the contract's spelling.

        Raises:
            KeyError: no such stage.
        """
        return cls[label.upper().replace("-", "_")]
