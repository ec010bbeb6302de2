"""Hosts for tests: network namespaces with an address and a real `sshd` each, and one for us.

All of them hang on a bridge that is in our namespace, `home`, with an nginx that logs every
connection. Nothing of this machine's own network is touched. Their clocks are set apart by
`faketime`, which the sessions of `sshd` get by their environment.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.servers.certificates import HOST, Certificates
from tests.servers.process import ServerProcess

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("sshd", "ssh-keygen", "ip", "nginx", "faketime")
OURS, OTHER = "10.77.0.1", "10.77.0.2"
"""Two addresses of the target."""
_FAKETIME = "/usr/lib/*/faketime/libfaketimeMT.so.1"
_SSHD = """\
ListenAddress {address}:22
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
SetEnv {environment}
"""
_SSH = """\
Host *
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
"""
_NGINX = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{ worker_connections 16384; multi_accept on; }}
error_log {folder}/nginx.log info;
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_header_timeout 60s;
  ssl_session_cache off;
  geo $chain {{
    default {full};
    {broken}
  }}
  server {{
    listen {address}:443 ssl backlog=8192;
    listen {other}:443 ssl backlog=8192;
    ssl_certificate $chain;
    ssl_certificate_key {key};
    location / {{ return 200 "ok"; }}
  }}
}}
"""
_NAMES = """
import socket, sys
import dns.message, dns.rrset
ours, asking, other = sys.argv[1:]
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((ours, 53))
while True:
    data, client = server.recvfrom(4096)
    answer = dns.message.make_response(query := dns.message.from_wire(data))
    name = query.question[0]
    if name.rdtype == 1:
        ip = other if client[0] == asking else ours
        answer.answer.append(dns.rrset.from_text(name.name, 60, "IN", "A", ip))
    server.sendto(answer.to_wire(), client)
"""
_LOGGED = re.compile(r": \*(\d+) .*, client: ([\d.]+)")


class RefusedError(RuntimeError):
    """This machine makes no namespaces."""


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RefusedError(f"{shlex.join(words)}: {done.stderr.strip()}")


class Hosts:
    """Our namespace and those of the hosts, until it is closed.

    Args:
        folder: for keys, logs and homes.
        offsets_s: by name of a host, how far its clock is ahead.
        broken_for: names of the hosts that nginx serves without the intermediate.
        disk_of: a host whose parts keep their files on a small disk of their own.

    Raises:
        RefusedError: this machine makes no namespaces.
    """

    def __init__(
        self,
        folder: Path,
        offsets_s: Mapping[str, float],
        broken_for: tuple[str, ...] = (),
        disk_of: str = "",
    ) -> None:
        self.folder, self._prefix = folder, f"tls{os.getpid()}"
        self.addresses = {name: f"10.77.0.{11 + i}" for i, name in enumerate(offsets_s)}
        self.known = folder / "known_hosts"
        self._stack = ExitStack()
        try:
            self._make(offsets_s, broken_for, disk_of)
        except BaseException:
            self._stack.close()
            raise

    def _make(
        self, offsets_s: Mapping[str, float], broken_for: tuple[str, ...], disk_of: str
    ) -> None:
        home = self._namespace("home")
        inside = ("ip", "-n", home)
        _run(*inside, "link", "add", "br0", "type", "bridge")
        for address in (OURS, OTHER):
            _run(*inside, "addr", "add", f"{address}/24", "dev", "br0")
        _run(*inside, "link", "set", "br0", "up")
        for key in ("host_key", "user_key"):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / key))
        Path("/run/sshd").mkdir(exist_ok=True)
        for number, (name, address) in enumerate(self.addresses.items()):
            there, link = self._namespace(name), f"h{number}"
            _run(*inside, "link", "add", link, "type", "veth", "peer", "eth0", "netns", there)
            _run(*inside, "link", "set", link, "master", "br0", "up")
            _run("ip", "-n", there, "addr", "add", f"{address}/24", "dev", "eth0")
            _run("ip", "-n", there, "link", "set", "eth0", "up")
            if name == disk_of:  # before `ip netns exec`, which keeps later ones out
                place = str(self.state(name))
                self.state(name).mkdir(parents=True)
                _run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place)
                self._stack.callback(_run, "umount", place)
            self._serve_ssh(name, there, offsets_s[name])
        host_key = (self.folder / "host_key.pub").read_text().split()
        lines = [f"{address} {host_key[0]} {host_key[1]}" for address in self.addresses.values()]
        self.known.write_text("\n".join([*lines, ""]))
        self._install_ssh()
        made = self.folder / "certificates"
        made.mkdir()
        self.certificates = Certificates.make(made)
        configuration = self.folder / "nginx.conf"
        broken = [f"{self.addresses[name]} {self.certificates.alone};" for name in broken_for]
        configuration.write_text(
            _NGINX.format(
                folder=self.folder,
                full=self.certificates.full,
                broken="\n    ".join(broken),
                key=self.certificates.key,
                address=OURS,
                other=OTHER,
            )
        )
        self._server("nginx", home, "nginx", "-c", str(configuration), "-e", "stderr")

    def serve_names(self, other_for: str) -> None:
        """Answer DNS in our namespace: the target is at `OURS`, for one host at `OTHER`."""
        here = f"{self._prefix}-home"
        words = (sys.executable, "-c", _NAMES, OURS, self.addresses[other_for], OTHER)
        self._server("names", here, *words)

    def _namespace(self, name: str) -> str:
        namespace = f"{self._prefix}-{name}"
        _run("ip", "netns", "add", namespace)
        self._stack.callback(_run, "ip", "netns", "del", namespace)
        _run("ip", "-n", namespace, "link", "set", "lo", "up")
        return namespace

    def _server(self, name: str, namespace: str, *command: str) -> None:
        folder = self.folder / f"{name}-output"
        folder.mkdir()
        server = ServerProcess(["ip", "netns", "exec", namespace, *command], folder)
        self._stack.callback(server.close)
        assert server.runs(0.2), server.output.read_text()

    def _serve_ssh(self, name: str, namespace: str, offset_s: float) -> None:
        programs = self.programs(name)
        programs.mkdir(parents=True)
        self.install_python(name, ROOT)
        settings = {
            "PATH": f"{programs}:/usr/bin:/bin",
            "HOME": str(self.folder / name),
            "XDG_STATE_HOME": str(self.state(name)),
        }
        if offset_s:
            library = next(Path("/").glob(_FAKETIME.lstrip("/")))
            settings |= {
                "LD_PRELOAD": str(library),
                "FAKETIME": f"{offset_s:+}",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "DONT_FAKE_MONOTONIC": "1",
            }
        configuration = self.folder / f"{name}.sshd"
        configuration.write_text(
            _SSHD.format(
                address=self.addresses[name],
                folder=self.folder,
                environment=" ".join(f'"{key}={value}"' for key, value in settings.items()),
            )
        )
        sshd = shutil.which("sshd") or "/usr/sbin/sshd"
        self._server(f"sshd-{name}", namespace, sshd, "-D", "-e", "-f", str(configuration))

    def _install_ssh(self) -> None:
        """Our own `ssh`, with a configuration of the test's: no file of the user's is touched."""
        (self.folder / "ssh.conf").write_text(_SSH.format(folder=self.folder))
        programs = self.folder / "programs"
        programs.mkdir()
        wrapper = programs / "ssh"
        ssh = shutil.which("ssh")
        wrapper.write_text(f'#!/bin/sh\nexec {ssh} -F {self.folder}/ssh.conf "$@"\n')
        wrapper.chmod(0o755)

    def programs(self, name: str) -> Path:
        """The folder of a host's own programs."""
        return self.folder / name / "bin"

    def state(self, name: str) -> Path:
        """The folder in which its parts keep their files."""
        return self.folder / name / "state"

    def files(self, name: str) -> list[Path]:
        """Run files that are still there."""
        return sorted(self.state(name).rglob("*.db"))

    def install_python(self, name: str, package_folder: Path) -> None:
        """Give a host a `python3` that finds the package in this folder."""
        wrapper = self.programs(name) / "python3"
        python = shlex.quote(sys.executable)
        wrapper.write_text(f'#!/bin/sh\nPYTHONPATH={package_folder} exec {python} "$@"\n')
        wrapper.chmod(0o755)

    def vantages(self, *names: str) -> list[str]:
        """The options that name these hosts; all where none is named."""
        return [
            word
            for name in names or self.addresses
            for word in ("--vantage", f"{name}=ssh://root@{self.addresses[name]}")
        ]

    def inside(self, name: str = "home") -> tuple[str, ...]:
        """What starts a command in a namespace."""
        return ("ip", "netns", "exec", f"{self._prefix}-{name}")

    def start(
        self, *words: str, by_name: bool = False, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start `tls-stress run` in our namespace; by name: each place asks our DNS."""
        where = ("--resolver", OURS) if by_name else ("--address", OURS)
        return subprocess.Popen(
            [
                *(*self.inside(), sys.executable, "-m", "stress"),
                *("run", HOST, *where, "--ca", str(self.certificates.root)),
                *("--results", str(self.folder / "results"), *words),
            ],
            cwd=self.folder,
            env=os.environ
            | {
                "PATH": f"{self.folder / 'programs'}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "COLUMNS": "100",
            }
            | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def connections(self) -> Counter[str]:
        """Connections that nginx has logged, by host; ours are `home`."""
        names = {address: name for name, address in self.addresses.items()} | {OURS: "home"}
        seen = set(_LOGGED.findall((self.folder / "nginx.log").read_text()))
        return Counter(names[address] for _, address in seen)

    def cut(self, name: str, *, up: bool = False) -> None:
        """Take the link of a host down, so that nothing arrives and nothing is said; or up."""
        link = f"h{list(self.addresses).index(name)}"
        _run("ip", "-n", f"{self._prefix}-home", "link", "set", link, "up" if up else "down")

    def processes(self, pattern: str, name: str = "home") -> list[int]:
        """Processes in a namespace whose command line has this text."""
        done = subprocess.run(
            ["ip", "netns", "pids", f"{self._prefix}-{name}"],
            capture_output=True,
            text=True,
            check=True,
        )
        found = []
        for word in done.stdout.split():
            command = Path(f"/proc/{word}/cmdline")
            if command.exists() and pattern in command.read_text().replace("\0", " "):
                found.append(int(word))
        return found

    def kill(self, pattern: str, name: str = "home") -> int:
        """Kill the first such process with SIGKILL; returns its id."""
        victim = self.processes(pattern, name)[0]
        os.kill(victim, signal.SIGKILL)
        return victim

    def close(self) -> None:
        """Take everything down."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
