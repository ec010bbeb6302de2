"""Rules about cryptographic strength: keys and signature digests."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence

from stress.errors import UsageError
from stress.model.outcome import Category
from stress.model.verdict import Finding
from stress.trust.path import Link
from stress.trust.policy import Policy
from stress.trust.reading.certificate import CertificateFacts, short_name
from stress.trust.reading.key import KeyKind
from stress.trust.rules.context import Context


def key_findings(question: Context) -> Iterator[Finding]:
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


def signature_findings(question: Context) -> Iterator[Finding]:
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


# The rule about pinned keys, and how users write pins.


def parse_pin(text: str) -> bytes:
    """The SHA-256 of a public key, from curl's form `sha256//BASE64` (also `sha256/`, OkHttp's).

    Raises:
        UsageError: another form, or not 32 bytes.
    """
    kind, _, value = text.partition("/")
    # 32 bytes are 44 characters; one more is curl's second slash.
    value = value[1:] if len(value) == 45 and value[0] == "/" else value
    try:
        digest = b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if kind != "sha256" or len(digest) != 32:
        raise UsageError(
            f"{text[:60]!r} is no pin of a public key",
            "--pin takes sha256//BASE64, as curl's --pinnedpubkey: the SHA-256 of the key's DER",
        )
    return digest


def pin_findings(question: Context, pins: Sequence[bytes]) -> Iterator[Finding]:
    """One key of the path (for curl: the leaf's) must be among the pins, if there are any."""
    links = question.path.links[:1] if question.policy.pins_leaf_only else question.path.links
    keys = [link.facts.spki_sha256 for link in links]
    if pins and not set(keys) & set(pins):
        shown = ", ".join(f"sha256//{b64encode(key).decode()}" for key in keys[:2])
        more = f" and {len(keys) - 2} more" if len(keys) > 2 else ""
        yield Finding(Category.PIN_MISMATCH, 0, f"no pinned key among {shown}{more}")
