"""This machine's clocks: reading both at once, steps of the wall clock, the kernel's stamps.

Durations are measured on the monotonic clock, points in time on the wall clock. Handshake, trust
and analysis never import this module: time is passed in to them.
"""

from __future__ import annotations

import _socket
import socket
import sys
from time import monotonic_ns, time_ns
from typing import NamedTuple

SO_TIMESTAMPING = 37
"""Python has no name for this option, nor for its flags (linux/net_tstamp.h)."""
_RX_SOFTWARE = 1 << 3
_REPORT_SOFTWARE = 1 << 4
STEP_NS = 50_000_000
"""A step of the wall clock against the monotonic one that no slewing makes between two samples."""


class Moment(NamedTuple):
    """One instant on both clocks, in nanoseconds."""

    real: int
    mono: int


def now() -> Moment:
    """Read both clocks."""
    return Moment(time_ns(), monotonic_ns())


class ClockSteps:
    """Detects that the wall clock was set, by comparing it with the monotonic one."""

    def __init__(self) -> None:
        self._offset_ns: int | None = None
        self.largest_ns = 0
        """The largest step so far; 0: none. Above 0: the wall clock went forward."""

    def sample(self, moment: Moment) -> None:
        """Compare with the previous sample."""
        offset_ns = moment.real - moment.mono
        if self._offset_ns is not None:
            step_ns = offset_ns - self._offset_ns
            if abs(step_ns) > max(STEP_NS, abs(self.largest_ns)):
                self.largest_ns = step_ns
        self._offset_ns = offset_ns


def enable_kernel_stamps(sock: _socket.socket) -> bool:
    """Have the kernel stamp what this socket receives; False where it cannot."""
    if sys.platform != "linux":
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, _RX_SOFTWARE | _REPORT_SOFTWARE)
    except OSError:
        return False
    return True
