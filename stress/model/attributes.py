"""The attributes recorded of each attempt: one table, from which everything else is derived.

To record a new attribute, add it to `attributes.toml` and a field to `Record`, and set it in
`stress.engine.worker.attempt`. The columns of the run file and of its view `handshake`, exports,
cells, the search for causes, `compare` and `replay` follow from the table.

An attribute that many attempts share costs nothing in their rows: each distinct combination of
shared attributes is stored once, in `attempt_group`. A number that few attempts have is stored in a
table of its own, and costs the others nothing. Run files that do not have an attribute yet are read
as if it had never been reached.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol, Self

_TABLES: Final[Mapping[str, Any]] = tomllib.loads(
    Path(__file__).with_name("attributes.toml").read_text("utf-8")
)
_COLUMN: Final[Mapping[str, Any]] = {"when": "assigned", "phrase": "{name} = {}"}
"""A dimension that is not in the table: a column of records that are not ours."""
_PORTS: Final[Mapping[str, Any]] = {**_COLUMN, "phrase": "{name} has {}"}
"""Such a column where it is the port, and its values are told by what they share."""
_OF_PORTS = re.compile(r"\(?port |parit|a number that ")


class KnownFrom(StrEnum):
    """When the value of a dimension is settled, relative to the handshake.

    This decides what may explain a failure. An *assigned* value was chosen before anything happened
    (which client, which address, when), an *early* one is known once TCP is connected. A *late* one
    comes out of the handshake itself, so it may only explain a failure when nearly all failures got
    far enough to have it. The *outcome* never explains anything: it is what has to be explained.
    """

    ASSIGNED = "assigned"
    EARLY = "early"
    LATE = "late"
    OUTCOME = "outcome"


class Dimension(StrEnum):
    """The contract's dimensions, in the order in which one is preferred to name a cohort.

    Any other name is a column of somebody's records (`stress.records`): `Dimension("carrier")`.
    """

    ADDRESS = "address"
    LABEL = "label"
    FAMILY = "family"
    CLIENT = "client"
    SNI = "sni"
    VANTAGE = "vantage"
    RESUMED = "resumed"
    OFFERED = "offered"
    TLS_VERSION = "tls_version"
    RATE = "rate"
    TIME = "time"
    LOCAL_PORT = "local_port"
    BACKEND = "backend"
    CIPHER = "cipher"
    KEY_GROUP = "key_group"
    HELLO_RETRY = "hello_retry"
    ALPN = "alpn"
    CHAIN = "chain"
    LEAF = "leaf"
    ISSUER = "issuer"
    JA3S = "ja3s"
    TCP_OPTIONS = "tcp_options"
    CONNECT_MODE = "connect_mode"
    STAGE = "stage"

    @property
    def when(self) -> KnownFrom:
        """When its value is settled."""
        return KnownFrom(_TABLES["dimensions"].get(self, _COLUMN)["when"])

    @property
    def is_signal(self) -> bool:
        """Whether it suggests a server, and is nothing that was chosen or could be its fault."""
        return bool(_TABLES["dimensions"].get(self, _COLUMN).get("signal"))

    @property
    def follows_hello(self) -> bool:
        """Whether it is said in the ClientHello or follows from it, and so differs by client."""
        return bool(_TABLES["dimensions"].get(self, _COLUMN).get("hello"))

    @classmethod
    def _missing_(cls, value: object) -> Self:
        """A column of records that are not ours; equal names are equal."""
        member = str.__new__(cls, value)
        member._name_ = member._value_ = str(value)
        return member

    @property
    def priority(self) -> int:
        """Smaller is preferred when two dimensions select exactly the same handshakes."""
        ours = list(Dimension)
        return ours.index(self) if self in ours else len(ours)

    def phrase(self, value: str) -> str:
        """A value in a sentence, such as `with TLS 1.2`."""
        words = _TABLES["dimensions"].get(self, _PORTS if _OF_PORTS.match(value) else _COLUMN)
        known = words.get("special", {}).get(value)
        kinds = words.get("begins", {}).items()
        phrase = next((one for begin, one in kinds if value.startswith(begin)), words["phrase"])
        return str(known or phrase.format(value, name=self))


class Form(StrEnum):
    """What a value is, and so how it is stored and shown."""

    NUMBER = "number"
    TEXT = "text"
    FLAG = "flag"
    """True or false, stored as 1 or 0."""
    NAMED = "named"
    """A number that has a name: `stress.codes.names.NAMES`, and the table `name`."""


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
    counted: bool = False
    """Cells have it, though no dimension is made of it."""
    apart: bool = False
    """A number that few attempts have: it has a table of its own, and costs the others nothing."""

    @property
    def is_text(self) -> bool:
        """Whether the view shows text."""
        return self.form in {Form.TEXT, Form.NAMED} or bool(self.shown)


ATTRIBUTES: Final = tuple(
    Attribute(
        **row
        | {
            "form": Form(row["form"]),
            "dimensions": tuple(map(Dimension, row.get("dimensions", ()))),
            "shown": tuple(row.get("shown", {}).items()),
        }
    )
    for row in _TABLES["attributes"]
)
"""In the order of the view's columns."""

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
    @property
    def op(self) -> str: ...


def place(conditions: Iterable[Place]) -> str:
    """All conditions as one phrase; what is excluded from one dimension is told together.

    Those of dimensions that are not ours begin with `where`.
    """
    told: dict[tuple[str, int], str] = {}
    excluded: dict[str, list[str]] = {}
    for number, one in enumerate(conditions):
        dimension, value = str(one.dimension), one.value
        if one.op == "is not" and isinstance(value, str):
            excluded.setdefault(dimension, []).append(value)
            phrases = _TABLES["dimensions"].get(dimension, {})
            words = phrases.get("except", f"{dimension} is not {{}}")
            told[dimension, -1] = words.format(listed(excluded[dimension]))
        else:
            told[dimension, number] = _phrase(dimension, value)
    ours = [words for (name, _), words in told.items() if name in set(Dimension)]
    others = [words for (name, _), words in told.items() if name not in set(Dimension)]
    return " ".join([*ours, *([f"where {' and '.join(others)}"] if others else [])])


def listed(words: Sequence[str]) -> str:
    """Words as a list in a sentence: `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _phrase(dimension: str, value: str | tuple[str, str]) -> str:
    if isinstance(value, tuple):
        span = f"between {value[0]} and {value[1]}"
        words: Mapping[str, str] = _TABLES["dimensions"].get(dimension, {})
        return words.get("range", f"{dimension} is {{}}").format(span)
    if dimension == Dimension.TIME:
        times, _, more = value.partition(" and ")
        parts = []
        for one in times.split(", "):
            begin, dash, end = one.partition("–")  # noqa: RUF001 - as a range is written
            open_end = f"{one} on" if one.startswith("from ") else one
            parts.append(f"between {begin} and {end}" if dash else open_end)
        stretches = "stretch" if more == "1 more" else "stretches"
        return listed([*parts, *([f"in {more} {stretches}"] if more else [])])
    return Dimension(dimension).phrase(value)
