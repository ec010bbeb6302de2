"""A TLS server for any chains, with their leaves' keys: `clients/serve.go`."""

from __future__ import annotations

import os
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from ssl import DER_cert_to_PEM_cert

HERE = Path(__file__).parent
ADDED = Path(os.environ.get("ORACLES", HERE.parents[1] / ".venv" / "oracles"))
"""Where `make oracles` installs what PyPI has (Go, Java, Node)."""
GO = str(ADDED / "go/bin/go")
GO_ENVIRONMENT = {"GOROOT": str(ADDED / "go")}


@dataclass(frozen=True)
class Site:
    """One chain to serve."""

    host: str
    """What clients ask for."""
    private: bytes
    """The leaf's key (PKCS 8)."""
    sent: Sequence[bytes]
    anchors: Sequence[bytes]
    highest: str = "1.3"
    """The newest version of TLS."""


@contextmanager
def serving(sites: Iterable[Site]) -> Iterator[tuple[str, str]]:
    """While inside, every chain has a server on a port of its own.

    Returns:
        The lines that the programs in `clients/` read, one a chain (host, port, file of roots), and
        the port of the proxy.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        build = [GO, "build", "-o", str(out / "serve"), str(HERE / "clients/serve.go")]
        subprocess.run(build, env={**os.environ, **GO_ENVIRONMENT}, check=True)
        with subprocess.Popen(
            [out / "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            proxy = server.stdout.readline().split()[1]
            asked = []
            for number, one in enumerate(sites):
                sent = ",".join(b64encode(der).decode() for der in one.sent)
                own = b64encode(one.private).decode()
                server.stdin.write(f"{number}\t{one.highest}\t{own}\t{sent}\n")
                server.stdin.flush()
                port = server.stdout.readline().split()[1]
                roots = out / f"{number}.pem"
                roots.write_text("".join(map(DER_cert_to_PEM_cert, one.anchors)), "ascii")
                asked.append(f"{one.host}\t{port}\t{roots}\n")
            yield "".join(asked), proxy
            server.stdin.close()
