"""The attributes recorded of each attempt: one table, from which everything else is derived.

To record a new attribute, add a line to `ATTRIBUTES` and a field to `Record`, and set it in
`stress.engine.worker.attempt`. The columns of the run file and of its view `handshake`, exports,
cells, the search for causes, `compare` and `replay` follow from the table.

An attribute that many attempts share costs nothing in their rows: each distinct combination of
shared attributes is stored once, in `attempt_group`. A number that few attempts have is stored in a
table of its own, and costs the others nothing. Run files that do not have an attribute yet are read
as if it had never been reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum, auto
from types import MappingProxyType
from typing import Final, Protocol, Self


class KnownFrom(IntEnum):
    """When the value of a dimension is settled, relative to the handshake.

    This decides what may explain a failure. An *assigned* value was chosen before anything happened
    (which client, which address, when), an *early* one is known once TCP is connected. A *late* one
    comes out of the handshake itself, so it may only explain a failure when nearly all failures got
    far enough to have it. The *outcome* never explains anything: it is what has to be explained.
    """

    ASSIGNED = 0
    EARLY = 1
    LATE = 2
    OUTCOME = 3


class Dimension(StrEnum):
    """The contract's dimensions, in the order in which one is preferred to name a cohort.

    Each has its name, when it is known, and the phrase for a value; a few values have their own.
    """

    ADDRESS = "address", KnownFrom.EARLY, "at {}"
    LABEL = "label", KnownFrom.EARLY, "at {}"
    FAMILY = "family", KnownFrom.EARLY, "over {}", {"ipv4": "over IPv4", "ipv6": "over IPv6"}
    CLIENT = "client", KnownFrom.ASSIGNED, "with client {}"
    SNI = "sni", KnownFrom.ASSIGNED, "with SNI {}", {"none": "without SNI"}
    VANTAGE = "vantage", KnownFrom.ASSIGNED, "from source {}"
    RESUMED = (
        "resumed",
        KnownFrom.LATE,
        "resumed = {}",
        {"yes": "when a session is resumed", "no": "in full handshakes"},
    )
    TLS_VERSION = "tls_version", KnownFrom.LATE, "with {}"
    RATE = "rate", KnownFrom.ASSIGNED, "at an offered {}"
    TIME = "time", KnownFrom.ASSIGNED, "time = {}"
    LOCAL_PORT = "local_port", KnownFrom.ASSIGNED, "from local ports with {}"
    BACKEND = "backend", KnownFrom.LATE, "behind backend {}"
    CIPHER = "cipher", KnownFrom.LATE, "with {}"
    KEY_GROUP = "key_group", KnownFrom.LATE, "with key exchange {}"
    HELLO_RETRY = (
        "hello_retry",
        KnownFrom.LATE,
        "hello_retry = {}",
        {"yes": "after a HelloRetryRequest", "no": "without a HelloRetryRequest"},
    )
    ALPN = "alpn", KnownFrom.LATE, "with ALPN {}"
    CHAIN = "chain", KnownFrom.LATE, "with chain {}"
    LEAF = "leaf", KnownFrom.LATE, "with the certificate {}"
    ISSUER = "issuer", KnownFrom.LATE, "with a certificate issued by {}"
    STAGE = "stage", KnownFrom.OUTCOME, "stage = {}"

    when: KnownFrom
    """When its value is settled."""
    template: str
    """The phrase for a value."""
    special: Mapping[str, str]
    """Phrases of values that have their own."""

    def __new__(
        cls,
        value: str,
        # With defaults, so that type checkers accept `Dimension(value)`.
        when: KnownFrom = KnownFrom.LATE,
        template: str = "{}",
        special: Mapping[str, str] = MappingProxyType({}),
    ) -> Self:
        """A member from its line above."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.when, member.template, member.special = when, template, special
        return member

    @property
    def priority(self) -> int:
        """Smaller is preferred when two dimensions select exactly the same handshakes."""
        return _PRIORITY[self]

    def phrase(self, value: str) -> str:
        """A value in a sentence, such as `with TLS 1.2`."""
        return self.special.get(value) or self.template.format(value)


_PRIORITY = {dimension: rank for rank, dimension in enumerate(Dimension)}


class Form(Enum):
    """What a value is, and so how it is stored and shown."""

    NUMBER = auto()
    TEXT = auto()
    FLAG = auto()
    """True or false, stored as 1 or 0."""
    NAMED = auto()
    """A number that has a name: `stress.handshake.names.NAMES`, and the table `name`."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of an attempt."""

    name: str
    """Field of `Record`, and column of the view `handshake`."""
    form: Form
    comment: str = ""
    """For the schema of the run file; what is measured has it there."""
    dimensions: tuple[Dimension, ...] = ()
    """Which dimensions of causes are made of it."""
    always: bool = False
    """Every attempt has it; else None means "not reached"."""
    table: str = ""
    """The table whose rows the number refers to."""
    shown: tuple[tuple[str, str], ...] = ()
    """Of that table, which columns the view shows, and under which names; empty: the number."""
    replayed: bool = False
    """A replay selects failing attempts by it."""
    measured: str = ""
    """Column of `attempt`, for what differs from attempt to attempt; empty: none."""
    apart: bool = False
    """A number that few attempts have: it has a table of its own, and costs the others nothing."""

    @property
    def is_text(self) -> bool:
        """Whether the view shows text."""
        return self.form in {Form.TEXT, Form.NAMED} or bool(self.shown)


ATTRIBUTES: Final = (
    Attribute(
        "address",
        Form.NUMBER,
        "connected to",
        (Dimension.ADDRESS, Dimension.LABEL, Dimension.FAMILY),
        always=True,
        table="address",
        shown=(("text", "address"), ("label", "label")),
        replayed=True,
    ),
    Attribute(
        "source",
        Form.NUMBER,
        "NULL: the kernel chose the local address",
        (Dimension.VANTAGE,),
        table="source",
        shown=(("ip", "source"),),
        replayed=True,
    ),
    Attribute("local_port", Form.NUMBER, measured="port"),
    Attribute(
        "client",
        Form.NUMBER,
        "client profile",
        (Dimension.CLIENT, Dimension.SNI),
        always=True,
        table="client",
        shown=(("name", "client"),),
        replayed=True,
    ),
    Attribute("outcome", Form.TEXT, "ok, or a failure category", always=True),
    Attribute("stage", Form.NAMED, "how far it came; see name", always=True),
    Attribute(
        "chain",
        Form.NUMBER,
        "as sent; NULL: none was seen",
        (Dimension.CHAIN, Dimension.LEAF, Dimension.ISSUER),
        table="chain",
    ),
    Attribute(
        "tls_version",
        Form.NAMED,
        "number on the wire; see name",
        (Dimension.TLS_VERSION,),
        replayed=True,
    ),
    Attribute("cipher", Form.NAMED, "IANA number; see name", (Dimension.CIPHER,), replayed=True),
    Attribute(
        "key_group", Form.NAMED, "IANA number; see name", (Dimension.KEY_GROUP,), replayed=True
    ),
    Attribute("alpn", Form.TEXT, "protocol agreed on", (Dimension.ALPN,)),
    Attribute("resumed", Form.FLAG, "1: the session was resumed", (Dimension.RESUMED,)),
    Attribute("connect_ns", Form.NUMBER, measured="connect"),
    Attribute("server_ns", Form.NUMBER, measured="server"),
    Attribute("handshake_ns", Form.NUMBER, measured="handshake"),
    Attribute("total_ns", Form.NUMBER, always=True, measured="total"),
    Attribute("lag_ns", Form.NUMBER, measured="lag"),
    Attribute("bytes_received", Form.NUMBER, always=True, measured="bytes"),
    Attribute(
        "segment",
        Form.NUMBER,
        "index of the load segment it was due in",
        (Dimension.RATE,),
        always=True,
    ),
    Attribute(
        "flags",
        Form.NUMBER,
        "1 user-space time stamp, 2 local pressure, 4 warm-up",
        always=True,
    ),
    Attribute(
        "hello_retry",
        Form.FLAG,
        "1: the server sent a HelloRetryRequest first",
        (Dimension.HELLO_RETRY,),
        replayed=True,
    ),
    Attribute("tcp_retransmits", Form.NUMBER, "TCP segments that we had to send again", apart=True),
)
"""In the order of the view's columns. A new one goes to the end."""

SHARED: Final = tuple(each for each in ATTRIBUTES if not (each.measured or each.apart))
"""Stored once for each distinct combination, in the table `attempt_group`."""
APART: Final = tuple(each for each in ATTRIBUTES if each.apart)
"""Stored in a table of their own, by attempt."""


# Writes conditions as one phrase, such as "at 192.0.2.7:443 with TLS 1.2".


class Place(Protocol):
    """A condition, of the summary or of the search."""

    @property
    def dimension(self) -> str: ...
    @property
    def value(self) -> str | tuple[str, str]: ...


def place(conditions: Iterable[Place]) -> str:
    """All conditions as one phrase."""
    return " ".join(_phrase(condition) for condition in conditions)


def _phrase(condition: Place) -> str:
    dimension, value = str(condition.dimension), condition.value
    words = _range(dimension, value) if isinstance(value, tuple) else _single(dimension, value)
    return f"not {words}" if getattr(condition, "op", "is") == "is not" else words


def _range(dimension: str, ends: tuple[str, str]) -> str:
    span = f"between {ends[0]} and {ends[1]}"
    return span if dimension == "time" else f"with {dimension} {span}"


def _single(dimension: str, value: str) -> str:
    if dimension == Dimension.TIME:
        # `from 10:31:07`, `until 10:31:07`, or a list of stretches.
        if value.startswith("from ") and "," not in value:
            return f"{value} on"
        return value if value[0] in "ftu" else f"in the times {value}"
    known = dimension in set(Dimension)
    return Dimension(dimension).phrase(value) if known else f"{dimension} = {value}"
