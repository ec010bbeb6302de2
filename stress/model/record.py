"""One attempt as a row, and records that are not ours as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Record(NamedTuple):
    """What one attempt was, in the columns of the run file. None means "not reached".

    `due_ns` and `started_ns` are Unix time (the wall clock read once at the start, the monotonic
    clock on top); every other `_ns` is a duration. A NamedTuple, because it is made, sent and
    stored by the million.
    """

    id: int
    """Start index: unique in the run, grows with the intended start. Gaps are attempts lost
    with a killed worker."""
    due_ns: int
    """When the attempt was meant to start (equal to `started_ns` in a closed loop)."""
    started_ns: int
    address: int
    """Index into the run's addresses."""
    source: int | None
    """Index into the plan's `sources`; None when the kernel chose the local address."""
    local_port: int | None
    client: int
    """Index into the plan's clients."""
    outcome: str
    """`Outcome.name`; the worker sets the wire's outcome, the recorder the final one."""
    stage: int
    """`Stage` number."""
    chain: bytes | None
    """SHA-256 of the chain as sent (32 bytes), None when none was seen."""
    tls_version: int | None
    """Negotiated version as wire number (0x0304 is TLS 1.3)."""
    cipher: int | None
    """Negotiated suite as IANA number."""
    key_group: int | None
    """Negotiated key-exchange group as IANA number; None for RSA key exchange."""
    alpn: str | None
    resumed: bool | None
    connect_ns: int | None
    """From connect() to the TCP connection being usable."""
    server_ns: int | None
    """The target's own time: for each round trip, from our send to the kernel's arrival stamp."""
    handshake_ns: int | None
    """From ClientHello sent to handshake finished, as a client would feel it."""
    total_ns: int
    """From `due_ns` to the end."""
    lag_ns: int | None
    """What our process added between the kernel's stamp and our reading, summed."""
    bytes_received: int
    segment: int
    """Index of the load segment (rate block, step of a search) it was due in."""
    flags: int
    """Bits of `Flag`."""
    detail: str | None
    """What else was seen, as text: an errno name, a library reason, the first bytes."""
    hello_retry: bool | None = None
    """Whether the server demanded another ClientHello (HelloRetryRequest, RFC 8446 section 4.1.4);
    None before its first answer."""
    tcp_retransmits: int | None = None
    """TCP segments that the kernel sent again; None: none, or the system does not say."""
    offered: bool | None = None
    """Whether a session was offered for resumption; None: the run never offers one."""
    backend: str | None = None
    """Which server behind the address answered: by the name of the key of its session tickets, or
    by a balancer's log; None: not known. The worker sets the front of the ticket in hexadecimal,
    the recorder the final one."""
    starttls_ns: int | None = None
    """From the open connection, or the proxy's go-ahead, to the go-ahead for TLS, where that has to
    be asked for."""
    vantage: int | None = None
    """Index into the run's vantages; None: all attempts come from one machine."""
    proxy_ns: int | None = None
    """From the open connection to the proxy's go-ahead, where the run goes through one."""

    sampled: bool | None = None
    """Whether it was drawn at random, before it began, to have its session ticket read; None: it
    was not, or the run draws none. Of others the ticket is read only where their chain is rare."""
    ja3s: str | None = None
    """The shape of the ServerHello, as JA3S; None: there was none."""
    tcp_options: str | None = None
    """What the other end of TCP allows, such as `MSS 1448, window scale 7, SACK, timestamps`; None:
    there was no connection, it went through a proxy, segments had to be sent again (the kernel may
    lower the MSS then), or the system does not say."""

    @property
    def before_tls_ns(self) -> int:
        """Until the ClientHello could be sent, by the target, the network and a proxy."""
        return (self.connect_ns or 0) + (self.proxy_ns or 0) + (self.starttls_ns or 0)

    @property
    def target_ns(self) -> int:
        """How much of the total the target and the network took, as far as it can be told apart."""
        if self.handshake_ns is not None:
            return min(self.total_ns, self.before_tls_ns + (self.server_ns or 0))
        # It did not get that far: all of its time but what we were late by.
        return max(0, self.total_ns - (self.started_ns - self.due_ns) - (self.lag_ns or 0))


class Flag:
    """Bits of `Record.flags`."""

    USER_SPACE_STAMP = 1
    """At least one arrival had no usable kernel stamp; the monotonic clock was used."""
    LOCAL_PRESSURE = 2
    """Our own process lagged while this attempt was in flight."""
    WARM_UP = 4
    """Started during the warm-up: recorded, but left out of latency."""


@dataclass(frozen=True, slots=True)
class RecordSource:
    """Where records come from that are not ours, and how they were read (`stress.records`)."""

    files: tuple[str, ...]
    failed: str
    """What tells a failed row, as it was given."""
    rows: int
    """Rows that were read, also those that are left out."""
    attempts: int
    """What the rows count for: as many as there are, unless a column says how many each is."""
    time: str = ""
    """The column of the time; empty: none."""
    port: str = ""
    """The column of the local port; empty: none."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Columns that are no dimension, each with the reason."""
    how: tuple[str, ...] = ()
    """How columns were understood, such as `times are Unix ms`."""


@dataclass(frozen=True, slots=True)
class RecordColumn:
    """A dimension of all rows of a `RecordTable`."""

    name: str
    """Of the dimension."""
    values: tuple[str, ...]
    """By code, from 1 on; 0 is "no value"."""
    codes: bytes
    """One byte for each row."""
    distinct: int
    """Values that the column had; those that are not in `values` are "no value" here."""


@dataclass(frozen=True, slots=True)
class RecordTable:
    """Records that are not ours, counted by distinct values, as columns: there may be millions."""

    blocks: bytes
    """Time block of each row, unsigned 16-bit integers of this machine's byte order."""
    outcomes: bytes
    """By row, an index into `names`."""
    names: tuple[str, ...]
    """Outcomes; the first is `ok`."""
    counts: bytes
    """How many attempts each row is, signed 64-bit integers; empty: each is one."""
    columns: tuple[RecordColumn, ...]
    took: RecordColumn | None = None
    """How long each good attempt took, in nanoseconds; None: no column says it."""
