"""A real HAProxy in TCP mode before any number of nodes, and its own count of who got what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers.process import ServerProcess, free_ports

PROGRAM = "haproxy"

# The log goes to standard output, which is a file: nothing is dropped, no system logger is needed.
_MAIN = """\
global
  log stdout format raw local0
  maxconn 4000
  nbthread 1
defaults
  mode tcp
  log global
  timeout connect 10s
  timeout client 30s
  timeout server 30s
frontend front
  bind 127.0.0.1:{port} backlog 8192
  option tcplog
  default_backend nodes
backend nodes
  balance {balance}
{servers}
"""


@dataclass(frozen=True, slots=True)
class Backend:
    """A node behind the balancer."""

    name: str
    port: int
    weight: int = 100
    """0 to 256, relative to the others."""
    extra: str = ""
    """More words of its `server` line, such as `source 127.0.0.1:14820-14829`."""


class Haproxy(ServerProcess):
    """A running HAProxy; `port` is its front.

    Args:
        balance: HAProxy's keyword, such as `roundrobin` or `random`.

    Raises:
        RuntimeError: it does not start; with its output.
    """

    def __init__(
        self, backends: Sequence[Backend], folder: Path, balance: str = "roundrobin"
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (self.port,) = free_ports(1)
        self._names = [backend.name for backend in backends]
        configuration = folder / "haproxy.cfg"
        servers = "\n".join(
            f"  server {b.name} 127.0.0.1:{b.port} weight {b.weight} {b.extra}" for b in backends
        )
        configuration.write_text(_MAIN.format(port=self.port, balance=balance, servers=servers))
        super().__init__([PROGRAM, "-db", "-f", str(configuration)], folder, [self.port])
        self._knock = self.connections_once(1)

    def connections(self) -> Mapping[str, int]:
        """Connections sent to each node so far, our first knock included."""
        counts = Counter(re.findall(r" nodes/(\S+) ", self.output.read_text()))
        return {name: counts[name] for name in self._names}

    def served(self, total: int) -> Mapping[str, int]:
        """Connections sent to each node, without our first knock, once they are `total`."""
        counts = self.connections_once(total + 1)
        return {name: counts[name] - self._knock[name] for name in self._names}

    def connections_once(self, total: int) -> Mapping[str, int]:
        """The counts as soon as they add up to the total, or patience is at its end."""
        counts = self.connections()
        for _ in range(100):
            if sum(counts.values()) >= total or not self.runs(0.05):
                break
            counts = self.connections()
        return counts
