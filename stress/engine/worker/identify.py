"""Asks the server for its name: one HEAD after the handshake, and one header of the answer.

The answer comes from a server that may be hostile: of its first 16 KB only the one header is read,
its value is shown escaped and cut, and a cookie is told by its name and a hash, because it may be
somebody's session.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from stress.model.plan import Plan
from stress.text.escape import printable

MOST_BYTES: Final = 16_384
"""Of an answer that are read."""
LONGEST: Final = 64
"""Characters of a value that is shown; of a longer one the beginning and a hash."""
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
