"""What the lab's processes are told to be: plain data, sent to them as JSON.

A farm is one or more processes; a process holds pools; a pool is one balancer with its front
addresses and the nodes behind it; a node answers with an identity unless one of its faults fires.
All times are seconds since the first connection that the process accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Policy(StrEnum):
    """How a balancer chooses a node; it has seen addresses only, not a byte."""

    ROUND_ROBIN = "round-robin"
    WEIGHTED = "weighted"
    """Smooth weighted round robin, as nginx does it: exact shares, spread evenly."""
    RANDOM = "random"
    """At random by weight, from the seed."""
    SOURCE_PORT = "source-port"
    """By a hash of the client's port: one port always meets the same node."""


class Act(StrEnum):
    """What a node does to a connection on which a fault fires."""

    ANSWER = "answer"
    """Goes on, with the fault's own identity."""
    RESET = "reset"
    """Sends RST when the ClientHello has come."""
    CLOSE = "close"
    """Sends FIN when the ClientHello has come."""
    SILENCE = "silence"
    """Sends the ServerHello, then nothing any more."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The certificates of a server and what it asks of clients."""

    files: tuple[str, ...]
    """PEM files, one for each key type: the chain as it is sent, then the private key."""
    client_ca: str | None = None
    """PEM file; when given, a client certificate from this authority is required."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time, once or again and again."""

    start_s: float
    length_s: float
    every_s: float | None = None
    """Period of repetition; None: once."""

    def holds(self, at_s: float) -> bool:
        """Whether the moment lies within."""
        since = at_s - self.start_s
        if self.every_s is not None and since >= 0:
            since %= self.every_s
        return 0 <= since < self.length_s


@dataclass(frozen=True, slots=True)
class When:
    """Which connections a fault hits: all the conditions that are given must hold."""

    share: float = 1.0
    """Chance among the connections for which everything else holds, from the seed."""
    window: Window | None = None
    best_version: int | None = None
    """The client's best TLS version as wire number (0x0303: knows no TLS 1.3)."""
    without_name: bool = False
    """Only clients that send no SNI."""
    hello_over: int | None = None
    """Only ClientHellos of more bytes than this, record header included."""
    over_per_s: float | None = None
    """Only what exceeds this many connections a second (a bucket of a quarter second)."""

    @property
    def asks_hello(self) -> bool:
        """Whether the ClientHello must be read to tell."""
        known = (self.best_version, self.hello_over)
        return self.without_name or any(value is not None for value in known)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong on a node."""

    when: When
    act: Act
    identity: Identity | None = None
    """Of an `ANSWER`."""


@dataclass(frozen=True, slots=True)
class Node:
    """A backend."""

    name: str
    identity: Identity
    weight: float = 1.0
    faults: tuple[Fault, ...] = ()
    """The first one that fires decides."""
    signing_ns: int = 0
    """How long its one signer is busy with each handshake; 0: as fast as the processor."""


@dataclass(frozen=True, slots=True)
class Front:
    """A listening socket, bound by the farm and inherited by the process."""

    ip: str
    port: int
    descriptor: int


@dataclass(frozen=True, slots=True)
class Pool:
    """A balancer and the nodes behind it."""

    fronts: tuple[Front, ...]
    policy: Policy
    nodes: tuple[Node, ...]
    seed: int = 0
    accepts_per_s: float | None = None
    """Takes no more than this many connections a second from the accept queue; None: all."""


@dataclass(frozen=True, slots=True)
class Process:
    """What one process of the farm serves."""

    pools: tuple[Pool, ...]
    scratch: str | None = None
    """The farm's temporary folder, removed at the end in case that nobody else is left to do it."""
