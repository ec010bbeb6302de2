"""Gets a certificate over http, within limits of time, size and address.

The address comes out of a stranger's certificate, so it is not followed just anywhere: only http,
only to public addresses (unless the target itself is a private one), the connection goes to the
very address that was checked, and redirects are not followed. The request is HTTP/1.0, so that the
answer is one piece; every wait is cut by the same deadline, also that for the next single byte.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from stress.host.addresses import is_public

_MOST_HEAD = 16_384
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*(?=\r\n|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Download:
    """Fetches one http address: `Download(...)(url)`. Blocks; call it in a thread.

    Raises:
        OSError: while calling: another scheme, a forbidden address, too slow, too large, no 200.
    """

    clock: Callable[[], float]
    """Monotonic seconds."""
    timeout_s: float = 3.0
    """For all of it; Apple waits as long (TrustURLSessionDelegate.m)."""
    most_bytes: int = 65_536
    """Largest body; Chrome's limit (cert_issuer_source_aia.cc)."""
    private_too: bool = False
    """Loopback and private addresses are allowed, because the target is one."""

    def __call__(self, url: str) -> bytes:
        until = self.clock() + self.timeout_s
        try:
            parts = urlsplit(url)
            port = parts.port or 80
        except ValueError as error:
            raise OSError("the address cannot be read") from error
        clean = url.isascii() and url.isprintable() and " " not in url
        if not clean or parts.scheme != "http" or not parts.hostname:
            raise OSError("only http addresses are fetched")
        address = self._address(parts.hostname, port)
        with socket.create_connection((address, port), timeout=self._left(until)) as connection:
            connection.sendall(_request(parts))
            return self._body(self._answer(connection, until))

    def _answer(self, connection: socket.socket, until: float) -> bytes:
        """Head and body, up to the end or the length that the head announces."""
        answer = bytearray()
        while not _complete(bytes(answer)):
            connection.settimeout(self._left(until))
            chunk = connection.recv(16_384)
            if not chunk:
                break
            answer += chunk
            if len(answer) > self.most_bytes + _MOST_HEAD:
                raise OSError(f"more than {self.most_bytes} bytes")
        return bytes(answer)

    def _body(self, answer: bytes) -> bytes:
        head, end, body = answer.partition(b"\r\n\r\n")
        status = re.match(rb"HTTP/1\.[01] (\d{3})", head)
        if status is None or not end:
            raise OSError("the answer is no http")
        if status[1] != b"200":
            raise OSError(f"answered {status[1].decode()}")
        if len(body) > self.most_bytes:
            raise OSError(f"more than {self.most_bytes} bytes")
        return body

    def _left(self, until: float) -> float:
        left = until - self.clock()
        if left <= 0:
            raise TimeoutError(f"took longer than {self.timeout_s:g} s")
        return left

    def _address(self, host: str, port: int) -> str:
        """The first address of the host, when it is allowed."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError as error:  # a label that is empty or too long
            raise OSError("the host is no name") from error
        address = str(found[0][4][0])
        if not self.private_too and not is_public(address.partition("%")[0]):
            raise OSError(f"{address} is no public address")
        return address


def _request(parts: SplitResult) -> bytes:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return f"GET {path} HTTP/1.0\r\nHost: {parts.hostname}\r\nAccept: */*\r\n\r\n".encode("ascii")


def _complete(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return bool(end) and length is not None and len(body) >= int(length[1])
