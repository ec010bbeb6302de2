"""What a rule sees: one path, one policy, one host, one time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stress.model.chain import Finding
from stress.trust.path import Link, Path
from stress.trust.policy import Policy
from stress.trust.reading.certificate import CertificateFacts


@dataclass(frozen=True, slots=True)
class Context:
    """One path under one policy."""

    policy: Policy
    path: Path
    host: str
    at: int
    """Unix seconds."""
    anchored: bool = False
    """The path ends in an anchor; otherwise it is the longest that could be built."""
    public: bool = False
    """That anchor is publicly trusted."""
    staple: bytes | None = None
    """The stapled OCSP response; empty: requested, but none was sent; None: not known."""
    scts: bytes | None = None
    """The SCT list of the TLS extension; None: none was sent, or not known."""
    pins: tuple[bytes, ...] = ()
    """SHA-256 of the public keys that the user accepts; empty: no pinning."""

    @property
    def leaf(self) -> CertificateFacts:
        """The server's own certificate."""
        return self.path.links[0].facts

    @property
    def issuers(self) -> tuple[Link, ...]:
        """Everything above the leaf, the anchor included."""
        return self.path.links[1:]

    @property
    def below_anchor(self) -> tuple[Link, ...]:
        """Everything except the anchor."""
        return self.path.links[:-1] if self.anchored else self.path.links


Rule = Callable[[Context], Iterator[Finding]]
"""Yields what is wrong with the path; nothing where the rule does not apply.

A module in this folder lists its rules in `RULES`; `judge` finds the list by itself.
"""
