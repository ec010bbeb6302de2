"""A trace of a real program, captured from the wire, becomes a profile that asks as it did."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from stress.clients.importing import import_client, read_hellos
from stress.clients.profiles import load_client
from stress.errors import UsageError
from stress.handshake import stack_for, stack_speaking
from stress.handshake.hello import read_hello
from tests.servers.certificates import HOST, Certificates
from tests.servers.openssl import OpensslServer
from tests.servers.process import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.real("dumpcap", "curl", "openssl")]
Ask = Callable[[int], list[str]]


def _curl(port: int) -> list[str]:
    where = ["--resolve", f"{HOST}:{port}:127.0.0.1", f"https://{HOST}:{port}/"]
    return ["curl", "--silent", "--insecure", "--max-time", "5", "--output", "/dev/null", *where]


def _s_client(port: int) -> list[str]:
    return ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", HOST]


def _captured(ask: Ask, certificates: Certificates, folder: Path, *options: str) -> Path:
    """What dumpcap writes while the program asks, once and again until it is in the file."""
    trace = folder / "trace"
    with OpensslServer(certificates, folder / "server") as server:
        dumpcap = [shutil.which("dumpcap") or "dumpcap", "-q", "-i", "lo", "-w", str(trace)]
        filtered = ["-f", f"tcp port {server.port}", *options]
        with ServerProcess([*dumpcap, *filtered], folder) as capturing:
            for _ in range(40):
                subprocess.run(
                    ask(server.port), check=False, capture_output=True, input=b"", timeout=10
                )
                with suppress(UsageError):
                    read_hellos(trace)
                    return trace
                if not capturing.runs(0.25):
                    pytest.skip(f"dumpcap may not capture: {capturing.output.read_text()}")
    raise AssertionError("nothing was captured")


@pytest.mark.parametrize("ask", [_curl, _s_client], ids=["curl", "s_client"])
@pytest.mark.parametrize("options", [["-P"], []], ids=["pcap", "pcapng"])
def test_a_captured_program_is_asked_as(
    ask: Ask, options: list[str], certificates: Certificates, tmp_path: Path
) -> None:
    trace = _captured(ask, certificates, tmp_path, *options)
    made = import_client(trace, server_name=HOST, name="captured")
    file = tmp_path / "captured.toml"
    file.write_text(made.toml)
    client = load_client(str(file))
    factory = stack_for(client, stack_speaking(client), server_name=HOST)
    sent = read_hello(factory.machine().begin().send)

    assert made.fit.cost == 0
    for field in ("cipher_suites", "groups", "key_shares", "signature_algorithms", "alpn"):
        assert set(getattr(made.hello, field)) - {0xFF} == set(getattr(sent, field)) - {0xFF}
    assert replace(client, cannot_express=()) != client
