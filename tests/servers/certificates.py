"""The PEM files that real servers are configured with, signed by the lab's authority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from stress.lab.site import Authority, LeafKeyType, LeafSpec, issue, key_pem
from stress.model.chain import chain_hash

HOST = "real.test"


@dataclass(frozen=True, slots=True)
class Certificates:
    """One leaf of `HOST`, the ways to serve it, and the root to trust."""

    root: Path
    full: Path
    """The leaf and its intermediate, as it should be."""
    alone: Path
    """The same leaf without its intermediate."""
    issuer: Path
    """The intermediate by itself."""
    key: Path
    full_sha256: str
    """The contract's chain hash of `full`, in hex."""
    alone_sha256: str

    @classmethod
    def make(
        cls,
        folder: Path,
        kind: LeafKeyType = LeafKeyType.ECDSA,
        names: tuple[str, ...] = (HOST,),
    ) -> Certificates:
        """Make a root, an intermediate and a leaf, and write them into the folder."""
        now = datetime.now(UTC).replace(microsecond=0)
        authority = Authority.make(now)
        leaf = issue(authority.intermediate("Real Issuing CA 1", now), LeafSpec(names, kind), now)
        made = cls(
            root=folder / "root.pem",
            full=folder / "full.pem",
            alone=folder / "alone.pem",
            issuer=folder / "issuer.pem",
            key=folder / "key.pem",
            full_sha256=_hash(leaf.full),
            alone_sha256=_hash(leaf.alone),
        )
        made.root.write_bytes(authority.pem)
        made.full.write_bytes(_pem(leaf.full))
        made.alone.write_bytes(_pem(leaf.alone))
        made.issuer.write_bytes(_pem(leaf.issuer.path))
        made.key.write_bytes(key_pem(leaf.key))
        return made


def _pem(chain: Sequence[x509.Certificate]) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain)


def _hash(chain: Sequence[x509.Certificate]) -> str:
    return chain_hash(tuple(each.public_bytes(Encoding.DER) for each in chain)).hex()
