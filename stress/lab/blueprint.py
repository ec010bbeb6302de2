"""The data that the farm and its processes exchange: one JSON document per line, over pipes.

A scenario is written in the same terms (`scenarios.toml`).

The farm sends the `Process` first and then requests for counts. The process answers each with
`NodeCounts`, and sends one more when it is ready. When its input closes, the farm has ended or was
killed, and the process exits.

A farm is one or more processes; a process holds pools; a pool is one balancer with its front
addresses and the nodes behind it; a node answers with an identity unless one of its faults fires.
All times are seconds since the first connection that the process accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from stress.model.plan import Address, StartTls

COUNT_REQUEST = b"count\n"


class Balancing(StrEnum):
    """How a balancer chooses a node; it sees addresses, never payload."""

    ROUND_ROBIN = "round-robin"
    RANDOM = "random"
    """At random by weight, from the seed."""
    SOURCE_PORT = "source-port"
    """By a hash of the client's port: one port always reaches the same node."""
    PORT_RANGE = "port-range"
    """By the client's port: each node has a contiguous part of all ports."""


class Tickets(StrEnum):
    """The session tickets of the nodes of a pool."""

    OWN = "own"
    """Each node seals them with a key of its own."""
    SHARED = "shared"
    """All nodes have one key."""
    CACHE = "cache"
    """None; each node remembers its own sessions instead."""
    NAMELESS = "nameless"
    """The same in TLS 1.3 alone: what a node sends begins with no name of a key, as Go's tickets
    do, and is good at that node only."""
    NONE = "none"
    """None, and no session cache: nothing can be resumed."""


class FaultAction(StrEnum):
    """What a node does to a connection on which a fault fires."""

    ANSWER = "answer"
    """Completes the handshake with the fault's own identity."""
    RESET = "reset"
    """Sends RST after the ClientHello."""
    SILENCE = "silence"
    """Sends the ServerHello, then nothing more."""
    BLOCK = "block"
    """Stops the event loop for a moment, as a blocking call in it does, then answers."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The certificates of a server, and whether it requires one of clients."""

    files: tuple[str, ...] = ("good.pem",)
    """PEM files, one for each key type: the chain as it is sent, then the private key."""
    client_ca: str | None = None
    """PEM file; when given, a client certificate from this authority is required."""
    alpn: bool = True
    """Whether HTTP/1.1 can be agreed on."""


@dataclass(frozen=True, slots=True)
class Window:
    """A period of time, once or repeated."""

    start_s: float
    length_s: float
    every_s: float | None = None
    """Period of repetition; None: once."""

    def holds(self, at_s: float) -> bool:
        """Whether this time is in the window."""
        since = at_s - self.start_s
        if self.every_s is not None and since >= 0:
            since %= self.every_s
        return 0 <= since < self.length_s


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong on a node: on connections for which all set conditions hold."""

    action: FaultAction = FaultAction.ANSWER
    identity: Identity | None = None
    """Of an `ANSWER`; None: the node's own."""
    share: float = 1.0
    """Probability among the connections for which everything else holds, from the seed."""
    window: Window | None = None
    best_version: int | None = None
    """The client's best TLS version as wire number (0x0303: knows no TLS 1.3)."""
    without_name: bool = False
    """Only clients that send no SNI."""
    hello_over: int | None = None
    """Only ClientHellos of more bytes than this, record header included."""
    over_per_s: float | None = None
    """Only what exceeds this many connections a second (a token bucket of a quarter second)."""
    after: int = 0
    """Only connections that come after so many others."""

    @property
    def needs_hello(self) -> bool:
        """Whether the ClientHello must be read to decide."""
        return self.without_name or (self.best_version, self.hello_over) != (None, None)


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A backend, or as many as `number` says, which differ only in the number after the name."""

    name: str = "node"
    identity: Identity = Identity()
    weight: float = 1.0
    faults: tuple[Fault, ...] = ()
    """The first one that fires decides."""
    starttls: StartTls | None = None
    """The protocol in which clients ask it for TLS (`node.py`); None: TLS comes first."""
    signing_ns: int = 0
    """How long its one signer needs for each handshake; 0: as fast as the CPU."""
    number: int = 1

    @property
    def files(self) -> tuple[str, ...]:
        """The PEM files of all its identities."""
        others = (fault.identity for fault in self.faults if fault.identity)
        return tuple(file for one in (self.identity, *others) for file in one.files)


@dataclass(frozen=True, slots=True)
class Front:
    """Where clients connect: a socket that the farm binds and the process inherits."""

    ip: str = "127.0.0.1"
    backlog: int = 4_096
    port: int = 0
    """0: not bound yet."""
    descriptor: int = -1

    @property
    def address(self) -> Address:
        """Where clients connect."""
        return Address(self.ip, self.port)


LOOPBACK = Front()


@dataclass(frozen=True, slots=True)
class Pool:
    """A balancer and the nodes behind it."""

    nodes: tuple[NodeSpec, ...]
    front: Front = LOOPBACK
    policy: Balancing = Balancing.RANDOM
    seed: int = 0
    tickets: Tickets = Tickets.OWN
    pace: float = 1.0
    """Factor on the windows of faults."""
    accepts_per_s: float | None = None
    """Takes no more than this many connections a second from the accept queue; None: all."""

    @property
    def numbered(self) -> tuple[NodeSpec, ...]:
        """Each node by itself, such as `node-01`."""
        each = (node for node in self.nodes for _ in range(node.number))
        return tuple(
            replace(node, name=f"{node.name}-{index:02}", number=1)
            for index, node in enumerate(each, 1)
        )


@dataclass(frozen=True, slots=True)
class Process:
    """What one process of the farm serves."""

    pools: tuple[Pool, ...]
    folder: str = "."
    """Where its files are."""
    temporary: bool = False
    """The folder is removed at the end, in case the farm has died."""
    log: str | None = None
    """File to which the balancer appends a line for each connection that has ended."""


@dataclass(frozen=True, slots=True)
class NodeCounts:
    """Connections of the nodes of one process so far."""

    served: Mapping[str, int]
    """Connections by node."""
    faulted: Mapping[str, int]
    """Connections on which a planted fault fired, by node."""
    first_ns: int | None
    """Unix time of the first connection, nanoseconds; None: none yet."""


def to_line(message: Process | NodeCounts) -> bytes:
    """Encode a message, newline included; `msgspec.json.decode` reads it."""
    return msgspec.json.encode(message) + b"\n"
