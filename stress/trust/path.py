"""Builds every path from a leaf to an anchor that the sent certificates allow.

What is true. Clients do not follow the order in which certificates were sent: they search. A path
is a series of certificates in which each one's issuer name is the next one's subject name and the
next one's key made the signature; it ends in an anchor. Extra, repeated and unordered certificates
do no harm, and a root that is also cross-signed gives several paths. So all paths are built once,
and each policy picks the one it likes best.

What is tricky. A certificate *is* an anchor when an anchor has its name and its key, whatever else
it says: a sent copy of a root that another root signed counts as that root (OpenSSL's trusted
first, and all modern clients). An anchor that is no self-signed root ends a path for some clients
(curl, Go, Java) and not for others (OpenSSL without PARTIAL_CHAIN): the path goes on behind it too.

Invariants: at most `LONGEST` certificates in a path, `MOST_PATHS` paths, `MOST_CHECKS` signatures
for one chain, no certificate twice in one path. Hostile chains can waste no more than that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING

from stress.trust.reading.certificate import CertificateFacts, describe
from stress.trust.reading.name import NormalName

# Checks one signature of one certificate by one key, and says when that cannot be known.
#
# The work is `cryptography`'s. The algorithm identifiers are ours because that library no longer
# verifies SHA-1 certificate signatures through its X.509 layer, and a weak but genuine signature
# must be told apart from a wrong one. Whether an algorithm is acceptable is a policy's business.

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hashes import HashAlgorithm


class Signature(Enum):
    """What became of one check."""

    GOOD = auto()
    BAD = auto()
    UNCHECKED = auto()
    """The key or the algorithm is unknown to our library; clients may know it."""


@lru_cache(maxsize=1024)
def check(child: CertificateFacts, issuer: CertificateFacts) -> Signature:
    """Whether `issuer`'s key made the signature in `child`. Names are not compared."""
    from cryptography.exceptions import (  # noqa: PLC0415  slow import, needed late
        InvalidSignature,
        UnsupportedAlgorithm,
    )

    try:
        return _verify(child, issuer.spki)
    except InvalidSignature:
        return Signature.BAD
    except (UnsupportedAlgorithm, ValueError, TypeError):
        return Signature.UNCHECKED


def _verify(child: CertificateFacts, spki: bytes) -> Signature:
    from cryptography.hazmat.primitives.asymmetric import (  # noqa: PLC0415  as above
        ec,
        ed448,
        ed25519,
        padding,
        rsa,
    )
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415  as above
        load_der_public_key,
    )

    scheme, signed, signature = child.signing.scheme, child.signed_part, child.signature_value
    key = load_der_public_key(spki)
    if isinstance(key, rsa.RSAPublicKey) and scheme == "RSA":
        key.verify(signature, signed, padding.PKCS1v15(), _digest(child.signing.digest))
    elif isinstance(key, rsa.RSAPublicKey) and scheme == "RSA-PSS":
        digest = _digest(child.signing.digest)
        scheme_padding = padding.PSS(padding.MGF1(digest), padding.PSS.AUTO)
        key.verify(signature, signed, scheme_padding, digest)
    elif isinstance(key, ec.EllipticCurvePublicKey) and scheme == "ECDSA":
        key.verify(signature, signed, ec.ECDSA(_digest(child.signing.digest)))
    elif isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
        if scheme not in {"Ed25519", "Ed448"}:
            return Signature.BAD
        key.verify(signature, signed)
    else:
        # A known key of another kind than the algorithm asks for cannot have made it.
        return Signature.BAD if scheme else Signature.UNCHECKED
    return Signature.GOOD


def _digest(name: str) -> HashAlgorithm:
    """The library's digest.

    Raises:
        ValueError: one it has not (MD2, MD4).
    """
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415  slow import, needed late

    known: dict[str, HashAlgorithm] = {
        "MD5": hashes.MD5(),  # noqa: S303  to recognise it, not to rely on it
        "SHA-1": hashes.SHA1(),  # noqa: S303  the same
        "SHA-224": hashes.SHA224(),
        "SHA-256": hashes.SHA256(),
        "SHA-384": hashes.SHA384(),
        "SHA-512": hashes.SHA512(),
    }
    if name not in known:
        raise ValueError(f"the digest {name} is unknown")
    return known[name]


LONGEST = 15
"""Certificates in a path; Apple's limit (SecTrustServer.c), Android's is 20."""
MOST_PATHS = 100
MOST_CHECKS = 200
MOST_STEPS = 2_000


@dataclass(frozen=True, slots=True)
class Link:
    """One certificate of a path."""

    facts: CertificateFacts
    position: int | None
    """Where it stood in the order sent; None: it was not sent (an anchor, or remembered)."""


@dataclass(frozen=True, slots=True)
class Path:
    """A leaf, its issuer, that one's issuer and so on."""

    links: tuple[Link, ...]
    unchecked: bool = False
    """A signature in it could not be checked by our library."""

    @property
    def top(self) -> Link:
        """The last certificate."""
        return self.links[-1]


@dataclass(frozen=True, slots=True)
class Paths:
    """All that can be built from one chain."""

    complete: tuple[Path, ...]
    """Those that end in an anchor, in the order found."""
    longest: Path
    """The longest that ends in no anchor; the leaf alone at least."""
    broken: tuple[tuple[Link, Link], ...]
    """Pairs whose names fit and whose signature does not: (certificate, would-be issuer)."""


class Issuers:
    """Certificates found by the name of their subject."""

    def __init__(self, ders: Iterable[bytes] = ()) -> None:
        self._by_name: dict[NormalName, list[CertificateFacts]] = {}
        for der in ders:
            self.add(describe(der))

    def add(self, facts: CertificateFacts) -> None:
        """Remembers one more; unreadable ones have no name and are left out."""
        if not facts.unreadable:
            self._by_name.setdefault(facts.subject_name.normal, []).append(facts)

    def named(self, name: NormalName) -> list[CertificateFacts]:
        """Those with this subject."""
        return self._by_name.get(name, [])

    def same_key(self, facts: CertificateFacts) -> CertificateFacts | None:
        """The one with the subject and key of `facts`, if there is one."""
        named = self.named(facts.subject_name.normal)
        return next((one for one in named if one.spki == facts.spki), None)


@dataclass(slots=True)
class _Search:
    """The state of one search, so that its bounds hold over all branches."""

    anchors: Issuers
    sent: dict[NormalName, list[Link]]
    known: Issuers
    complete: list[Path] = field(default_factory=list)
    longest: Path | None = None
    broken: list[tuple[Link, Link]] = field(default_factory=list)
    checks: int = 0
    steps: int = 0

    def run(self, leaf: Link) -> None:
        stack = [Path((leaf,))]
        while stack and len(self.complete) < MOST_PATHS and self.steps < MOST_STEPS:
            self.steps += 1
            path = stack.pop()
            anchor = self._anchor_of(path.top)
            if anchor is not None:
                top = path.top if path.top.facts.der == anchor.der else Link(anchor, None)
                self.complete.append(Path((*path.links[:-1], top), path.unchecked))
                if anchor.self_issued:
                    continue
            elif self.longest is None or len(path.links) > len(self.longest.links):
                self.longest = path
            stack.extend(reversed(list(self._longer(path))))

    def _anchor_of(self, link: Link) -> CertificateFacts | None:
        """The anchor that this certificate is; a leaf must be the very certificate."""
        anchor = self.anchors.same_key(link.facts)
        return None if link.position == 0 and anchor and anchor.der != link.facts.der else anchor

    def _longer(self, path: Path) -> Iterator[Path]:
        """The path with each possible issuer behind it."""
        top = path.top
        if len(path.links) >= LONGEST or (top.facts.self_issued and self._ends_here(top)):
            return
        inside = {_identity(link.facts) for link in path.links}
        for issuer in self._candidates(top.facts.issuer_name.normal):
            if _identity(issuer.facts) in inside:
                continue
            result = self._check(top, issuer)
            if result is Signature.BAD:
                self.broken.append((top, issuer))
            else:
                unchecked = path.unchecked or result is Signature.UNCHECKED
                yield Path((*path.links, issuer), unchecked)

    def _candidates(self, name: NormalName) -> Iterator[Link]:
        """Anchors first, then what was sent, then what is known; copies of anchors only once."""
        anchors = self.anchors.named(name)
        yield from (Link(facts, None) for facts in anchors)
        tried = {_identity(facts) for facts in anchors}
        known = (Link(facts, None) for facts in self.known.named(name))
        for link in (*self.sent.get(name, ()), *known):
            if _identity(link.facts) not in tried:
                yield link

    def _ends_here(self, link: Link) -> bool:
        return self._check(link, link) is not Signature.BAD

    def _check(self, child: Link, issuer: Link) -> Signature:
        self.checks += 1
        if self.checks > MOST_CHECKS:
            return Signature.BAD
        return check(child.facts, issuer.facts)


def _identity(facts: CertificateFacts) -> tuple[NormalName, bytes]:
    """Two certificates of one name and key are one and the same issuer (RFC 4158 section 5.2)."""
    return facts.subject_name.normal, facts.spki


def build_paths(
    sent: Sequence[CertificateFacts], anchors: Issuers, known: Issuers | None = None
) -> Paths:
    """All paths from the first certificate.

    Args:
        sent: the chain in the order sent; the first one is readable.
        anchors: where a path may end.
        known: certificates that were not sent and may stand between; None: as it was sent.
    """
    by_name: dict[NormalName, list[Link]] = {}
    seen = set[bytes]()
    for position, facts in enumerate(sent):
        if position and not facts.unreadable and facts.der not in seen:
            by_name.setdefault(facts.subject_name.normal, []).append(Link(facts, position))
        seen.add(facts.der)
    leaf = Link(sent[0], 0)
    search = _Search(anchors, by_name, known or Issuers())
    search.run(leaf)
    return Paths(tuple(search.complete), search.longest or Path((leaf,)), tuple(search.broken))


def open_end(certificates: Sequence[bytes]) -> CertificateFacts | None:
    """The certificate whose issuer did not come, going by what was sent and nothing else.

    Args:
        certificates: DER in the order sent; that may be wrong, and strangers may be among them.

    Returns:
        The end of the longest path from the leaf; None when the leaf cannot be read.
    """
    sent = [describe(der) for der in certificates]
    if not sent or sent[0].unreadable:
        return None
    return build_paths(sent, Issuers()).longest.top.facts
