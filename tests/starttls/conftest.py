"""Certificates and folders for servers that run as users of their own."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from stress.cli.main import main
from stress.model.plan import StartTls
from tests.servers.certificates import HOST, Certificates
from tests.starttls.daemons import start

Start = Callable[[StartTls, Path], int]
RunIt = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def certificates() -> Iterator[Certificates]:
    """In a folder that everybody may enter; pytest's own belongs to one user."""
    with tempfile.TemporaryDirectory(prefix="starttls-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield Certificates.make(folder)


@pytest.fixture
def begin(certificates: Certificates) -> Iterator[Start]:
    """Start a real server with this chain; returns its port."""
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="starttls-")))
        base.chmod(0o755)

        def one(protocol: StartTls, chain: Path) -> int:
            folder = base / str(len(list(base.iterdir())))
            server, port = start(protocol, folder, chain, certificates.key)
            stack.enter_context(server)
            return port

        yield one


@pytest.fixture
def tls_stress(
    certificates: Certificates, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> RunIt:
    """`tls-stress run` by a protocol against ports of 127.0.0.1; returns the summary."""

    def run(protocol: StartTls, ports: dict[str, int], *options: str) -> dict[str, Any]:
        addresses = [
            word
            for label, port in ports.items()
            for word in ("--address", f"127.0.0.1:{port}={label}")
        ]
        words = ["run", HOST, "--starttls", protocol.value, "--ca", str(certificates.root)]
        capsys.readouterr()
        main([*words, *addresses, "--results", str(tmp_path), "--name", "run", "--json", *options])
        done = capsys.readouterr()
        assert done.out, done.err
        summary: dict[str, Any] = json.loads(done.out)
        return summary

    return run
