"""A real HAProxy that ends TLS itself, with one front for each way of listening."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers.certificates import Certificates
from tests.servers.process import ServerProcess, free_ports

PROGRAM = "haproxy"

_MAIN = """\
global
  log stdout format raw local0
  maxconn 2000
  nbthread 1
defaults
  mode http
  log global
  timeout connect 10s
  timeout client 30s
  timeout server 30s
  log-format "connection %f %ci %cp"
  error-log-format "connection %f %ci %cp"
"""
_FRONT = """\
frontend {name}
  bind 127.0.0.1:{port} ssl crt {pem} {options}
  http-request return status 200
"""


class Terminator(ServerProcess):
    """A running HAProxy; `ports` are its fronts.

    Args:
        fronts: name -> options of its `bind`: `accept-proxy`, or `verify required ca-file FILE`.

    Raises:
        RuntimeError: it does not start; with its output.
    """

    def __init__(
        self, fronts: Mapping[str, Sequence[str]], certificates: Certificates, folder: Path
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        pem = folder / "chain-and-key.pem"
        pem.write_bytes(certificates.full.read_bytes() + certificates.key.read_bytes())
        self.ports = dict(zip(fronts, free_ports(len(fronts)), strict=True))
        configuration = folder / "haproxy.cfg"
        blocks = (
            _FRONT.format(name=name, port=self.ports[name], pem=pem, options=" ".join(words))
            for name, words in fronts.items()
        )
        configuration.write_text(_MAIN + "".join(blocks))
        super().__init__([PROGRAM, "-db", "-f", str(configuration)], folder, self.ports.values())

    def clients(self, front: str, total: int) -> list[tuple[str, int]]:
        """Address and port of each client, as HAProxy believes, once there are so many."""
        found: list[tuple[str, int]] = []
        for _ in range(100):
            words = (line.split() for line in self.output.read_text().splitlines())
            lines = [word for word in words if word[:2] == ["connection", front] and len(word) == 4]
            found = [(word[2], int(word[3])) for word in lines]
            if len(found) >= total or not self.runs(0.05):
                break
        return found
