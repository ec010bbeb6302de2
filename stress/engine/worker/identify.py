"""By what a server is told from others: a header that it is asked for, and what it shows unasked.

* One HEAD after the handshake, and one header of the answer. The server may be hostile: of its
  first 16 KB only the one header is read, its value is shown escaped and cut, and a cookie is told
  by its name and a hash, because it may be somebody's session.
* Signals: the shape of its ServerHello, and the TCP options of its end, which are there without a
  finished handshake. They suggest a server, and are no name: alike servers have the same.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from stress.handshake.hello import ja3s
from stress.model.plan import Plan
from stress.text.escape import printable

MOST_BYTES: Final = 16_384
"""Of an answer that are read."""
LONGEST: Final = 64
"""Characters of a value that is shown; of a longer one the beginning and a hash."""
ETHERNET_MSS = 1_460
"""Of IPv4 in frames of 1,500 octets (RFC 9293 section 3.7.1)."""
MOST_SIGNALS: Final = 64
"""Different values of a signal that a worker tells apart; a hostile server could send a new one on
each connection, and each would be stored."""
_OPTIONS: Final = ((2, "SACK"), (1, "timestamps"))
"""Bits of `tcpi_options` (linux/tcp.h); those of ECN are left out, because a path may clear them,
and the window scale stands for its own."""
_WINDOW_SCALE: Final = 4
_LITTLE: Final = sys.byteorder == "little"
_COOKIE: Final = b"set-cookie"
_END: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class HeaderQuestion:
    """What is asked on each connection."""

    header: bytes
    """Name, in lower case."""
    request: bytes

    @classmethod
    def of(cls, plan: Plan) -> HeaderQuestion | None:
        """Return the question of a plan; None: it asks nothing."""
        if plan.identify is None:
            return None
        host, port = plan.server_name or plan.target.host, plan.target.port
        # A plan may come from a stranger's run file.
        host = host if host.isascii() and host.isprintable() and " " not in host else ""
        host = f"[{host}]" if ":" in host else host
        at = host if port == 443 else f"{host}:{port}"
        request = (
            f"HEAD / HTTP/1.1\r\nHost: {at}\r\nUser-Agent: tls-stress\r\nAccept: */*\r\n"
            "Connection: close\r\n\r\n"
        )
        header = plan.identify.removeprefix("header:").lower()
        return cls(header.encode("ascii", "replace"), request.encode("ascii"))

    @staticmethod
    def is_answered(answer: bytearray) -> bool:
        """Whether all headers are there, or more than are read."""
        return _END in answer or len(answer) >= MOST_BYTES

    def name_in(self, answer: bytes) -> str | None:
        """The value of the header, as it may be shown; None: it is not there, or empty."""
        head, end, _ = answer[:MOST_BYTES].partition(_END)
        if not end:  # the last line may be cut off
            head = head.rpartition(b"\r\n")[0]
        if not head.startswith(b"HTTP/"):
            return None
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            value = value.strip()
            if name.strip().lower() != self.header or not value:
                continue
            if self.header == _COOKIE:  # it may be a session: only its name is shown
                cookie, _, rest = value.partition(b"=")
                return f"{_text(cookie)}=#{_digest(rest.partition(b';')[0])}"
            shown = _text(value)
            return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 10]}#{_digest(value)}"
        return None


def _digest(value: bytes) -> str:
    return sha256(value).hexdigest()[:8]


def _text(value: bytes) -> str:
    return printable(value.decode("ascii", "backslashreplace"))


@dataclass(slots=True)
class Signals:
    """Words what connections show of the other end; equal values are one text."""

    _shapes: dict[tuple[int, ...], str] = field(default_factory=dict)
    _ends: dict[tuple[int, int, int], str] = field(default_factory=dict)

    def server_hello(self, shape: tuple[int, ...]) -> str | None:
        """JA3S of a ServerHello; None: there was none, or too many were different."""
        known = self._shapes.get(shape)
        if known is None and shape and len(self._shapes) < MOST_SIGNALS:
            known = self._shapes[shape] = ja3s(shape)
        return known

    def tcp(self, options: int, scales: int, mss: int) -> str | None:
        """The TCP options of the other end, as Linux has them; None: too many were different.

        Args:
            options: `tcpi_options` of struct tcp_info (linux/tcp.h).
            scales: the octet behind it, two window scales of four bits each.
            mss: `tcpi_snd_mss`: octets of data in a segment, at most so many as the other end and
                the path allow, less the option of time stamps. Linux keeps it within half of the
                largest window that was announced so far, which on loopback grows with the
                handshake: so those above `ETHERNET_MSS` are not told apart.
        """
        end = options, scales, min(mss, ETHERNET_MSS + 1)
        known = self._ends.get(end)
        if known is None and len(self._ends) < MOST_SIGNALS:
            scale = scales & 15 if _LITTLE else scales >> 4  # a bit field: its order is the CPU's
            words = [f"MSS {mss}" if mss <= ETHERNET_MSS else f"MSS over {ETHERNET_MSS}"]
            words += [f"window scale {scale}"] if options & _WINDOW_SCALE else []
            words += [name for bit, name in _OPTIONS if options & bit]
            known = self._ends[end] = ", ".join(words)
        return known
