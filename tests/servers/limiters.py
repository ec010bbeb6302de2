"""Real limiters in front of a TLS server, each with its own count of what it let through."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from tests.servers.certificates import Certificates
from tests.servers.haproxy import PROGRAM as HAPROXY
from tests.servers.nginx import PROGRAM as NGINX
from tests.servers.nginx import Nginx, Node
from tests.servers.process import ServerProcess, free_ports

STREAM = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
"""Where Debian's nginx has its `limit_conn` for connections; its `limit_req` counts requests, of
which a test of handshakes sends none."""
_HAPROXY = """\
global
  maxconn 4000
  nbthread 1
  stats socket {folder}/stats mode 600
defaults
  mode http
  timeout connect 10s
  timeout client 30s
  timeout server 30s
frontend front
  bind 127.0.0.1:{port} backlog 8192 ssl crt {folder}/both.pem
  {rules}
  http-request return status 200
"""
_STICK_TABLE = """\
stick-table type ip size 1k expire 10s store conn_rate(1s)
  tcp-request connection track-sc0 src
  tcp-request connection reject if {{ sc0_conn_rate gt {most:.0f} }}"""
_NGINX = """\
load_module {stream};
daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
stream {{
  log_format one '$status $session_time';
  access_log {folder}/access.log one;
  limit_conn_zone $binary_remote_addr zone=one:1m;
  server {{
    listen 127.0.0.1:{port} backlog=8192;
    limit_conn one {most:.0f};
    proxy_pass 127.0.0.1:{behind};
  }}
}}
"""
_NFT = """\
table inet limiter {{
  counter through {{ }}
  chain input {{
    type filter hook input priority 0;
    tcp dport {port} ct state new limit rate over {most:.0f}/second burst {burst:.0f} packets \
reject with tcp reset
    tcp dport {port} ct state new counter name through
  }}
}}
"""


class Limiter(Protocol):
    """A running limiter."""

    port: int

    def through(self) -> int:
        """Connections that it let through so far, by its own count."""

    def most_a_second(self) -> float:
        """What it lets through a second: what it is set to, or what follows from its own log."""

    def close(self) -> None: ...


class HaproxyLimiter(ServerProcess):
    """HAProxy with a limit on new connections: refused by a table of rates, or made to wait."""

    def __init__(
        self, certificates: Certificates, folder: Path, most: float, *, waits: bool = False
    ) -> None:
        (self.port,) = free_ports(1)
        self._most, self._socket = most, folder / "stats"
        both = certificates.full.read_text() + certificates.key.read_text()
        (folder / "both.pem").write_text(both)
        rules = f"rate-limit sessions {most:.0f}" if waits else _STICK_TABLE.format(most=most)
        configuration = folder / "haproxy.cfg"
        configuration.write_text(_HAPROXY.format(folder=folder, port=self.port, rules=rules))
        program = shutil.which(HAPROXY) or HAPROXY
        super().__init__([program, "-db", "-f", str(configuration)], folder, [self.port])
        self._knocks = self._counted()

    def through(self) -> int:
        """Its connections without those that it denied, by its statistics."""
        return self._counted() - self._knocks

    def most_a_second(self) -> float:
        return self._most

    def _counted(self) -> int:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self._socket))
            asking.sendall(b"show stat\n")
            lines = asking.makefile().read().lstrip("# ").splitlines()
        names, front = (line.split(",") for line in lines[:2])
        figures: Mapping[str, str] = dict(zip(names, front, strict=False))
        return int(figures["conn_tot"]) - int(figures["dcon"] or 0)


class NginxLimiter:
    """nginx with a limit on open connections (`limit_conn`), before one that speaks TLS."""

    def __init__(self, certificates: Certificates, folder: Path, most: float) -> None:
        self._tls = Nginx([Node("tls", certificates.full, certificates.key)], folder / "tls")
        (self.port,) = free_ports(1)
        self._most = most
        self._log = folder / "access.log"
        configuration = folder / "nginx.conf"
        configuration.write_text(
            _NGINX.format(
                stream=STREAM,
                folder=folder,
                port=self.port,
                most=most,
                behind=self._tls.ports["tls"],
            )
        )
        command = [NGINX, "-c", str(configuration), "-p", str(folder), "-e", "stderr"]
        self._limiter = ServerProcess(command, folder, [self.port])
        for _ in range(100):  # the session of our knock is logged once it has ended
            if self.through() or not self._limiter.runs(0.05):
                break

    def through(self) -> int:
        """Its sessions that ended well, by its access log."""
        return len(self._sessions())

    def most_a_second(self) -> float:
        """So many at once, each for as long as its sessions lasted on average (Little's law)."""
        sessions = self._sessions()
        return self._most * len(sessions) / sum(sessions)

    def _sessions(self) -> list[float]:
        """How long each that ended well lasted, in seconds."""
        lines = re.findall(r"^200 (\S+)$", self._log.read_text(), re.MULTILINE)
        return [float(seconds) for seconds in lines]

    def close(self) -> None:
        self._limiter.close()
        self._tls.close()


class PacketFilter:
    """An nftables rule that resets new connections above a rate; needs a network of its own."""

    def __init__(self, certificates: Certificates, folder: Path, most: float) -> None:
        self._tls = Nginx([Node("tls", certificates.full, certificates.key)], folder / "tls")
        self.port, self._most = self._tls.ports["tls"], most
        rules = _NFT.format(port=self.port, most=most, burst=most / 10)
        subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)

    def through(self) -> int:
        """What its counter says."""
        answer = subprocess.run(
            ["nft", "-j", "list", "counters"], check=True, capture_output=True, text=True
        )
        return sum(
            int(one["counter"]["packets"])
            for one in json.loads(answer.stdout)["nftables"]
            if "counter" in one
        )

    def most_a_second(self) -> float:
        return self._most

    def close(self) -> None:
        subprocess.run(["nft", "delete", "table", "inet", "limiter"], check=True)
        self._tls.close()
