"""Real servers for the tests of this folder: made once, ended with the session."""

from __future__ import annotations

import json
import socket
import sqlite3
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stress.cli.main import main
from tests.servers.certificates import HOST, Certificates
from tests.servers.haproxy import Backend, Haproxy
from tests.servers.nginx import Nginx, Node

Handshake = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Finished:
    """A run of ours that has ended."""

    code: int
    summary: dict[str, Any]
    file: Path

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the run file."""
        with closing(sqlite3.connect(self.file)) as database:
            return database.execute(query).fetchall()

    def chains(self) -> dict[str, int]:
        """Handshakes per chain, by its hash in hex."""
        return dict(
            self.ask(
                "SELECT lower(hex(chain.sha256)), count(*) FROM handshake"
                " JOIN chain ON chain.id = handshake.chain GROUP BY chain.id"
            )
        )


RunIt = Callable[..., Finished]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def handshake(certificates: Certificates) -> Handshake:
    """One handshake with the standard library: the TLS version, or why it refused."""
    context = ssl.create_default_context(cafile=certificates.root)

    def shake(port: int) -> str:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            try:
                with context.wrap_socket(connection, server_hostname=HOST) as tls:
                    return str(tls.version())
            except ssl.SSLError as error:
                return str(error.reason)

    return shake


@pytest.fixture
def two_nodes(certificates: Certificates, tmp_path: Path) -> Iterator[Nginx]:
    """An nginx with a `good` node and one that sends the leaf alone."""
    nodes = [
        Node("good", certificates.full, certificates.key),
        Node("alone", certificates.alone, certificates.key),
    ]
    with Nginx(nodes, tmp_path / "nginx") as nginx:
        yield nginx


@pytest.fixture
def twelve_nodes(certificates: Certificates, tmp_path: Path) -> Iterator[tuple[Nginx, Haproxy]]:
    """HAProxy in TCP mode before 12 nginx nodes; `node-12` sends the leaf alone, rarely."""
    names = [f"node-{number}" for number in range(1, 13)]
    chains = dict.fromkeys(names, certificates.full) | {"node-12": certificates.alone}
    nodes = [Node(name, chain, certificates.key) for name, chain in chains.items()]
    with Nginx(nodes, tmp_path / "nginx") as nginx:
        backends = [
            Backend(name, port, 6 if name == "node-12" else 100)
            for name, port in nginx.ports.items()
        ]
        with Haproxy(backends, tmp_path / "haproxy") as haproxy:
            yield nginx, haproxy


@pytest.fixture
def tls_stress(
    certificates: Certificates, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> RunIt:
    """`tls-stress run` against a port of 127.0.0.1, in this process, which spares its start."""

    def run(port: int, *options: str) -> Finished:
        results = tmp_path / "results"
        words = ["run", f"127.0.0.1:{port}", "--sni", HOST, "--ca", str(certificates.root)]
        capsys.readouterr()
        code = main([*words, "--results", str(results), "--name", "run", "--json", *options])
        done = capsys.readouterr()
        assert done.out, done.err
        return Finished(code, json.loads(done.out), results / "run.db")

    return run
