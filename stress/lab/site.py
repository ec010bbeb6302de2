"""Sockets, certificates and files of one farm, created for a scenario and removed afterwards."""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from stress.errors import LabError
from stress.lab.blueprint import Front, Identity
from stress.lab.certificates import Authority, Leaf, LeafSpec, issue, key_pem
from stress.model.chain import Chain

HOST = "www.lab.test"
BACKLOG = 4096


@dataclass(frozen=True, slots=True)
class Shown:
    """A chain as a server will send it."""

    identity: Identity
    chain: Chain

    @property
    def sha256(self) -> str:
        """The chain's name in hexadecimal, as dimensions and reports have it."""
        return self.chain.sha256.hex()


class Site:
    """Creates what a scenario needs, and removes all of it when the farm is closed.

    Args:
        folder: an existing folder for certificates and keys.
        now: the time for which certificates are made, with time zone.
        seed: of everything random, except keys and serial numbers.
        pace: factor on every duration that a scenario plants (tests go faster).
    """

    def __init__(self, folder: Path, now: datetime, seed: int, pace: float = 1.0) -> None:
        self.now = now.astimezone(UTC)
        self.seed = seed
        self.pace = pace
        self.authority = Authority.make(self.now)
        self.issuer = self.authority.intermediate("tls-stress lab intermediate R1", self.now)
        self._files: list[Path] = []
        self._secrets: list[Path] = []
        self._sockets: list[socket.socket] = []
        self._folder = folder.absolute()
        self.ca_file = self.write("ca.pem", self.authority.pem)

    def leaf(self, spec: LeafSpec | None = None, issuer: Authority | None = None) -> Leaf:
        """A leaf; by default a good one for the farm's host."""
        return issue(issuer or self.issuer, spec or LeafSpec((HOST, "lab.test")), self.now)

    def show(
        self,
        name: str,
        leaf: Leaf,
        certificates: tuple[x509.Certificate, ...] | None = None,
        key: bytes | None = None,
    ) -> Shown:
        """Write what a server will send: by default the leaf with its intermediates and its key."""
        sent = leaf.full if certificates is None else certificates
        pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in sent)
        file = self.write(f"{name}.pem", pem + (key or key_pem(leaf.key)))
        self._secrets.append(file)
        chain = Chain(tuple(certificate.public_bytes(Encoding.DER) for certificate in sent))
        return Shown(Identity((str(file),)), chain)

    def complete_and_incomplete(self) -> tuple[Shown, Shown]:
        """One leaf with its intermediate, and without it."""
        leaf = self.leaf()
        return self.show("good", leaf), self.show("alone", leaf, leaf.alone)

    def write(self, name: str, content: bytes) -> Path:
        """Write a file that only its owner may read.

        Raises:
            LabError: the folder is not writable.
        """
        file = self._folder / name
        try:
            file.touch(mode=0o600)
            file.write_bytes(content)
        except OSError as error:
            raise LabError(f"the lab cannot write {file}: {error.strerror}") from error
        self._files.append(file)
        return file

    def front(
        self, ip: str = "127.0.0.1", port: int = 0, backlog: int = BACKLOG, *, shared: bool = False
    ) -> Front:
        """Bind a listening socket, by default on a free port; a shared one can be bound again.

        Raises:
            LabError: this machine has no such address.
        """
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        try:
            listener = socket.socket(family, socket.SOCK_STREAM)
            self._sockets.append(listener)
            if shared:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((ip, port))
            listener.listen(backlog)
        except OSError as error:
            hint = "This scenario needs IPv6 on loopback." if ":" in ip else None
            raise LabError(f"the lab cannot listen on {ip}: {error.strerror}", hint) from error
        return Front(ip, listener.getsockname()[1], listener.fileno())

    def fronts(self, count: int) -> tuple[Front, ...]:
        """Several addresses: 127.0.0.1, 127.0.0.2, … or, where only the first exists, ports."""
        several = sys.platform == "linux"
        return tuple(self.front(f"127.0.0.{index + 1 if several else 1}") for index in range(count))

    def twins(self) -> tuple[Front, Front]:
        """Two listening sockets on one port; the kernel distributes the connections.

        Only Linux balances with SO_REUSEPORT; elsewhere both are the same socket, as in a worker
        that survived a reload.
        """
        several = sys.platform == "linux"
        first = self.front(shared=several)
        return first, self.front(first.ip, first.port, shared=True) if several else first

    def close_sockets(self) -> None:
        """Close our copies, once the processes have inherited the sockets."""
        for listener in self._sockets:
            listener.close()

    def remove_keys(self) -> None:
        """Remove the private keys, once the processes have read them: a killed farm leaves none."""
        for file in self._secrets:
            file.unlink(missing_ok=True)

    def clear(self) -> None:
        """Close the sockets and remove what was written."""
        self.close_sockets()
        for file in self._files:
            file.unlink(missing_ok=True)
