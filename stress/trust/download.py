"""Fetches a certificate by HTTP, within limits of time, size and address.

The URL comes from a stranger's certificate, so it is not followed just anywhere: only http, only
public addresses (unless the target itself has a private one), the connection goes to the very
address that was checked, and redirects are not followed. The request is HTTP/1.0, so the response
is one piece. One deadline covers everything, also the wait for the next single byte.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from stress.host.addresses import is_public

_MOST_HEAD = 16_384
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*(?=\r\n|$)", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


@dataclass(frozen=True, slots=True)
class Download:
    """Fetches one http URL: `Download(...)(url)`. Blocks; call it in a thread.

    Raises:
        OSError: when called: another scheme, a forbidden address, too slow, too large, not 200.
    """

    clock: Callable[[], float]
    """Monotonic seconds."""
    timeout_s: float = 3.0
    """For everything together; as long as Apple waits (TrustURLSessionDelegate.m)."""
    most_bytes: int = 65_536
    """Largest body; Chrome's limit (cert_issuer_source_aia.cc)."""
    private_too: bool = False
    """Loopback and private addresses are allowed, because the target has one."""

    def __call__(self, url: str) -> bytes:
        until = self.clock() + self.timeout_s
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or 80
        except ValueError as error:
            raise OSError("the URL cannot be parsed") from error
        clean = url.isascii() and url.isprintable() and " " not in url
        if not clean or parts.scheme != "http" or not host:
            raise OSError("only http URLs are fetched")
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError as error:  # a label that is empty or too long
            raise OSError("the host is not a valid name") from error
        address = str(found[0][4][0])
        if not self.private_too and not is_public(address.partition("%")[0]):
            raise OSError(f"{address} is not a public address")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = f"GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept: */*\r\n\r\n"
        with socket.create_connection((address, port), timeout=self._left(until)) as connection:
            connection.sendall(request.encode("ascii"))
            return self._receive(connection, until)

    def _receive(self, connection: socket.socket, until: float) -> bytes:
        """The body: up to the length that the head announces, else up to the end."""
        answer, chunk = b"", b"\0"
        while chunk:
            head, complete, body = answer.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if complete and length is not None and len(body) >= int(length[1]):
                break
            if len(answer) > self.most_bytes + _MOST_HEAD:
                raise OSError(f"more than {self.most_bytes} bytes")
            connection.settimeout(self._left(until))
            chunk = connection.recv(16_384)
            answer += chunk
        status = _STATUS.match(head)
        if status is None or not complete:
            raise OSError("the response is not HTTP")
        if status[1] != b"200":
            raise OSError(f"HTTP status {status[1].decode()}")
        if len(body) > self.most_bytes:
            raise OSError(f"more than {self.most_bytes} bytes")
        return body

    def _left(self, until: float) -> float:
        left = until - self.clock()
        if left <= 0:
            raise TimeoutError(f"took longer than {self.timeout_s:g} s")
        return left
