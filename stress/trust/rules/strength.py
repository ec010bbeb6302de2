"""Rules about cryptographic strength: keys and signature digests."""

from __future__ import annotations

from collections.abc import Iterator

from stress.model.outcome import Category
from stress.model.verdict import Finding
from stress.trust.path import Link
from stress.trust.policy import Policy
from stress.trust.reading.certificate import CertificateFacts, short_name
from stress.trust.reading.key import KeyKind
from stress.trust.rules.question import Question


def key_findings(question: Question) -> Iterator[Finding]:
    """Every key of the path must be large enough, and the leaf's of a kind that is known."""
    for link in question.path.links:
        reason = _weakness(link, question.policy)
        if reason:
            whose = "" if link.position == 0 else f"{short_name(link.facts)}: "
            detail = f"{whose}{link.facts.key}, {reason}"
            yield Finding(Category.WEAK_KEY, link.position, detail)


def _weakness(link: Link, policy: Policy) -> str:
    """Why the key is not accepted; empty when it is, or when its size is unknown to us."""
    key = link.facts.public_key
    if key.kind is KeyKind.RSA and key.bits < policy.rsa_bits:
        return f"at least RSA {policy.rsa_bits} is asked for"
    if key.kind is KeyKind.EC and 0 < key.bits < policy.ec_bits:
        return f"at least {policy.ec_bits} bits are asked for"
    if link.position != 0 or key.kind is KeyKind.OTHER:
        return ""
    if key.kind not in policy.leaf_keys:
        return "a key of this kind is not accepted"
    if key.kind is KeyKind.EC and policy.curves and key.curve not in policy.curves:
        return "this curve is not accepted"
    return ""


def signature_findings(question: Question) -> Iterator[Finding]:
    """No signature of the path, except the anchor's own, may use a broken digest."""
    weak = set(question.policy.weak_digests)
    if question.public:
        weak.update(question.policy.weak_digests_public_only)
    for link in question.below_anchor:
        if link.facts.signing.digest in weak and not _top_root(link.facts):
            whose = "" if link.position == 0 else f"{short_name(link.facts)} "
            detail = f"{whose}signed {link.facts.signature}"
            yield Finding(Category.WEAK_SIGNATURE, link.position, detail)


def _top_root(facts: CertificateFacts) -> bool:
    """A root's signature by itself says nothing, trusted or not."""
    return facts.self_issued and facts.is_ca
