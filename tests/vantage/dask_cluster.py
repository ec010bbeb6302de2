"""A Dask cluster for tests: a scheduler and workers as processes, over TLS with an own CA."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from stress.store import open_run
from tests.servers.process import ServerProcess, free_ports

_TLS = """\
distributed:
  comm:
    require-encryption: true
    tls:
      ca-file: {folder}/ca.pem
      scheduler: {{cert: {folder}/{name}.pem, key: {folder}/{name}.key}}
      worker: {{cert: {folder}/{name}.pem, key: {folder}/{name}.key}}
      client: {{cert: {folder}/{name}.pem, key: {folder}/{name}.key}}
"""
_STARTED = "Registered to"


def sent(path: Path) -> int:
    """Attempts of a run file that were sent: an arrival that found no place has a row, too."""
    with closing(sqlite3.connect(path)) as rows:
        ((count,),) = rows.execute("SELECT count(*) FROM handshake WHERE stage <> 'resolve'")
    return int(count)


def write_configuration(folder: Path, name: str = "member") -> None:
    """Make a CA and a certificate that it signs, and Dask's configuration that names both."""
    now = datetime.now(UTC)
    authority = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cluster CA")])

    def certify(own: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> bytes:
        builder = x509.CertificateBuilder().issuer_name(subject).subject_name(own)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1))
        builder = builder.not_valid_after(now + timedelta(days=2))
        constraints = x509.BasicConstraints(ca=ca, path_length=None)
        made = builder.add_extension(constraints, critical=True).sign(authority, SHA256())
        return made.public_bytes(Encoding.PEM)

    (folder / "ca.pem").write_bytes(certify(subject, authority, ca=True))
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    (folder / f"{name}.pem").write_bytes(certify(own, key, ca=False))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / f"{name}.key").write_bytes(pem)
    (folder / "dask.yaml").write_text(_TLS.format(folder=folder, name=name))


class DaskCluster:
    """A scheduler, and workers that are added to it, until it is closed.

    Args:
        folder: for certificates, logs, and what parts leave.
        tls: whether everything there is said over TLS.
        host: address of the scheduler.
        prefix: a command that starts the scheduler, such as in another network namespace.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tls: bool = True,
        host: str = "127.0.0.1",
        prefix: Sequence[str] = (),
    ) -> None:
        self.folder, self.host = folder, host
        self.configuration = folder / "configuration"
        self.configuration.mkdir()
        if tls:
            write_configuration(self.configuration)
        self.scheme = "tls" if tls else "tcp"
        self.port, *self._ports = free_ports(20)
        self._stack = ExitStack()
        self._processes: dict[str, ServerProcess] = {}
        self.workers: dict[str, str] = {}
        """Their addresses, by name."""
        words = ("--protocol", self.scheme, "--host", host, "--port", str(self.port))
        self._processes["scheduler"] = self._start(
            "scheduler", "Scheduler at", ("dask_scheduler", *words), prefix
        )

    @property
    def address(self) -> str:
        """Of the scheduler, as `--vantage` says it."""
        return f"dask://{self.host}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What finds Dask's configuration of this cluster, and no other."""
        return {"DASK_CONFIG": str(self.configuration)}

    def add(
        self,
        name: str,
        *,
        prefix: Sequence[str] = (),
        host: str = "127.0.0.1",
        nanny: bool = False,
        environment: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        """Start a worker, and wait until the scheduler knows it."""
        port = self._ports.pop()
        words = (
            *("dask_worker", f"{self.scheme}://{self.host}:{self.port}", "--name", name),
            *("--nthreads", "1", "--nanny" if nanny else "--no-nanny", "--host", host),
            *("--worker-port", str(port), "--local-directory", str(self.folder)),
        )
        own = {"XDG_STATE_HOME": str(self.state(name)), **(environment or {})}
        self.workers[name] = f"{self.scheme}://{host}:{port}"
        self._processes[name] = self._start(name, _STARTED, words, prefix, own, options)

    def remove(self, name: str) -> None:
        """End a worker."""
        self._processes.pop(name).close()
        del self.workers[name]
        shutil.rmtree(self.folder / name)

    def _start(
        self,
        name: str,
        ready: str,
        words: Sequence[str],
        prefix: Sequence[str],
        environment: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
    ) -> ServerProcess:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        module, *rest = words
        settings = {**self.environment, "PYTHONUNBUFFERED": "1", **(environment or {})}
        command = [
            *(*prefix, "env", *(f"{key}={value}" for key, value in settings.items())),
            *(sys.executable, *options, "-m", f"distributed.cli.{module}", *rest),
            "--no-dashboard",
        ]
        server = ServerProcess(command, folder)
        self._stack.callback(server.close)
        while ready not in (said := server.output.read_text()):
            if not server.runs(0.05):
                raise RuntimeError(said)
        return server

    def state(self, name: str) -> Path:
        """The folder in which the parts of a worker keep their files."""
        return self.folder / f"{name}-state"

    def left(self) -> dict[str, tuple[Any, int]]:
        """How the run files that are still there ended, and what they sent, by worker."""
        found = {}
        for name in self.workers:
            for path in self.state(name).rglob("*.db"):
                with open_run(path) as run:
                    found[name] = run.facts().end, sent(path)
        return found

    def processes(self, name: str, text: str) -> list[int]:
        """Processes below a worker, of any depth, that have this text in their command line."""
        found, wanted = [], {self._processes[name].pid}
        for stat in sorted(Path("/proc").glob("[0-9]*/stat"), key=lambda path: int(path.parts[2])):
            try:
                parent = int(stat.read_text().rpartition(")")[2].split()[1])
                command = stat.with_name("cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
            if parent in wanted:
                wanted.add(int(stat.parts[2]))
                if text in command:
                    found.append(int(stat.parts[2]))
        return found

    def pid(self, name: str) -> int:
        """Process id of the scheduler, of a worker, or of its nanny."""
        return self._processes[name].pid

    def close(self) -> None:
        """End them all."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
