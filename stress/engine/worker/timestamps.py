"""When bytes really arrived: the kernel's receive time stamps, checked against our own clocks.

What a busy client reads from its own clock when it gets around to reading a socket is its own
queue, not the server's time. Linux stamps every TCP segment on arrival (`SO_TIMESTAMPING`,
Documentation/networking/timestamping.rst) and hands the stamp of the *last* segment read along
with the data of `recvmsg`.

Four things are tricky.

* The stamps are CLOCK_REALTIME, our durations are monotonic. So both clocks are read at each send
  and each read, and a stamp is taken only if `send <= stamp <= read` in real time: a wall clock
  that was set in between drops out by itself. Then the monotonic clock is used, and counted.
* The kernel stamps only while some socket asks for it, and turns that on and off a moment later,
  by a work item of its own (net/core/dev.c, net_enable_timestamp). The first answers of a process
  would have no stamps, and one connection at a time would turn it on and off with each. So a
  `Stamping` of ours asks as long as the process measures.
* Python 3.11 has no name for option 37, nor for its flags.
* Where there are no stamps (macOS, a seccomp sandbox) everything falls back to user-space time,
  and says so by `Flag.USER_SPACE_STAMP` on each record.
"""

from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass
from time import monotonic_ns, time_ns
from typing import NamedTuple

SO_TIMESTAMPING = 37
RX_SOFTWARE = 1 << 3
REPORT_SOFTWARE = 1 << 4
FLIGHT_BYTES = 16_384
"""Most bytes taken by one read: a certificate flight fits, a hostile peer does not fill memory."""

_TIMESPEC = struct.Struct("@ll")
_ANCILLARY_BYTES = socket.CMSG_SPACE(3 * _TIMESPEC.size)


class Moment(NamedTuple):
    """One instant on both clocks, in nanoseconds."""

    real: int
    mono: int


class Arrival(NamedTuple):
    """One read: the bytes, when they came, and how late we were."""

    data: bytes
    """Empty at end of file."""
    stamp: int | None
    """The kernel's CLOCK_REALTIME stamp of the last segment, None when it gave none."""
    read: Moment


def now() -> Moment:
    """Read both clocks."""
    return Moment(time_ns(), monotonic_ns())


def ask_for_stamps(sock: socket.socket) -> bool:
    """Ask the kernel to stamp what this socket receives; False where it cannot."""
    if sys.platform != "linux":
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, RX_SOFTWARE | REPORT_SOFTWARE)
    except OSError:
        return False
    return True


def read(sock: socket.socket) -> Arrival:
    """Read what has arrived.

    Raises:
        BlockingIOError: nothing has.
        OSError: the connection is broken.
    """
    data, ancillary, _, _ = sock.recvmsg(FLIGHT_BYTES, _ANCILLARY_BYTES)
    moment = Moment(time_ns(), monotonic_ns())
    for level, kind, payload in ancillary:
        if kind == SO_TIMESTAMPING and level == socket.SOL_SOCKET:
            seconds, nanoseconds = _TIMESPEC.unpack_from(payload)
            return Arrival(data, seconds * 1_000_000_000 + nanoseconds or None, moment)
    return Arrival(data, None, moment)


class Stamping:
    """Keeps the kernel stamping, by a socket that talks to itself over loopback."""

    def __init__(self) -> None:
        """Begin; where there is no loopback or no stamping, nothing is kept."""
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._sock.bind(("127.0.0.1", 0))
            self._sock.connect(self._sock.getsockname())
            self.asked = ask_for_stamps(self._sock)
            """Whether the kernel knows how."""
        except OSError:
            self.asked = False

    def works(self) -> bool:
        """Whether what arrives now is stamped already."""
        if not self.asked:
            return False
        try:
            self._sock.send(b"?")
            return read(self._sock).stamp is not None
        except OSError:
            return False

    def close(self) -> None:
        """Let the kernel stop."""
        self._sock.close()


@dataclass(slots=True)
class FlightTimer:
    """Sums the server's time and our own lag over the round trips of one connection."""

    server_ns: int = 0
    lag_ns: int = 0
    user_space: bool = False
    """True when at least one arrival had no usable stamp."""
    _sent: Moment | None = None
    _answered_ns: int | None = None

    def sent(self, moment: Moment) -> None:
        """A flight of ours leaves: the round trip that it answers is over, a new one begins."""
        self.turn()
        self._sent = moment

    def arrived(self, arrival: Arrival) -> None:
        """Part of an answer was read; the last part decides."""
        if self._sent is None:
            return
        stamp, read_at = arrival.stamp, arrival.read
        if stamp is not None and self._sent.real <= stamp <= read_at.real:
            self._answered_ns = stamp - self._sent.real
            self.lag_ns += read_at.real - stamp
        else:
            self._answered_ns = read_at.mono - self._sent.mono
            self.user_space = True

    def turn(self) -> None:
        """The answer was complete: add its time."""
        if self._answered_ns is not None:
            self.server_ns += self._answered_ns
        self._answered_ns = None
        self._sent = None
