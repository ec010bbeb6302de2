"""Says why no path reaches an anchor, from the chain itself rather than from an error number.

Libraries report "unable to get local issuer certificate" alike for a node that does not send its
intermediate, for one that sends another CA's, and for a private CA. The chain tells them apart:

* the leaf is self-signed: `self-signed`;
* intermediates were sent, but none of them signed the leaf: `wrong-intermediate`;
* the path ends at a sent (or known) root that is not an anchor: `untrusted-root`;
* the missing issuer is known from another chain of this run and leads to an anchor, or the leaf
  was sent alone and its issuer is not an anchor: `incomplete-chain`;
* intermediates were sent and match, only the last one's issuer is unknown: `untrusted-root`.

Subtle: the last two cannot always be told apart, because the second of two intermediates may be
missing. Public intermediates, too, have a caIssuers URL (of their root), so it proves nothing for
them; for a leaf it does. So the detail always names the issuer that was not sent and where the
certificate says it is available, and `--aia` settles the question.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stress.model.outcome import Category
from stress.model.verdict import Finding, Refusal
from stress.text.escape import printable
from stress.trust.path import Issuers, Link, Paths, build_paths
from stress.trust.policy import Aia, Memory, Policy
from stress.trust.reading.certificate import CertificateFacts, short_name, shown_issuer

REPAIRABLE = frozenset({Category.INCOMPLETE_CHAIN, Category.WRONG_INTERMEDIATE})
"""What a client can repair by itself if it has or fetches the missing certificate."""


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


def find_gap(
    sent: tuple[CertificateFacts, ...],
    paths: Paths,
    anchors: Issuers,
    known: Issuers,
    *,
    private: bool,
) -> Gap:
    """Why none of the paths is complete.

    Args:
        sent: the chain in the order sent; its first certificate is readable.
        paths: what could be built from it.
        anchors: the trust anchors.
        known: intermediates and roots seen in other chains.
        private: the anchors are those of the target's own CA (`--ca`).
    """
    leaf, top = paths.longest.links[0], paths.longest.top
    if leaf.facts.self_issued and (leaf, leaf) not in paths.broken and top is leaf:
        return Gap(Category.SELF_SIGNED, 0, f"self-signed by {short_name(leaf.facts)}")
    if top.facts.self_issued:
        detail = f"the root {short_name(top.facts)} was sent and is not a trust anchor"
        return Gap(Category.UNTRUSTED_ROOT, top.position, detail)
    return _wrong(sent, paths, top) or _missing(sent, top, anchors, known, private=private)


def _wrong(sent: tuple[CertificateFacts, ...], paths: Paths, top: Link) -> Gap | None:
    """The gap if intermediates were sent, but none that signed the leaf; else None."""
    fetchable = any(url.lower().startswith("http:") for url in top.facts.aia_issuers)
    for child, issuer in paths.broken:
        if child is top:
            whom = "the leaf" if top.position == 0 else short_name(top.facts)
            detail = f"{short_name(issuer.facts)} has the issuer's name, but did not sign {whom}"
            return Gap(Category.WRONG_INTERMEDIATE, issuer.position, detail, fetchable)
    for position, facts in enumerate(sent):
        other = facts.der != sent[0].der and not facts.unreadable and facts.is_ca
        if top.position == 0 and other and not facts.self_issued:
            detail = f"{short_name(facts)} was sent, the leaf is from {shown_issuer(top.facts)}"
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
    """The gap if the issuer of the last certificate was not sent."""
    urls = [url for url in top.facts.aia_issuers if url.lower().startswith(("http:", "https:"))]
    fetchable = any(url.lower().startswith("http:") for url in urls)
    further = build_paths(sent, anchors, known)
    if further.complete:
        missing = next(link for link in further.complete[0].links[1:] if link.position is None)
        detail = f"{short_name(missing.facts)} was not sent; other chains of this run have it"
        return Gap(Category.INCOMPLETE_CHAIN, None, detail, fetchable)
    if further.longest.top.facts.self_issued:
        detail = f"its root {short_name(further.longest.top.facts)} is not a trust anchor"
        return Gap(Category.UNTRUSTED_ROOT, None, detail)
    where = f" (available at {printable(urls[0], 100)})" if urls else ""
    issuer = shown_issuer(top.facts)
    detail = f"the issuer {issuer} was not sent and is not a trust anchor{where}"
    # Under the CA's own root, a leaf alone lacks an intermediate. Under the system's store it more
    # often comes from a private CA, unless it says where its issuer is available.
    if top.position == 0 and (fetchable or private):
        return Gap(Category.INCOMPLETE_CHAIN, None, detail, fetchable)
    return Gap(Category.UNTRUSTED_ROOT, top.position, detail)


def malformed(sent: tuple[CertificateFacts, ...], policy: Policy) -> Iterator[Finding]:
    """Certificates that cannot be parsed, and parts that our decoder cannot parse."""
    for position, facts in enumerate(sent):
        if facts.unreadable:
            refusal = Refusal.YES if position == 0 else policy.unreadable_issuer
            detail = f"cannot be parsed: {printable(facts.unreadable, 80)}"
            yield Finding(Category.MALFORMED_CERTIFICATE, position, detail, refusal)
        for problem in facts.problems:
            odd = "iPAddress" in problem and position == 0
            refusal = policy.odd_address if odd else Refusal.NO
            detail = f"has a part that cannot be parsed: {printable(problem, 80)}"
            yield Finding(Category.MALFORMED_CERTIFICATE, position, detail, refusal)
