"""Serves the figures of a running run to Prometheus (`--metrics [ADDR:]PORT`).

Threads of their own serve them and read only the latest progress. A slow or hostile reader costs
the run one of a few connections, a few kilobytes and a few seconds.

Subtle: a web page can reach a server on loopback under a name of its own (DNS rebinding), and read
the answer. So on loopback a request must be for this very address, or for `localhost`.
"""

from __future__ import annotations

import re
import socket
import socketserver
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from threading import BoundedSemaphore, Thread
from time import monotonic
from typing import Any

from stress.errors import UsageError
from stress.model.observer import Observer
from stress.model.run import Progress

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class MetricsAddress:
    """Where metrics are served."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> MetricsAddress:
        """Read `9100`, `0.0.0.0:9100` or `[::1]:9100`.

        Raises:
            UsageError: it is none of these.
        """
        head, _, tail = text.rpartition(":")
        host = head.removeprefix("[").removesuffix("]") if head else LOOPBACK
        try:
            ip_address(host)
            port = int(tail) if tail.isascii() and tail.isdigit() else -1
        except ValueError:
            port = -1
        if not 1 <= port <= 65535 or text.startswith(":"):
            raise UsageError(
                f'--metrics "{text}" is not a valid port',
                "Such as: --metrics 9100, or with an address: --metrics 0.0.0.0:9100",
            )
        return cls(host, port)


class MetricsServer(Observer):
    """Serves the latest progress until it is closed.

    Raises:
        UsageError: it cannot listen there.
    """

    def __init__(self, address: MetricsAddress, target: str) -> None:
        from stress.report.openmetrics import going_on, registry  # noqa: PLC0415 - with the library

        self._progress: Progress | None = None
        figures = registry(lambda: going_on(self._progress, target))
        try:
            self._server = _Server(address, figures)
        except OSError as error:
            raise UsageError(
                f"--metrics: cannot listen on {address.host} port {address.port}: {error.strerror}",
                "Choose another port, and an address of this machine.",
            ) from None
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def on_progress(self, progress: Progress) -> None:
        """Keep the progress for the next reader."""
        self._progress = progress

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


MOST_CONNECTIONS = 16
MOST_HEADER_BYTES = 16_384
PATIENCE_S = 5.0
"""For the whole request, and for each part of the answer."""


class _Server(socketserver.ThreadingTCPServer):
    """Answers a few connections at once, each in a thread; further ones are closed."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: MetricsAddress, figures: Any) -> None:
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self.figures = figures
        own = f"[{address.host}]" if ":" in address.host else address.host
        loopback = ip_address(address.host).is_loopback
        self.hosts = {f"{each}:{address.port}" for each in (own, "localhost") if loopback}
        """Values of the Host header that are answered; empty: any."""
        self.free = BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__((address.host, address.port), _Scrape)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a reader that goes away must not write into the terminal of the run."""


class _Scrape(socketserver.BaseRequestHandler):
    """One request; the connection is closed after the answer."""

    server: _Server

    def handle(self) -> None:
        head, end = b"", monotonic() + PATIENCE_S
        while b"\r\n\r\n" not in head:
            if len(head) > MOST_HEADER_BYTES:
                return self._answer("431 Request Header Fields Too Large")
            self.request.settimeout(max(0.001, end - monotonic()))
            chunk = self.request.recv(4_096)
            if not chunk:
                return None
            head += chunk
        lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        if not re.fullmatch(r"GET \S+ HTTP/1\.[01]", lines[0]):
            return self._answer("405 Method Not Allowed")
        fields = [line.partition(":")[::2] for line in lines[1:]]
        hosts = [value.strip().lower() for name, value in fields if name.lower() == "host"]
        if self.server.hosts and (len(hosts) != 1 or hosts[0] not in self.server.hosts):
            return self._answer("421 Misdirected Request")
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415 - only needed here

        accepted = ",".join(value for name, value in fields if name.lower() == "accept")
        encode, kind = choose_encoder(accepted)
        return self._answer("200 OK", encode(self.server.figures), kind)

    def _answer(self, status: str, body: bytes = b"", kind: str = "text/plain") -> None:
        self.request.settimeout(PATIENCE_S)
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        with suppress(OSError):
            self.request.sendall(f"{head}Connection: close\r\n\r\n".encode() + body)
