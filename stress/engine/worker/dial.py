"""Opens and closes TCP connections; judges the kernel's errors (`kernel_errors.toml`).

Four things are tricky.

* Linux hands out even local ports first on `connect()` (since 4.2). A balancer that hashes the
  source port would then only use half of its buckets. So we bind ports ourselves, in a random
  order over the whole range, each worker in its own part of it.
* Over loopback the whole three-way handshake happens within `connect()`, which still says that it
  is in progress. Waiting for the event loop would put our own lag into `connect_ns`, so we call
  `connect()` once more at once.
* Sockets are of the type below `socket.socket`, which can all that we need: the layer of Python
  around it would cost 2 us a connection.
* The same errno means different things by *when* it comes. ENETUNREACH from `connect()` itself is
  our own routing table; ENETUNREACH from the socket later comes from a router on the path.
"""

from __future__ import annotations

import _socket
import errno
import os
import random
import socket
import struct
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from ipaddress import ip_address
from itertools import cycle

from stress.host.limits import local_port_range
from stress.model.outcome import Category, Outcome
from stress.model.plan import Address

PORT_TRIES = 16
"""Local ports tried before we say that we have none."""

_NONBLOCK: int = getattr(socket, "SOCK_NONBLOCK", 0)  # saves a system call where it exists
_IPV4, _IPV6, _STREAM = int(socket.AF_INET), int(socket.AF_INET6), socket.SOCK_STREAM | _NONBLOCK
_STARTED = frozenset({0, errno.EINPROGRESS})
_IN_USE = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL})
_UNDER_WAY = frozenset({errno.EALREADY, errno.EINPROGRESS})
_OPEN = frozenset({0, errno.EISCONN})  # what a second connect() returns: Linux, and the others
_LINGER_RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # struct linger {1, 0}

# The PROXY header that some nodes expect before the ClientHello (HAProxy's proxy-protocol.txt).
_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_VERSION_2_PROXY = 0x21
_TCP_OVER = {"ipv4": 0x11, "ipv6": 0x21}
Preamble = Callable[[_socket.socket, Address], bytes]
"""Makes the bytes that are sent before the ClientHello."""

_ALWAYS, _ON_THE_PATH = (
    {getattr(errno, name): Category(each) for each, names in table.items() for name in names}
    for table in tomllib.loads(
        (files("stress.engine.worker") / "kernel_errors.toml").read_text("utf-8")
    ).values()
)


class DialError(Exception):
    """The connection was not opened; carries the outcome. Caught where the attempt ends."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


def judge_errno(number: int | None, *, from_socket: bool) -> DialError:
    """Map an error of the kernel to an outcome.

    Args:
        number: as the kernel reported it.
        from_socket: True when the socket reported it later (it comes from the path), False when
            the call itself failed (it comes from our own machine).
    """
    number = number or 0
    table = _ALWAYS | _ON_THE_PATH if from_socket else _ALWAYS
    outcome = Outcome(table.get(number, Category.LOCAL_NETWORK))
    return DialError(outcome, errno.errorcode.get(number) or os.strerror(number))


@dataclass(slots=True)
class Ports:
    """Local ports in random order, over and over; each worker has its own part of the range.

    A span of one port is what a replay binds; where it is busy, the attempt fails on our side.
    """

    seed: int
    worker: int = 0
    workers: int = 1
    span: range = field(default_factory=local_port_range)
    _order: Iterator[int] = field(init=False)
    _tries: range = field(init=False)

    def __post_init__(self) -> None:
        begin, end = (len(self.span) * n // self.workers for n in (self.worker, self.worker + 1))
        ports = list(self.span[begin:end])
        self._order = in_random_order(ports, random.Random(self.seed))  # noqa: S311  # spreading load
        self._tries = range(min(PORT_TRIES, len(ports)))

    def bind(self, sock: _socket.socket, source: str) -> int:
        """Bind the socket to the next free port of our order; returns the port.

        Raises:
            OSError: no port could be bound (EADDRINUSE), or the source is not ours.
        """
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for _ in self._tries:
            port = next(self._order)
            try:
                sock.bind((source, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return port
        raise OSError(errno.EADDRINUSE, "no free local port")


def in_random_order(ports: list[int], chance: random.Random) -> Iterator[int]:
    """Yield each in random order, then all of them again, without end.

    Each is drawn when it is needed: to shuffle a whole range takes as long as 20 handshakes.
    """
    for last in range(len(ports) - 1, -1, -1):
        place = int(chance.random() * (last + 1))
        ports[last], ports[place] = ports[place], ports[last]
        yield ports[last]
    yield from cycle(reversed(ports))


def begin(address: Address, source: str | None, ports: Ports) -> tuple[_socket.socket, int, bool]:
    """Send the SYN: returns the socket, its local port, and whether it is connected already.

    A local port that turns out to be taken for this very peer is no failure: the next one is tried.

    Raises:
        DialError: the kernel or, over loopback, the target refused at once.
    """
    there, result = (address.ip, address.port), errno.EADDRNOTAVAIL
    family, anywhere = (_IPV6, "::") if address.family == "ipv6" else (_IPV4, "")
    for _ in range(PORT_TRIES):
        sock = None
        try:
            sock = _socket.socket(family, _STREAM)
            if not _NONBLOCK:
                sock.settimeout(0)
            port = ports.bind(sock, source or anywhere)
            result = sock.connect_ex(there)
        except OSError as error:
            if sock is not None:
                sock.close()
            raise judge_errno(error.errno, from_socket=False) from error
        if result in _STARTED:
            # Over loopback it is open, or refused, already.
            again = sock.connect_ex(there) if result else 0
            if again in _OPEN or again in _UNDER_WAY:
                return sock, port, again in _OPEN
            sock.close()
            raise judge_errno(again, from_socket=True)
        sock.close()
        if result not in _IN_USE:
            break
    raise judge_errno(result, from_socket=False)


def is_open(sock: _socket.socket) -> bool:
    """Return whether a connection that was begun is open by now.

    Raises:
        DialError: it was refused, reset, or the path rejected it.
    """
    number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise judge_errno(number, from_socket=True)
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def close(sock: _socket.socket, *, reset: bool) -> None:
    """Close; with `reset` by RST, so that no local port waits 60 s in TIME_WAIT."""
    if reset:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
    sock.close()


def preamble(version: str | None) -> Preamble | None:
    """Return the function that makes a PROXY header `v1` or `v2`; None: no header."""
    return {None: None, "v1": header_v1, "v2": header_v2}[version]


def header_v1(sock: _socket.socket, address: Address) -> bytes:
    """Make the line of text (section 2.1): our own end, and the target's address."""
    source, port = sock.getsockname()[:2]
    family = "TCP6" if address.family == "ipv6" else "TCP4"
    return f"PROXY {family} {source} {address.ip} {port} {address.port}\r\n".encode("ascii")


def header_v2(sock: _socket.socket, address: Address) -> bytes:
    """Make the binary header (section 2.2)."""
    source, port = sock.getsockname()[:2]
    ends = ip_address(source).packed + ip_address(address.ip).packed
    body = ends + struct.pack("!HH", port, address.port)
    kind = struct.pack("!BBH", _VERSION_2_PROXY, _TCP_OVER[address.family], len(body))
    return _SIGNATURE + kind + body
