"""A certificate chain as it was sent, named by the hash of the ordered list."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Chain:
    """The certificates of one Certificate message, leaf first, exactly as sent."""

    certificates: tuple[bytes, ...]
    """DER of each certificate, in the order sent."""

    @property
    def sha256(self) -> bytes:
        """SHA-256 over the concatenated DER in the order sent (32 bytes).

        A leaf alone is therefore another chain than the same leaf with its intermediate.
        """
        return chain_hash(self.certificates)


@lru_cache(maxsize=32)
def chain_hash(certificates: tuple[bytes, ...]) -> bytes:
    """SHA-256 over the concatenated DER in the order sent (32 bytes).

    Remembered for the latest chains: a run meets few, and each of them in thousands of handshakes.
    """
    return sha256(b"".join(certificates)).digest()
