"""Rules about keys: their type and strength, the digests that they sign, and pins."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

from stress.errors import UsageError
from stress.model.chain import Finding
from stress.model.outcome import Category
from stress.trust.path import Signature, check
from stress.trust.policy import Settings
from stress.trust.reading.certificate import short_name
from stress.trust.reading.key import KeyKind, is_point
from stress.trust.rules.context import Context


class KeySettings(Settings, frozen=True):
    """Which keys and digests are acceptable."""

    rsa_bits: int = 1024
    rsa_tolerated: int = 20_000
    """Fewer than `rsa_bits` that are accepted all the same."""
    most_rsa_bits: int = 16_384
    """Of a leaf."""
    ec_bits: int = 224
    leaf_keys: tuple[KeyKind, ...] = (KeyKind.RSA, KeyKind.EC)
    handshake_key: bool = False
    """The kind of the leaf's key is a matter of the handshake, before the chain is judged (check
    `handshake-key`)."""
    issuer_curves: tuple[str, ...] = ()
    """Curves that an issuer's key may use; empty: all."""
    raw_names: Literal["no", "odd", "all"] = "no"
    """An issuer's name must be, octet by octet, the one that the certificate gives: never, with
    strings that are neither UTF8String nor PrintableString, or always."""
    equal_parameters: bool = True
    """The signature algorithm inside and outside must have the same parameters, too."""
    algorithms_signed: bool = True
    """A certificate that names two signature algorithms counts as not signed by its issuer; else
    only as one with a broken part."""
    unanchored: bool = False
    """A signature counts also on a path that ends in no anchor."""
    unissued_signature: bool = True
    """The algorithm of a signature counts even where there is no issuer."""
    unknown_curves: bool = True
    """A curve that nobody knows is accepted."""
    points: bool = True
    """A key on a curve must be a point of it."""
    curves: tuple[str, ...] = ()
    """Curves that a leaf may use; empty: all."""
    weak_digests: tuple[str, ...] = ("MD2", "MD4", "MD5", "SHA-1")
    weak_digests_public_only: tuple[str, ...] = ()
    """Rejected only under publicly trusted roots."""
    pins_leaf_only: bool = False


def key_findings(context: Context) -> Iterator[Finding]:
    """Every key of the path must be large enough, and the leaf's of an accepted type."""
    settings = context.policy.settings(KeySettings)
    for link in context.path.links:
        key, leaf = link.facts.public_key, link.position == 0
        if "public key" in link.facts.broken:
            continue
        on_curve = key.kind is KeyKind.EC
        curves = settings.curves if leaf else settings.issuer_curves
        limited = curves and (on_curve or (leaf and key.kind is KeyKind.EDWARDS))
        reasons = {
            f"at least RSA {settings.rsa_bits} is required": key.kind is KeyKind.RSA
            and key.bits < min(settings.rsa_bits, settings.rsa_tolerated),
            f"at most RSA {settings.most_rsa_bits} is accepted": leaf
            and key.kind is KeyKind.RSA
            and key.bits > settings.most_rsa_bits,
            f"at least {settings.ec_bits} bits are required": on_curve
            and 0 < key.bits < settings.ec_bits,
            "which is no point of its curve": settings.points
            and on_curve
            and not is_point(link.facts.spki),
            "an unknown curve": on_curve
            and key.curve.startswith("curve ")
            and not settings.unknown_curves,
            "a named curve is required": key.curve == "explicit",
            "this key type is not accepted": leaf and key.kind not in settings.leaf_keys,
            "this curve is not accepted": bool(limited) and key.curve not in curves,
        }
        # An unknown size is accepted.
        reason = next((reason for reason, holds in reasons.items() if holds), "")
        if reason:
            whose = "" if leaf else f"{short_name(link.facts)}: "
            detail = f"{whose}{link.facts.key}, {reason}"
            kind = settings.handshake_key and leaf and "not accepted" in reason
            check = "handshake-key" if kind else ""
            yield Finding(Category.WEAK_KEY, link.position, detail, check=check)


def signature_findings(context: Context) -> Iterator[Finding]:
    """No signature of the path may use a broken digest, except that of a root on itself."""
    settings = context.policy.settings(KeySettings)
    weak = set(settings.weak_digests)
    if context.public:
        weak.update(settings.weak_digests_public_only)
    for link in context.below_anchor:
        facts = link.facts
        whose = "" if link.position == 0 else f"{short_name(facts)} "
        top = link is context.path.top
        own = facts.self_issued and top
        if top and not context.anchored and not settings.unissued_signature:
            continue
        if facts.signing.scheme not in context.policy.schemes and not own:
            detail = f"{whose}signed {facts.signature}, which is not known here"
            yield Finding(Category.WEAK_SIGNATURE, link.position, detail)
        # A root's signature on itself proves nothing, whether the root is trusted or not.
        if facts.signing.digest in weak and not own:
            detail = f"{whose}signed {facts.signature}"
            yield Finding(Category.WEAK_SIGNATURE, link.position, detail)


def pin_findings(context: Context) -> Iterator[Finding]:
    """One key of the path (for curl: the leaf's) must be pinned, if there are any pins."""
    leaf_only = context.policy.settings(KeySettings).pins_leaf_only
    links = context.path.links[:1] if leaf_only else context.path.links
    keys = [link.facts.spki_sha256 for link in links]
    if context.pins and not set(keys) & set(context.pins):
        shown = ", ".join(f"sha256//{b64encode(key).decode()}" for key in keys[:2])
        more = f" and {len(keys) - 2} more" if len(keys) > 2 else ""
        yield Finding(Category.PIN_MISMATCH, 0, f"no pinned key among {shown}{more}")


def signer_findings(context: Context) -> Iterator[Finding]:
    """Every certificate must be signed by the next one's key.

    That fails only on a path that was selected before its signatures were verified.
    """
    settings, wrong = context.policy.settings(KeySettings), Category.WRONG_INTERMEDIATE
    parts = {
        "signature algorithm",
        *(["signature parameters"] if settings.equal_parameters else []),
    }
    links = context.path.links if context.anchored or settings.unanchored else ()
    for child, issuer in pairwise(links):
        names = child.facts.issuer_name, issuer.facts.subject_name
        if names[0].normal != names[1].normal:
            continue  # no path: `selection.unlinked` says so
        compared = settings.raw_names == "all" or (
            settings.raw_names == "odd" and any(one.odd_strings for one in names)
        )
        if compared and names[0].der != names[1].der:
            detail = f"{short_name(issuer.facts)} encodes its name in another way"
            yield Finding(wrong, issuer.position, detail, check="signature")
        # What is signed in a way that the client does not know is said elsewhere.
        known = child.facts.signing.scheme in context.policy.schemes
        differs = settings.algorithms_signed and not child.facts.broken.isdisjoint(parts)
        if differs or (known and check(child.facts, issuer.facts) is Signature.BAD):
            whom = "the leaf" if child.position == 0 else short_name(child.facts)
            did = "names another algorithm inside than outside" if differs else ""
            detail = f"{short_name(issuer.facts)} has the issuer's name, but did not sign {whom}"
            detail = f"{whom} {did}" if did else detail
            yield Finding(wrong, issuer.position, detail, check="signature")


RULES = (key_findings, signature_findings, signer_findings, pin_findings)


def parse_pin(text: str) -> bytes:
    """The SHA-256 of a public key, from curl's form `sha256//BASE64` (or OkHttp's `sha256/`).

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
            f"{text[:60]!r} is not a valid pin of a public key",
            "--pin takes sha256//BASE64, as curl's --pinnedpubkey: the SHA-256 of the key's DER",
        )
    return digest
