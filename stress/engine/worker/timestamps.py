"""When bytes really arrived: the kernel's receive time stamps, checked against our own clocks.

A busy client that reads its own clock when it gets around to reading a socket measures its own
queue, not the server's time. Linux stamps every TCP segment on arrival (`SO_TIMESTAMPING`,
Documentation/networking/timestamping.rst) and hands the stamp of the *last* segment read along
with the data of `recvmsg`.

Three things are tricky.

* The stamps are CLOCK_REALTIME, our durations are monotonic. So both clocks are read at each send
  and each read, and a stamp is taken only if `send <= stamp <= read` in real time: a wall clock
  that was set in between drops out by itself. Then the monotonic clock is used, and counted.
* The kernel stamps only while some socket requests it, and turns that on and off a moment later,
  by a work item of its own (net/core/dev.c, net_enable_timestamp). The first answers of a process
  would have no stamps, and one connection at a time would turn it on and off with each. So a
  socket of ours (`stamping`) requests it as long as the process measures.
* Where there are no stamps (macOS, a seccomp sandbox) everything falls back to user-space time,
  which is marked by `Flag.USER_SPACE_STAMP` on each record.
"""

from __future__ import annotations

import _socket
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic_ns, time_ns
from typing import Final, TypeAlias

import trio

from stress.host.clocks import SO_TIMESTAMPING, enable_kernel_stamps

FLIGHT_BYTES = 16_384
"""Most bytes taken by one read: a certificate flight fits, a hostile peer does not fill memory."""

STAMPING_TRIES, STAMPING_PAUSE_S = 100, 0.002
"""How often, and after what pauses, a worker checks whether the kernel has begun to stamp."""

_TIMESPEC = struct.Struct("@ll")
_ANCILLARY_BYTES = socket.CMSG_SPACE(3 * _TIMESPEC.size)


WireEvent: TypeAlias = tuple[str, bytes, int | None, int, int]
"""What happened on the wire, flat, because each handshake has half a dozen: what, the bytes, the
kernel's CLOCK_REALTIME stamp of the last segment if it gave one, and our own real and monotonic
time, all in nanoseconds."""
SENT: Final = "sent"
"""Bytes of ours; none: our FIN."""
ABORTED: Final = "aborted"
"""Our RST; no bytes."""
RECEIVED: Final = "received"
"""Bytes of the server; none: its FIN."""
RESET: Final = "reset"
"""The server's RST; no bytes."""


def event(what: str, data: bytes = b"") -> WireEvent:
    """Note that something happens now, by our own clocks."""
    return what, data, None, time_ns(), monotonic_ns()


def read(sock: _socket.socket) -> WireEvent:
    """Read what has arrived.

    Raises:
        BlockingIOError: nothing has.
        OSError: the connection is broken.
    """
    data, ancillary, _, _ = sock.recvmsg(FLIGHT_BYTES, _ANCILLARY_BYTES)
    real, mono, stamp = time_ns(), monotonic_ns(), None
    for level, kind, payload in ancillary:
        if kind == SO_TIMESTAMPING and level == socket.SOL_SOCKET:
            seconds, nanoseconds = _TIMESPEC.unpack_from(payload)
            stamp = seconds * 1_000_000_000 + nanoseconds or None
            break
    return RECEIVED, data, stamp, real, mono


@asynccontextmanager
async def stamping() -> AsyncIterator[bool]:
    """Keep the kernel stamping, by a socket that is connected to itself over loopback.

    Yields whether what arrives is stamped; without loopback or stamping it is not.
    """
    works = False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        with suppress(OSError):
            sock.bind(("127.0.0.1", 0))
            sock.connect(sock.getsockname())
            tries = STAMPING_TRIES if enable_kernel_stamps(sock) else 0
            for _ in range(tries):  # the kernel begins a moment later, or never
                sock.send(b"?")
                works = read(sock)[2] is not None
                if works:
                    break
                await trio.sleep(STAMPING_PAUSE_S)
        yield works


@dataclass(slots=True)
class FlightTimer:
    """Sums the server's time and our own lag over the round trips of one connection."""

    server_ns: int = 0
    lag_ns: int = 0
    user_space: bool = False
    """True when at least one arrival had no usable stamp."""
    _sent_real: int | None = None
    _sent_mono: int = 0
    _answered_ns: int | None = None

    def sent(self, real: int, mono: int) -> None:
        """Begin a round trip with a flight of ours, and end the one before."""
        if self._answered_ns is not None:
            self.server_ns += self._answered_ns
            self._answered_ns = None
        self._sent_real, self._sent_mono = real, mono

    def arrived(self, stamp: int | None, real: int, mono: int) -> None:
        """Take the time of a part of the answer, as `read` gave it; the last part decides."""
        if self._sent_real is None:
            return
        if stamp is not None and self._sent_real <= stamp <= real:
            self._answered_ns = stamp - self._sent_real
            self.lag_ns += real - stamp
        else:
            self._answered_ns = mono - self._sent_mono
            self.user_space = True

    def end_round_trip(self) -> None:
        """Add the time of the answer, which is complete."""
        if self._answered_ns is not None:
            self.server_ns += self._answered_ns
        self._answered_ns = None
        self._sent_real = None
