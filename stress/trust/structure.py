"""Says why no path reaches an anchor, by looking at the chain and not at an error number.

What is true. Libraries answer "unable to get local issuer certificate" alike to a node that forgot
its intermediate, to one that sends another one's, and to a private CA. The chain tells them apart:

* the leaf signed itself: `self-signed`;
* intermediates came and none of them signed the leaf: `wrong-intermediate`;
* the path ends at a sent (or known) root that is no anchor: `untrusted-root`;
* the missing issuer is known from another chain of this run, and leads to an anchor, or the leaf
  came alone and its issuer is no anchor: `incomplete-chain`;
* intermediates came and fit, only the last one's issuer is unknown: `untrusted-root`.

What is tricky. The last two cannot always be told apart: the second of two intermediates may be
missing. Public intermediates also carry a caIssuers address (of their root), so that alone proves
nothing for them; for a leaf it does. The detail therefore always names the issuer that was not
sent and where the certificate says it can be had, and `--aia` settles it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stress.model.outcome import Category
from stress.model.verdict import Finding, Refusal
from stress.text.escape import printable
from stress.trust.path import Issuers, Link, Paths, build_paths
from stress.trust.policy import Aia, Memory, Policy
from stress.trust.reading.certificate import CertificateFacts, short_name

REPAIRABLE = frozenset({Category.INCOMPLETE_CHAIN, Category.WRONG_INTERMEDIATE})
"""What a client may repair by itself when it has or fetches the missing certificate."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Why there is no path."""

    category: Category
    position: int | None
    detail: str
    fetchable: bool = False
    """A certificate below the gap says over http where its issuer can be had."""

    def finding(self, policy: Policy) -> Finding:
        """How this policy's clients take it."""
        return Finding(self.category, self.position, self.detail, self._refusal(policy))

    def _refusal(self, policy: Policy) -> Refusal:
        if self.category not in REPAIRABLE:
            return Refusal.YES
        fetched = policy.aia is Aia.HTTP and self.fetchable
        return Refusal.SOMETIMES if fetched or policy.memory is not Memory.NONE else Refusal.YES


def find_gap(
    sent: tuple[CertificateFacts, ...],
    paths: Paths,
    anchors: Issuers,
    known: Issuers,
    *,
    private: bool,
) -> Gap:
    """The reason why `paths` has no complete one.

    Args:
        sent: the chain in the order sent; its first certificate is readable.
        paths: what could be built from it.
        anchors: the trust anchors.
        known: intermediates and roots met elsewhere.
        private: the anchors are those of the target's own authority (`--ca`).
    """
    leaf, top = paths.longest.links[0], paths.longest.top
    if leaf.facts.self_issued and (leaf, leaf) not in paths.broken and top is leaf:
        return Gap(Category.SELF_SIGNED, 0, f"signed itself as {short_name(leaf.facts)}")
    if top.facts.self_issued:
        detail = f"the root {short_name(top.facts)} was sent and is no trust anchor"
        return Gap(Category.UNTRUSTED_ROOT, top.position, detail)
    return _wrong(sent, paths, top) or _missing(sent, top, anchors, known, private=private)


def _wrong(sent: tuple[CertificateFacts, ...], paths: Paths, top: Link) -> Gap | None:
    """Intermediates came, but none that signed the leaf."""
    forged = [(child, issuer) for child, issuer in paths.broken if child is top]
    fetchable = _fetchable(top.facts)
    for _, issuer in forged:
        detail = f"{short_name(issuer.facts)} has the issuer's name, but did not sign {_what(top)}"
        return Gap(Category.WRONG_INTERMEDIATE, issuer.position, detail, fetchable)
    leaf = sent[0]
    for position, facts in enumerate(sent):
        stranger = facts.der != leaf.der and not facts.unreadable and facts.is_ca
        if top.position == 0 and stranger and not facts.self_issued:
            detail = f"{short_name(facts)} was sent, the leaf is from {_issuer(top.facts)}"
            return Gap(Category.WRONG_INTERMEDIATE, position, detail, fetchable)
    return None


def _missing(
    sent: tuple[CertificateFacts, ...],
    top: Link,
    anchors: Issuers,
    known: Issuers,
    *,
    private: bool,
) -> Gap:
    """The issuer of the last certificate did not come."""
    issuer, where = _issuer(top.facts), _where(top.facts)
    fetchable = _fetchable(top.facts)
    further = build_paths(sent, anchors, known)
    if further.complete:
        missing = next(link for link in further.complete[0].links[1:] if link.position is None)
        detail = f"{short_name(missing.facts)} was not sent; other chains of this run have it"
        return Gap(Category.INCOMPLETE_CHAIN, None, detail, fetchable)
    if further.longest.top.facts.self_issued:
        detail = f"its root {short_name(further.longest.top.facts)} is no trust anchor"
        return Gap(Category.UNTRUSTED_ROOT, None, detail)
    detail = f"the issuer {issuer} was not sent and is no trust anchor{where}"
    # Under the authority's own root a leaf alone lacks what lies between. Under the system's store
    # it is more often signed by a company's authority, unless it says where its issuer can be had.
    if top.position == 0 and (fetchable or private):
        return Gap(Category.INCOMPLETE_CHAIN, None, detail, fetchable)
    return Gap(Category.UNTRUSTED_ROOT, top.position, detail)


def _issuer(facts: CertificateFacts) -> str:
    name = facts.issuer_name
    return printable(name.common_name or name.text, 80) or "without a name"


def _where(facts: CertificateFacts) -> str:
    urls = [url for url in facts.aia_issuers if url.lower().startswith(("http:", "https:"))]
    return f" (to be had at {printable(urls[0], 100)})" if urls else ""


def _what(link: Link) -> str:
    return "the leaf" if link.position == 0 else short_name(link.facts)


def _fetchable(facts: CertificateFacts) -> bool:
    return any(url.lower().startswith("http:") for url in facts.aia_issuers)


def malformed(sent: tuple[CertificateFacts, ...], policy: Policy) -> Iterator[Finding]:
    """Certificates that cannot be read, and parts that our decoder cannot."""
    for position, facts in enumerate(sent):
        if facts.unreadable:
            refusal = Refusal.YES if position == 0 else policy.unreadable_issuer
            detail = f"cannot be read: {printable(facts.unreadable, 80)}"
            yield Finding(Category.MALFORMED_CERTIFICATE, position, detail, refusal)
        for problem in facts.problems:
            odd = "iPAddress" in problem
            refusal = policy.odd_address if odd and position == 0 else Refusal.NO
            detail = f"has a part we cannot read: {printable(problem, 80)}"
            yield Finding(Category.MALFORMED_CERTIFICATE, position, detail, refusal)
