"""Serves the figures of a running run to Prometheus (`--metrics [ADDR:]PORT`).

prometheus_client serves them from a thread of its own, which reads only the latest progress: a slow
or hostile reader costs the run nothing but a socket.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

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
        from prometheus_client import start_http_server  # noqa: PLC0415 - only needed here

        from stress.report.openmetrics import going_on, registry  # noqa: PLC0415 - with the library

        self._progress: Progress | None = None
        try:
            self._server, self._thread = start_http_server(
                address.port, address.host, registry(lambda: going_on(self._progress, target))
            )
        except OSError as error:
            raise UsageError(
                f"--metrics: cannot listen on {address.host} port {address.port}: {error.strerror}",
                "Choose another port, and an address of this machine.",
            ) from None

    def on_progress(self, progress: Progress) -> None:
        """Keep the progress for the next reader."""
        self._progress = progress

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
