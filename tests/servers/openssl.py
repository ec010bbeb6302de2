"""A real `openssl s_server`: one connection at a time, any of its options, its own count."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.servers.certificates import Certificates
from tests.servers.process import ServerProcess, free_ports

PROGRAM = "openssl"


class OpensslServer(ServerProcess):
    """A running `openssl s_server`.

    Args:
        options: more of its options, such as `-tls1_2` or `-Verify 1`.

    Raises:
        RuntimeError: it does not start; with its output.
    """

    def __init__(
        self, certificates: Certificates, folder: Path, options: Sequence[str] = ()
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (self.port,) = free_ports(1)
        command = [
            *(PROGRAM, "s_server", "-accept", f"127.0.0.1:{self.port}", "-www"),
            *("-cert", str(certificates.full), "-cert_chain", str(certificates.issuer)),
            *("-key", str(certificates.key), "-CAfile", str(certificates.root)),
            *options,
        ]
        super().__init__(command, folder, [self.port])
