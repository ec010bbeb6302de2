"""Real proxies of the distribution, each started on loopback: by CONNECT and by SOCKS 5."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from stress.model.plan import ProxyScheme
from tests.servers.process import ServerProcess, free_ports

Command = Callable[[Path, int, bool], list[str]]
USER, PASSWORD = "jane", "s3cret"


def tinyproxy(folder: Path, port: int, login: bool) -> list[str]:
    """CONNECT, by Tinyproxy."""
    basic = f"BasicAuth {USER} {PASSWORD}" if login else ""
    own = folder / "tinyproxy.conf"
    own.write_text(f"Listen 127.0.0.1\nPort {port}\nMaxClients 200\nTimeout 60\n{basic}\n")
    return ["tinyproxy", "-d", "-c", str(own)]


def squid(folder: Path, port: int, _: bool) -> list[str]:
    """CONNECT, by Squid; it lets through to high ports only, and says what failed."""
    folder.chmod(0o777)
    own = folder / "squid.conf"
    own.write_text(
        f"""http_port 127.0.0.1:{port}
acl high port 1024-65535
http_access allow high
http_access deny all
cache deny all
pid_filename {folder}/pid
cache_log {folder}/cache.log
access_log none
coredump_dir {folder}
shutdown_lifetime 0 seconds
netdb_filename none
"""
    )
    return ["squid", "-N", "-f", str(own)]


def microsocks(_: Path, port: int, login: bool) -> list[str]:
    """SOCKS 5, by microsocks."""
    words = ["-u", USER, "-P", PASSWORD] if login else []
    return ["microsocks", "-i", "127.0.0.1", "-p", str(port), *words]


def dante(folder: Path, port: int, _: bool) -> list[str]:
    """SOCKS 5, by Dante, which has rules."""
    own = folder / "danted.conf"
    own.write_text(
        f"""logoutput: stderr
internal: 127.0.0.1 port = {port}
external: lo
socksmethod: none
clientmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks block {{ from: 0.0.0.0/0 to: 127.0.0.0/8 port = 9 }}
socks pass {{ from: 127.0.0.0/8 to: 127.0.0.0/8 }}
"""
    )
    return ["danted", "-f", str(own)]


PROXIES: dict[str, tuple[ProxyScheme, Command]] = {
    "tinyproxy": (ProxyScheme.HTTP, tinyproxy),
    "squid": (ProxyScheme.HTTP, squid),
    "microsocks": (ProxyScheme.SOCKS5, microsocks),
    "danted": (ProxyScheme.SOCKS5, dante),
}
"""The program that has to be on the path, how it is asked, and what makes its command."""


def start_proxy(name: str, folder: Path, *, login: bool = False) -> tuple[ServerProcess, str]:
    """Start a real proxy; returns its URL, too."""
    folder.mkdir()
    folder.chmod(0o755)
    (port,) = free_ports(1)
    scheme, command = PROXIES[name]
    words = command(folder, port, login)
    words[0] = shutil.which(words[0], path="/usr/bin:/usr/sbin:/usr/local/bin") or words[0]
    return ServerProcess(words, folder, [port]), f"{scheme}://127.0.0.1:{port}"
