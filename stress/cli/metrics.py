"""`--metrics [ADDR:]PORT`: the figures of a run that goes on, for Prometheus.

Served from a thread of its own by prometheus_client; it reads the last word the engine gave and
nothing else, so a slow or hostile reader costs the run nothing but a socket.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated

from stress.cli.options import option_of
from stress.errors import UsageError
from stress.model.run import Progress

if TYPE_CHECKING:
    from prometheus_client.core import Metric

LOOPBACK = "127.0.0.1"
MetricsOption = Annotated[str | None, option_of("metrics")]


@dataclass(frozen=True, slots=True)
class Place:
    """Where metrics are served."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Place:
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
                f'--metrics "{text}" is no port',
                "Such as: --metrics 9100, or with an address: --metrics 0.0.0.0:9100",
            )
        return cls(host, port)


class MetricsServer:
    """Serves what it was last told, from `MetricsServer(...)` to `close`.

    Raises:
        UsageError: the port cannot be had.
    """

    def __init__(self, place: Place, target: str) -> None:
        from prometheus_client import start_http_server  # noqa: PLC0415 - only needed here

        from stress.report.openmetrics import registry  # noqa: PLC0415 - with the library

        self._target = target
        self._progress: Progress | None = None
        try:
            self._server, self._thread = start_http_server(
                place.port, place.host, registry(self._families)
            )
        except OSError as error:
            raise UsageError(
                f"--metrics: cannot listen at {place.host} port {place.port}: {error.strerror}",
                "Choose another port; of an address this machine has.",
            ) from None

    def __call__(self, progress: Progress) -> None:
        """Keep what the engine says."""
        self._progress = progress

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _families(self) -> Iterator[Metric]:
        from stress.report.openmetrics import going_on  # noqa: PLC0415 - with the library

        return going_on(self._progress, self._target)
