"""A real nginx with any number of nodes, and what its own logs say it served.

A load tester of handshakes sends no request, so nginx's access log stays empty. Its error log at
level `info` has one line for each connection that ends without a request: "while waiting for
request" when the handshake was finished, "while SSL handshaking" when not. Each node has a log of
its own, so lines are the truth per node.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers.process import ServerProcess, free_ports

PROGRAM = "nginx"
_CONNECTION = re.compile(r"^.* \[\w+\] \d+#\d+: \*(\d+) .*, client: ", re.MULTILINE)

_MAIN = """\
daemon off;
master_process {master};
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections {connections}; multi_accept on; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_header_timeout 60s;
  ssl_session_cache off;
{nodes}
}}
"""
_NODE = """\
  server {{
    listen 127.0.0.1:{port} {listen} backlog=8192;
    error_log {log} {level};
    ssl_certificate {chain};
    ssl_certificate_key {key};
    {protocols}
    {extra}
    location / {{ return 200 "ok"; }}
  }}"""


@dataclass(frozen=True, slots=True)
class Node:
    """One server block: a port of its own, with its own chain."""

    name: str
    chain: Path
    key: Path
    protocols: Sequence[str] = ("TLSv1.2", "TLSv1.3")
    extra: str = ""
    """More directives, such as `ssl_verify_client on;`."""
    listen: str = "ssl"
    """Words of its `listen`, such as `ssl proxy_protocol`."""
    logged: bool = True
    """False keeps the log quiet, where a benchmark would pay for it."""


class Nginx(ServerProcess):
    """A running nginx, one process, one port for each node.

    Args:
        nodes: its server blocks.
        folder: where its files go.
        connections: how many it can have open, those that listen included.
        master: a master process with one worker, which can reload (SIGHUP); else one process.

    Raises:
        RuntimeError: it does not start; with its output.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        folder: Path,
        connections: int = 16_384,
        *,
        master: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ports = dict(zip((n.name for n in nodes), free_ports(len(nodes)), strict=True))
        self._folder, self._connections, self._master = folder, connections, master
        configuration = folder / "nginx.conf"
        configuration.write_text(self._configure(nodes))
        command = [PROGRAM, "-c", str(configuration), "-p", str(folder), "-e", "stderr"]
        super().__init__(command, folder, self.ports.values())

    def connections(self) -> dict[str, int]:
        """Connections each node has seen the end of, by its own log (without our first knock)."""
        return {name: self._lines(name) - 1 for name in self.ports}

    def connections_once(self, total: int) -> dict[str, int]:
        """The same, as soon as they add up to at least the total, or patience is at its end."""
        counts = self.connections()
        for _ in range(100):
            if sum(counts.values()) >= total or not self.runs(0.05):
                break
            counts = self.connections()
        return counts

    def _configure(self, nodes: Sequence[Node]) -> str:
        blocks = (
            _NODE.format(
                port=self.ports[node.name],
                listen=node.listen,
                log=self._log(node.name),
                level="info" if node.logged else "crit",
                chain=node.chain,
                key=node.key,
                # nginx adds up what it reads in two lines of `ssl_protocols`.
                protocols=""
                if "ssl_protocols" in node.extra
                else f"ssl_protocols {' '.join(node.protocols)};",
                extra=node.extra,
            )
            for node in nodes
        )
        return _MAIN.format(
            folder=self._folder,
            connections=self._connections,
            master="on" if self._master else "off",
            nodes="\n".join(blocks),
        )

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _lines(self, name: str) -> int:
        return len(set(_CONNECTION.findall(self._log(name).read_text())))
