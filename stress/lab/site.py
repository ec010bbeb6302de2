"""Sockets, certificates and files of one farm, created for a scenario and removed afterwards."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from stress.errors import LabError
from stress.lab.blueprint import LOOPBACK, Front
from stress.lab.certificates import (
    DAY,
    Authority,
    Leaf,
    LeafKeyType,
    LeafSpec,
    forged_key_pem,
    issue,
    key_pem,
)
from stress.model.chain import chain_hash

HOST = "www.lab.test"
NAMES = (HOST, "lab.test")
PUBLIC = LeafSpec(NAMES, timestamps=True)
LEAVES = {
    "public.pem": PUBLIC,
    "distrusted.pem": PUBLIC,
    "expired.pem": LeafSpec(NAMES, begins=-91 * DAY, ends=-DAY),
    "fallback.pem": LeafSpec(("fallback.lab.test",), organization="Default certificate"),
    "rsa.pem": LeafSpec((HOST,), LeafKeyType.RSA),
}
HOSTILE_ISSUER = '"><svg onload=alert(1)> \x1b[31m \u2066'
HOSTILE = LeafSpec(
    ("<b>bold</b>.lab.test", "'; drop table chain; --", "=cmd.lab.test"),
    common_name="<script>alert(1)</script>\x1b[2J\x07",
    organization="\u202egro\u202c \x1b]0;title\x07 \r\n=1+1",
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A chain as a server will send it."""

    file: str
    """Path of the PEM file with chain and key."""
    sha256: str
    """The chain's name in hexadecimal, as dimensions and reports have it."""
    expires: datetime
    """End of the leaf's validity."""


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
        self.leaf = self.issue(LeafSpec(NAMES))
        self.other = Authority.make(self.now, "tls-stress lab root R2")
        """A second root; the first has signed its name and key, too."""
        self._files: list[Path] = []
        self._secrets: list[Path] = []
        self._sockets: list[socket.socket] = []
        self.folder = folder.absolute()
        self.ca_file = self.write("ca.pem", self.authority.pem)

    def shown(self, file: str) -> Shown:
        """Write one of the files that scenarios name."""
        match file:
            case "good.pem" | "alone.pem":
                sent = self.leaf.full if file == "good.pem" else self.leaf.alone
                return self.show(file, self.leaf, sent)
            case "wrong-key.pem":
                assert isinstance(self.leaf.key, ec.EllipticCurvePrivateKey)
                return self.show(file, self.leaf, key=forged_key_pem(self.leaf.key))
            case "expiring.pem":
                ends = timedelta(seconds=12 * self.pace)
                return self.show(file, self.issue(LeafSpec(NAMES, ends=ends)))
            case "hostile.pem":
                issuer = self.authority.intermediate(HOSTILE_ISSUER, self.now)
                return self.show(file, issue(issuer, HOSTILE, self.now))
        if file in {"crossed.pem", "uncrossed.pem"}:
            full = self._crossed.full
            return self.show(file, self._crossed, full if file == "crossed.pem" else full[:-1])
        below = self.issuer
        if file == "distrusted.pem":
            below = self.other.intermediate("tls-stress lab intermediate R3", self.now)
        return self.show(file, issue(below, LEAVES[file], self.now))

    @cached_property
    def _crossed(self) -> Leaf:
        """A leaf below the second root: to be sent with the certificate that the first signed."""
        crossed = self.authority.cross_sign(self.other, self.now)
        below = crossed.intermediate("tls-stress lab intermediate R2", self.now)
        return issue(below, PUBLIC, self.now)

    def stores(self, places: Mapping[str, str]) -> Path | None:
        """Root stores in which our roots have the places of known ones; None: no such places.

        Args:
            places: `root` and `other` -> SHA-256 of the root whose history it takes.
        """
        if not places:
            return None
        from stress.trust import open_stores  # noqa: PLC0415 - heavy

        roots = {"root": self.authority, "other": self.other}
        file = self.write("stores.db", b"")
        open_stores().stand_in(
            {
                roots[name].certificate.public_bytes(Encoding.DER): bytes.fromhex(digest)
                for name, digest in places.items()
            },
            file,
        )
        return file

    def issue(self, spec: LeafSpec) -> Leaf:
        """A leaf of the site's own intermediate."""
        return issue(self.issuer, spec, self.now)

    def show(
        self,
        file: str,
        leaf: Leaf,
        certificates: tuple[x509.Certificate, ...] | None = None,
        key: bytes | None = None,
    ) -> Shown:
        """Write what a server will send: by default the leaf with its intermediates and its key."""
        sent = leaf.full if certificates is None else certificates
        pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in sent)
        path = self.write(file, pem + (key or key_pem(leaf.key)))
        self._secrets.append(path)
        chain = tuple(certificate.public_bytes(Encoding.DER) for certificate in sent)
        return Shown(str(path), chain_hash(chain).hex(), leaf.certificate.not_valid_after_utc)

    def write(self, name: str, content: bytes) -> Path:
        """Write a file that only its owner may read.

        Raises:
            LabError: the folder is not writable.
        """
        file = self.folder / name
        try:
            file.touch(mode=0o600)
            file.write_bytes(content)
        except OSError as error:
            raise LabError(f"the lab cannot write {file}: {error.strerror}") from error
        self._files.append(file)
        return file

    def front(self, wanted: Front = LOOPBACK, *, shared: bool = False) -> Front:
        """Bind a listening socket; a shared one can be bound again.

        Raises:
            LabError: this machine has no such address.
        """
        ip = wanted.ip
        if ip.startswith("127.") and sys.platform != "linux":
            ip = "127.0.0.1"  # the only one there; the ports differ
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        try:
            listener = socket.socket(family, socket.SOCK_STREAM)
            self._sockets.append(listener)
            if shared:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((ip, wanted.port))
            listener.listen(wanted.backlog)
        except OSError as error:
            hint = "This scenario needs IPv6 on loopback." if ":" in ip else None
            raise LabError(f"the lab cannot listen on {ip}: {error.strerror}", hint) from error
        return Front(ip, wanted.backlog, listener.getsockname()[1], listener.fileno())

    def twins(self) -> tuple[Front, Front]:
        """Two listening sockets on one port; the kernel distributes the connections.

        Only Linux balances with SO_REUSEPORT; elsewhere both are the same socket, as in a worker
        that survived a reload.
        """
        several = sys.platform == "linux"
        first = self.front(shared=several)
        return first, self.front(first, shared=True) if several else first

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
