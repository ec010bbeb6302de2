"""A certificate chain as it was sent, named by the hash of the ordered list."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256

from stress.model.outcome import Category


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


# How a client family validates a chain: its findings, and the headline.


class Refusal(StrEnum):
    """Whether this client family rejects the chain as it was sent."""

    NO = "no"
    SOMETIMES = "sometimes"
    """It depends on what the client has cached or can fetch (AIA, remembered intermediates), or on
    the version of TLS."""
    YES = "yes"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, with one certificate or with the chain."""

    category: Category
    position: int | None
    """Index of the certificate in the order sent (0 is the leaf); None: the chain as a whole."""
    detail: str
    """One sentence fragment with the values, such as `expired 2026-10-01T00:00:00Z`."""
    refusal: Refusal = Refusal.YES
    """Whether this client family rejects the chain for it."""
    versions: str = ""
    """Where it depends on the version of the family's root store: those that reject it, such as
    `Android ≤ 13`."""
    check: str = field(default="", compare=False)
    """The check of the policy's `order` that finds it, where that is not named by the category; not
    stored."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of validating one chain with one policy, for one host at one time."""

    chain: bytes
    """SHA-256 of the chain."""
    policy: str
    host: str
    at: int
    """Unix seconds for which it was validated."""
    findings: tuple[Finding, ...]
    """All that is wrong, in the policy's order of priority; the first is the headline."""
    families: tuple[str, ...] = ()
    """For a policy of several families (`any`): those that reject it."""

    @property
    def refusal(self) -> Refusal:
        """The strongest refusal among the findings."""
        answers = {finding.refusal for finding in self.findings}
        for answer in (Refusal.YES, Refusal.SOMETIMES):
            if answer in answers:
                return answer
        return Refusal.NO

    @property
    def headline(self) -> Finding | None:
        """The finding that names the failure, or None when the chain would be accepted."""
        for finding in self.findings:
            if finding.refusal is not Refusal.NO:
                return finding
        return None
