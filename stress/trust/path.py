"""Builds every path from a leaf to an anchor that the sent certificates allow.

Clients do not follow the order in which certificates were sent: they search. A path is a series of
certificates in which each one's issuer name is the next one's subject name, and the next one's key
made the signature; it ends in an anchor. Extra, repeated and unordered certificates do no harm, and
a cross-signed root gives several paths. So all paths are built once, and each policy picks the one
with the least against it.

Subtle: a certificate *is* an anchor if an anchor has the same name and key, whatever else it says.
A sent copy of a root that another root signed counts as that root (OpenSSL's trusted-first, and all
current clients). An anchor that is not a self-signed root ends a path for some clients (curl, Go,
Java) but not for others (OpenSSL without PARTIAL_CHAIN), so the path also continues above it.

Signatures are verified by `cryptography`, with our own reading of the algorithm identifiers: that
library no longer verifies SHA-1 certificate signatures through its X.509 layer, and a weak but
genuine signature must be told apart from a wrong one. Policies decide what is acceptable.

Invariants: at most `LONGEST` certificates in a path, `MOST_PATHS` paths, `MOST_CHECKS` signatures
for one chain, no certificate twice in one path. This bounds what hostile chains can cost.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache

from stress.model.chain import Finding, Refusal
from stress.model.outcome import Category
from stress.text.escape import printable
from stress.trust.policy import Aia, Memory, Policy
from stress.trust.reading.certificate import CertificateFacts, describe, short_name, shown_issuer
from stress.trust.reading.extension import NormalName, organizations

LONGEST = 101
"""Certificates in a path."""
MOST_PATHS = 100
MOST_CHECKS = 200
MOST_STEPS = 2_000


class Signature(Enum):
    """The result of one check."""

    GOOD = auto()
    BAD = auto()
    UNCHECKED = auto()
    """Our library does not know the key type or the algorithm; clients may. Counts as good."""


@lru_cache(maxsize=1024)
def check(child: CertificateFacts, issuer: CertificateFacts) -> Signature:
    """Whether `issuer`'s key made the signature in `child`. Names are not compared."""
    # cryptography is slow to import, and needed only once there is a chain.
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import (  # noqa: PLC0415
        dsa,
        ec,
        ed448,
        ed25519,
        mldsa,
        padding,
        rsa,
    )
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415

    scheme, signed, signature = child.signing.scheme, child.signed_part, child.signature_value

    own_algorithms: dict[str, type] = {
        "Ed25519": ed25519.Ed25519PublicKey,
        "Ed448": ed448.Ed448PublicKey,
        "ML-DSA-44": mldsa.MLDSA44PublicKey,
        "ML-DSA-65": mldsa.MLDSA65PublicKey,
        "ML-DSA-87": mldsa.MLDSA87PublicKey,
    }

    def digest(name: str = child.signing.digest) -> hashes.HashAlgorithm:
        # Also MD5 and SHA-1: to recognise them, not to rely on.
        kind: type[hashes.HashAlgorithm] = getattr(hashes, name.replace("-", ""))
        return kind()

    try:
        key = load_der_public_key(issuer.spki)
        if isinstance(key, rsa.RSAPublicKey) and scheme == "RSA":
            key.verify(signature, signed, padding.PKCS1v15(), digest())
        elif isinstance(key, rsa.RSAPublicKey) and scheme.startswith("RSA-PSS"):
            signing = child.signing
            salted = padding.PSS(padding.MGF1(digest(signing.mask)), signing.salt)
            key.verify(signature, signed, salted, digest())
        elif isinstance(key, ec.EllipticCurvePublicKey) and scheme == "ECDSA":
            key.verify(signature, signed, ec.ECDSA(digest()))
        elif isinstance(key, dsa.DSAPublicKey) and scheme == "DSA":
            key.verify(signature, signed, digest())
        elif scheme in own_algorithms and isinstance(key, own_algorithms[scheme]):
            verify: Callable[[bytes, bytes], None] = getattr(key, "verify")  # noqa: B009  one form
            verify(signature, signed)
        elif scheme or isinstance(key, tuple(own_algorithms.values())):
            # A key of another kind than the algorithm needs cannot have made the signature.
            return Signature.BAD
        else:
            return Signature.UNCHECKED
    except InvalidSignature:
        return Signature.BAD
    except (UnsupportedAlgorithm, AttributeError, ValueError, TypeError):
        return Signature.UNCHECKED
    return Signature.GOOD


@dataclass(frozen=True, slots=True)
class Link:
    """One certificate of a path."""

    facts: CertificateFacts
    position: int | None
    """Its place in the order sent; None: it was not sent (an anchor, or from another chain)."""


@dataclass(frozen=True, slots=True)
class Path:
    """A leaf, its issuer, the issuer's issuer and so on."""

    links: tuple[Link, ...]

    @property
    def top(self) -> Link:
        """The last certificate."""
        return self.links[-1]

    @property
    def places(self) -> frozenset[int | None]:
        """The positions of its certificates."""
        return frozenset(one.position for one in self.links)


@dataclass(frozen=True, slots=True)
class Paths:
    """Everything that can be built from one chain."""

    complete: tuple[Path, ...]
    """Those that end in an anchor, in the order found."""
    longest: Path
    """The longest that does not end in an anchor; at least the leaf alone."""
    broken: tuple[tuple[Link, Link], ...]
    """Pairs whose names match but whose signature is wrong: (certificate, would-be issuer)."""
    dead_ends: tuple[Path, ...] = ()
    """Those that end in no anchor, and that nothing continues."""

    @property
    def unsent(self) -> Iterator[CertificateFacts]:
        """What the complete ones hold beyond the certificates sent."""
        for path in self.complete:
            yield from (link.facts for link in path.links[1:] if link.position is None)


class Issuers:
    """Certificates by the name of their subject."""

    def __init__(self, ders: Iterable[bytes] = ()) -> None:
        self._by_name: dict[NormalName, list[CertificateFacts]] = {}
        for der in ders:
            self.add(describe(der))

    def add(self, facts: CertificateFacts) -> None:
        """Adds one; unreadable ones have no name and are left out."""
        if not facts.unreadable:
            self._by_name.setdefault(facts.subject_name.normal, []).append(facts)

    def __iter__(self) -> Iterator[CertificateFacts]:
        return (one for named in self._by_name.values() for one in named)

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
    signed: bool = True
    complete: list[Path] = field(default_factory=list)
    longest: Path | None = None
    broken: list[tuple[Link, Link]] = field(default_factory=list)
    dead_ends: list[Path] = field(default_factory=list)
    checks: int = 0
    steps: int = 0

    def run(self, leaf: Link) -> None:
        stack = [Path((leaf,))]
        while stack and len(self.complete) < MOST_PATHS and self.steps < MOST_STEPS:
            self.steps += 1
            path = stack.pop()
            anchor = self.anchors.same_key(path.top.facts)
            if anchor is not None and path.top.position == 0:
                # A leaf is an anchor only if it is that very certificate.
                anchor = anchor if anchor.der == path.top.facts.der else None
            if anchor is not None:
                top = path.top if path.top.facts.der == anchor.der else Link(anchor, None)
                self.complete.append(Path((*path.links[:-1], top)))
                if anchor.self_issued:
                    continue
            elif self.longest is None or len(path.links) > len(self.longest.links):
                self.longest = path
            longer = list(self._longer(path))
            if anchor is None and not longer:
                self.dead_ends.append(path)
            stack.extend(reversed(longer))

    def _longer(self, path: Path) -> Iterator[Path]:
        """The path extended by each possible issuer."""
        top = path.top
        if len(path.links) >= LONGEST:
            return
        if top.facts.self_issued and self._check(top, top) is not Signature.BAD:
            return
        inside = {name_and_key(link.facts) for link in path.links}
        # Anchors first, then what was sent, then what is known. A sent certificate of an anchor's
        # name and key is tried, too: its anchor may be odd.
        name = top.facts.issuer_name.normal
        anchors = [Link(facts, None) for facts in self.anchors.named(name)]
        tried = {link.facts.der for link in anchors}
        known = (Link(facts, None) for facts in self.known.named(name))
        others = (*self.sent.get(name, ()), *known)
        for issuer in (*anchors, *(link for link in others if link.facts.der not in tried)):
            if name_and_key(issuer.facts) in inside:
                continue
            if self.signed and self._check(top, issuer) is Signature.BAD:
                self.broken.append((top, issuer))
            else:
                yield Path((*path.links, issuer))

    def _check(self, child: Link, issuer: Link) -> Signature:
        self.checks += 1
        if self.checks > MOST_CHECKS:
            return Signature.BAD
        return check(child.facts, issuer.facts)


def name_and_key(facts: CertificateFacts) -> tuple[NormalName, bytes]:
    """Certificates of one name and key are the same issuer (RFC 4158 section 5.2)."""
    return facts.subject_name.normal, facts.spki


def build_paths(
    sent: Sequence[CertificateFacts],
    anchors: Issuers,
    known: Issuers | None = None,
    *,
    signed: bool = True,
) -> Paths:
    """All paths from the first certificate.

    Args:
        sent: the chain in the order sent; its first certificate is readable.
        anchors: where a path may end.
        known: further certificates that may be part of a path; None: only those sent.
        signed: every certificate must be signed by the next; else names suffice.
    """
    by_name: dict[NormalName, list[Link]] = {}
    seen = set[bytes]()
    for position, facts in enumerate(sent):
        if position and not facts.unreadable and facts.der not in seen:
            by_name.setdefault(facts.subject_name.normal, []).append(Link(facts, position))
        seen.add(facts.der)
    leaf = Link(sent[0], 0)
    search = _Search(anchors, by_name, known or Issuers(), signed)
    search.run(leaf)
    longest = search.longest or Path((leaf,))
    ends = tuple(search.dead_ends)
    return Paths(tuple(search.complete), longest, tuple(search.broken), ends)


def open_end(certificates: Sequence[bytes]) -> CertificateFacts | None:
    """The certificate whose issuer was not sent, judging only by what was sent.

    Args:
        certificates: DER in the order sent, which may be wrong and include unrelated ones.

    Returns:
        The end of the longest path from the leaf; None when the leaf cannot be read.
    """
    sent = [describe(der) for der in certificates]
    if not sent or sent[0].unreadable:
        return None
    return build_paths(sent, Issuers()).longest.top.facts


# Says why no path reaches an anchor, from the chain itself rather than from an error number.
#
# Libraries report "unable to get local issuer certificate" alike for a node that does not send its
# intermediate, for one that sends another CA's, and for a private CA. The chain tells them apart:
#
# * the leaf is self-signed: `self-signed`;
# * intermediates were sent, but none of them signed the leaf: `wrong-intermediate`;
# * the path ends at a sent (or known) root that is not an anchor: `untrusted-root`;
# * the missing issuer is known, from another chain of this run or as a public CA's, and leads to an
#   anchor: `incomplete-chain`;
# * the leaf was sent alone, and its issuer is known by name only: `incomplete-chain`, more likely
#   than a CA of the same name;
# * nothing is known of the last one's issuer: `untrusted-root`, more likely than an intermediate
#   that was left out.
#
# Subtle: the last two leave both readings open. So the detail names both, the issuer that was not
# sent, and where the certificate says it is available; `--aia` settles the question.

REPAIRABLE = frozenset({Category.INCOMPLETE_CHAIN, Category.WRONG_INTERMEDIATE})
"""What a client can repair by itself if it has or fetches the missing certificate."""
OPEN = REPAIRABLE | {Category.UNTRUSTED_ROOT}
"""Where fetching an issuer may show what is wrong."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Why there is no path."""

    category: Category
    position: int | None
    detail: str
    fetchable: bool = False
    """A certificate below the gap gives an http URL of its issuer."""

    def finding(self, policy: Policy) -> Finding:
        """The gap as this policy's clients judge it."""
        fetched = policy.aia is Aia.HTTP and self.fetchable
        repaired = self.category in REPAIRABLE and (fetched or policy.memory is not Memory.NONE)
        refusal = Refusal.SOMETIMES if repaired else Refusal.YES
        return Finding(self.category, self.position, self.detail, refusal)


@dataclass(frozen=True, slots=True)
class Known:
    """What may be missing from a chain."""

    issuers: Issuers
    """Certificates of other chains, and of public CAs."""
    met: Container[bytes] = ()
    """DER of those that other chains of this run have."""
    organizations: Container[str] = ()
    """Names (O, folded) of those who run a CA that some client trusts."""


def find_gap(
    sent: tuple[CertificateFacts, ...],
    paths: Paths,
    anchors: Issuers,
    known: Known,
    *,
    private: bool,
) -> Gap:
    """Why none of the paths is complete.

    Args:
        sent: the chain in the order sent; its first certificate is readable.
        paths: what could be built from it.
        anchors: the trust anchors.
        known: what was not sent and may be missing.
        private: the anchors are those of the target's own CA (`--ca`).
    """
    leaf, top = paths.longest.links[0], paths.longest.top
    if leaf.facts.self_issued and (leaf, leaf) not in paths.broken and top is leaf:
        return Gap(Category.SELF_SIGNED, 0, f"self-signed by {short_name(leaf.facts)}")
    if top.facts.self_issued:
        detail = f"the root {short_name(top.facts)} was sent and is not a trust anchor"
        return Gap(Category.UNTRUSTED_ROOT, top.position, detail)
    wrong = _wrong(sent, paths, top)
    if wrong is not None:
        return wrong
    # The issuer of the last certificate was not sent.
    urls = [url for url in top.facts.aia_issuers if url.lower().startswith(("http:", "https:"))]
    fetchable = any(url.lower().startswith("http:") for url in urls)
    further = build_paths(sent, anchors, known.issuers)
    missing = next((one for one in further.unsent if anchors.same_key(one) is None), None)
    if missing is not None:
        whence = "other chains of this run have it"
        if missing.der not in known.met:
            whence = f"it is a known certificate of {shown_issuer(missing)}"
        detail = f"{short_name(missing)} was not sent; {whence}"
        return Gap(Category.INCOMPLETE_CHAIN, None, detail, fetchable)
    if further.longest.top.facts.self_issued:
        detail = f"its root {short_name(further.longest.top.facts)} is not a trust anchor"
        return Gap(Category.UNTRUSTED_ROOT, None, detail)
    where = f" (available at {printable(urls[0], 100)})" if urls else ""
    issuer = shown_issuer(top.facts)
    detail = f"the issuer {issuer} was not sent and is not a trust anchor{where}"
    name, lone = top.facts.issuer_name.normal, top.position == 0
    # Both readings are open for a leaf alone. An issuer of a known name or organization, one that
    # the CA of the user's own anchors publishes, and one below an anchor that was sent were
    # probably left out; nobody trusts one that nobody knows.
    if lone and (
        known.issuers.named(name)
        or anchors.named(name)
        or any(one in known.organizations for one in organizations(name))
        or any(anchors.same_key(facts) for facts in sent[1:])
        or (private and fetchable)
    ):
        detail += "; or another CA of this name issued the leaf"
        category, position = Category.INCOMPLETE_CHAIN, None
    else:
        detail += "; or it is an intermediate below one" if lone else ""
        category, position = Category.UNTRUSTED_ROOT, top.position
    return Gap(category, position, detail, fetchable)


def _wrong(sent: tuple[CertificateFacts, ...], paths: Paths, top: Link) -> Gap | None:
    """The gap if intermediates were sent, but none that signed the leaf; else None."""
    fetchable = any(url.lower().startswith("http:") for url in top.facts.aia_issuers)
    for child, issuer in paths.broken:
        if child == top:
            whom = "the leaf" if top.position == 0 else short_name(top.facts)
            detail = f"{short_name(issuer.facts)} has the issuer's name, but did not sign {whom}"
            return Gap(Category.WRONG_INTERMEDIATE, issuer.position, detail, fetchable)
    for position, facts in enumerate(sent):
        other = facts.der != sent[0].der and not facts.unreadable and facts.is_ca
        if top.position == 0 and other and not facts.self_issued:
            detail = f"{short_name(facts)} was sent, the leaf is from {shown_issuer(top.facts)}"
            return Gap(Category.WRONG_INTERMEDIATE, position, detail, fetchable)
    return None
