"""The dimensions in which causes are told, and what each may be used for.

Four classes decide what may explain a failure. An *assigned* attribute was chosen before anything
happened (who asked, whom, when), an *early* one is known once the connection stands. A *late* one
comes out of the handshake itself, so it may only speak when nearly all of the failures got far
enough to have it. The *outcome* (how far it came, how it ended) never explains anything: it is
what has to be explained. And "not reached" is never a value, else every failure would be explained
by not having come further.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Dimension(StrEnum):
    """The contract's dimensions, in the order in which one is preferred to name a cohort."""

    ADDRESS = "address"
    LABEL = "label"
    FAMILY = "family"
    CLIENT = "client"
    SNI = "sni"
    VANTAGE = "vantage"
    RESUMED = "resumed"
    TLS_VERSION = "tls_version"
    RATE = "rate"
    TIME = "time"
    LOCAL_PORT = "local_port"
    BACKEND = "backend"
    CIPHER = "cipher"
    KEY_GROUP = "key_group"
    ALPN = "alpn"
    CHAIN = "chain"
    LEAF = "leaf"
    ISSUER = "issuer"
    STAGE = "stage"

    @property
    def priority(self) -> int:
        """Smaller is preferred when two ways of saying it hold exactly the same handshakes."""
        return _PRIORITY[self]

    @property
    def when(self) -> KnownFrom:
        """When its value was settled."""
        return _WHEN[self]


class KnownFrom(IntEnum):
    """When the value of a dimension is settled, relative to the handshake."""

    ASSIGNED = 0
    EARLY = 1
    LATE = 2
    OUTCOME = 3


_PRIORITY = {dimension: rank for rank, dimension in enumerate(Dimension)}
_LATE = (
    Dimension.TLS_VERSION,
    Dimension.CIPHER,
    Dimension.KEY_GROUP,
    Dimension.ALPN,
    Dimension.RESUMED,
    Dimension.CHAIN,
    Dimension.LEAF,
    Dimension.ISSUER,
    Dimension.BACKEND,
)
_EARLY = (Dimension.ADDRESS, Dimension.LABEL, Dimension.FAMILY)
_WHEN = {
    dimension: KnownFrom.OUTCOME
    if dimension is Dimension.STAGE
    else KnownFrom.LATE
    if dimension in _LATE
    else KnownFrom.EARLY
    if dimension in _EARLY
    else KnownFrom.ASSIGNED
    for dimension in Dimension
}

OF_THE_CHAIN = frozenset({Dimension.CHAIN, Dimension.LEAF, Dimension.ISSUER})
"""Functions of the chain: they decide a trust verdict by definition, so they are its mechanism."""
