"""What the rules are asked: one path, one policy, one host, one time."""

from __future__ import annotations

from dataclasses import dataclass

from stress.trust.path import Link, Path
from stress.trust.policy import Policy
from stress.trust.reading.certificate import CertificateFacts


@dataclass(frozen=True, slots=True)
class Context:
    """Would this policy take this path?"""

    policy: Policy
    path: Path
    anchored: bool
    """The path ends in an anchor; else it is the longest that could be built."""
    public: bool
    """That anchor is publicly known."""
    host: str
    at: int
    """Unix seconds."""
    staple: bytes | None = None
    """The stapled OCSP response; empty: asked for and none came; None: not known."""
    scts: bytes | None = None
    """The SCT list of the TLS extension; None: none came, or not known."""

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
        """Everything that is not the anchor."""
        return self.path.links[:-1] if self.anchored else self.path.links
