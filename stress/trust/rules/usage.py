"""Rules about what a certificate may be used for: purposes, CA bits, critical extensions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Literal

import msgspec

from stress.model.chain import Finding, Refusal
from stress.model.outcome import Category
from stress.text.escape import printable
from stress.trust.policy import LONG_AGO, Scope, Settings, unix
from stress.trust.reading.certificate import CertificateFacts, short_name
from stress.trust.reading.der import named, tables
from stress.trust.reading.key import KeyKind
from stress.trust.rules.context import Context

_NO_USE = frozenset({"encipherOnly", "decipherOnly"})
"""What a keyUsage says about other uses, and is none."""


_NETSCAPE_SERVER = 0x40
_SIGNING_KEYS = frozenset({KeyKind.EC, KeyKind.EDWARDS})
"""Keys that can do nothing else in a handshake."""


class Presence(msgspec.Struct, frozen=True):
    """Where a leaf must have an extendedKeyUsage at all."""

    anchors: Scope
    issued_from: date = LONG_AGO


class UsageSettings(Settings, frozen=True):
    """Which purposes and extensions are acceptable."""

    purpose_needed: tuple[Presence, ...] = ()
    leaf_purpose: bool = True
    """A leaf's extendedKeyUsage must allow serverAuth."""
    any_purpose: bool = True
    """`anyExtendedKeyUsage` counts as serverAuth."""
    issuer_purpose: Scope = Scope.EVERY
    """Where an intermediate's extendedKeyUsage must allow serverAuth."""
    anchor_purpose: bool = False
    """An anchor's, too."""
    issuer_any_purpose: bool = True
    """There, too, `anyExtendedKeyUsage` counts as serverAuth."""
    also_server: tuple[str, ...] = ()
    """Names of old purposes that count as serverAuth."""
    also_known: tuple[str, ...] = ()
    """Names of extensions that only this client understands when critical."""
    also_unknown: tuple[str, ...] = ()
    """Names of extensions not understood when critical, although most clients understand them."""
    only_known_constraints: bool = False
    """Name constraints of kinds that are not compared are unknown when they are critical."""
    duplicate_extension: Refusal = Refusal.NO
    duplicates_unread: tuple[str, ...] = ()
    """But not of these, which the client does not read, nor of unknown ones."""
    usable_key: bool = False
    """A keyUsage must have one of its first seven bits (Java's AlgorithmChecker)."""
    leaf_usages: tuple[str, ...] = ()
    """A leaf with a keyUsage must have one of these; empty: not looked at."""
    netscape_type: bool = False
    """A leaf's netscapeCertType must be for servers."""
    lone_leaf_usage: bool = True
    """Also one that is itself an anchor."""
    signing_in: Literal["", "TLS 1.2", "TLS 1.3"] = ""
    """In which version of TLS a leaf's keyUsage must have digitalSignature, when the handshake has
    come to the signature: in 1.2 of a key on a curve (OpenSSL, ssl_check_srvr_ecc_cert_and_alg), in
    1.3 of any (GnuTLS, tls13/certificate_verify.c)."""
    handshake_usage: bool = False
    """That is a matter of the handshake, before the chain is judged (check `handshake-usage`)."""
    first_version: int = 1
    """Intermediates must be of this version at least."""
    anchor_ca: bool = True
    """An anchor without basicConstraints is no CA."""
    plain_path_length: bool = False
    """The path length of an issuer that is no CA counts, too."""
    anchor_path_length: bool = True
    """An anchor's path length counts."""
    negative_path_length: bool = True
    """A negative path length leaves no room; else it is none."""
    excess_at_fault: bool = False
    """A path that is too long is a fault of the first certificate beyond the limit."""
    count_self_issued: bool = False
    """Self-issued certificates use up the path length, too."""
    longest: int = 100
    """Certificates in a path."""
    empty_purposes: bool = False
    """An extendedKeyUsage without any purpose counts as none."""
    only_known_names: bool = False
    """A critical subjectAltName without any name of a kind that is compared is unknown."""
    empty_usage: bool = False
    """A keyUsage without any bit counts as none."""
    masked_usage: bool = True
    """Of an issuer's keyUsage the bits that it declares unused do not count."""
    readable_basics: bool = False
    """A basicConstraints that does not decode, or with a path length of more than 32 bits, makes no
    CA."""
    old_version: int = 2
    """Roots up to this version need no basicConstraints."""
    strict_ca: bool = False
    """Only basicConstraints makes a CA, and a leaf must not look like one."""
    root_by_usage: bool = False
    """An anchor without basicConstraints is a CA if its keyUsage says so."""
    unknown_at_anchor: bool = False
    """An anchor's extensions count, too."""
    ca_leaf: Refusal = Refusal.NO
    """The effect of a leaf that claims to be a CA."""
    lone_leaf: bool = True
    """A leaf that is itself an anchor, and no CA, needs no issuer."""
    ca_anchor_leaf: bool = False
    """Also of one that is itself an anchor."""


def purpose_findings(context: Context) -> Iterator[Finding]:
    """The leaf, and where the policy looks at them the intermediates, must allow serverAuth."""
    settings, leaf = context.policy.settings(UsageSettings), context.leaf
    if leaf.purposes is None:
        needed = any(
            rule.anchors.covers(public=context.public) and unix(rule.issued_from) <= leaf.not_before
            for rule in settings.purpose_needed
        )
        if context.anchored and needed:
            yield Finding(Category.MISSING_EKU, 0, "no extendedKeyUsage; serverAuth is required")
    elif settings.leaf_purpose and not _allows(leaf, settings, any_counts=settings.any_purpose):
        yield Finding(Category.WRONG_EKU, 0, f"for {_listed(leaf)} only, not for serverAuth")
    kind = leaf.netscape_type
    if settings.netscape_type and kind is not None and kind >= 0 and not kind & _NETSCAPE_SERVER:
        yield Finding(Category.WRONG_EKU, 0, "its netscapeCertType is not for servers")
    wanted = settings.leaf_usages
    if context.anchored and not context.issuers and not settings.lone_leaf_usage:
        wanted = ()
    if leaf.usages is not None and wanted and not set(leaf.usages) & set(wanted):
        listed = ", ".join(leaf.usages) or "nothing"
        detail = f"its key is for {listed}, not for {' or '.join(wanted)}"
        check = "handshake-usage" if settings.handshake_usage else ""
        yield Finding(Category.WRONG_EKU, 0, detail, check=check)
    if not settings.issuer_purpose.covers(public=context.public):
        return
    for link in context.issuers:
        facts = link.facts
        any_counts, anchors = settings.issuer_any_purpose, settings.anchor_purpose
        if (anchors or link in context.below_anchor) and not _allows(
            facts, settings, any_counts=any_counts
        ):
            detail = f"{short_name(facts)} may issue for {_listed(facts)} only"
            yield Finding(Category.WRONG_EKU, link.position, detail)


def signing_findings(context: Context) -> Iterator[Finding]:
    """The leaf's key must be for signatures in the versions of TLS in which the client looks."""
    version, leaf = context.policy.settings(UsageSettings).signing_in, context.leaf
    signs = leaf.usages is None or "digitalSignature" in leaf.usages
    if not version or signs or (version == "TLS 1.2" and leaf.public_key.kind not in _SIGNING_KEYS):
        return
    listed = ", ".join(leaf.usages or ()) or "nothing"
    detail = f"its key is for {listed}, not for digitalSignature, which is needed in {version}"
    yield Finding(Category.WRONG_EKU, 0, detail, Refusal.SOMETIMES, check="handshake")


def usable_findings(context: Context) -> Iterator[Finding]:
    """A key must be of some use, where the policy looks at that."""
    if not context.policy.settings(UsageSettings).usable_key:
        return
    for link in context.below_anchor:
        if link.facts.usages is not None and set(link.facts.usages) <= _NO_USE:
            leaf = link.position == 0
            category = Category.WRONG_EKU if leaf else Category.ISSUER_NOT_CA
            detail = "its key" if leaf else f"the key of {short_name(link.facts)}"
            detail += f" is for {', '.join(link.facts.usages) or 'nothing'} (keyUsage)"
            yield Finding(category, link.position, detail, check="key-usage")


def _allows(facts: CertificateFacts, settings: UsageSettings, *, any_counts: bool) -> bool:
    enough = {"serverAuth", *settings.also_server, *(["anyExtendedKeyUsage"] if any_counts else [])}
    if facts.purposes == () and settings.empty_purposes:
        return True
    return facts.purposes is None or not enough.isdisjoint(facts.purposes)


def _listed(facts: CertificateFacts) -> str:
    return ", ".join((facts.purposes or ())[:5]) or "nothing"


def issuer_findings(context: Context) -> Iterator[Finding]:
    """Every issuer must be a CA that may sign certificates, with room for the CAs below it."""
    settings, intermediates = context.policy.settings(UsageSettings), 0
    leaf, top = context.leaf, context.path.top
    bare = "basicConstraints" not in leaf.named_extensions and "keyCertSign" in (leaf.usages or ())
    if settings.strict_ca and bare:
        yield Finding(Category.ISSUER_NOT_CA, 0, "keyUsage of a CA without basicConstraints")
    for link in context.issuers:
        facts, reason = link.facts, _no_ca(link.facts, settings, at_top=link is top)
        bare = "basicConstraints" not in facts.named_extensions
        if context.anchored and link is top and bare and not settings.anchor_ca:
            reason = ""
        if reason:
            detail = f"{short_name(facts)} {reason}"
            check = "signing" if reason.startswith("may not sign") else ""
            yield Finding(Category.ISSUER_NOT_CA, link.position, detail, check=check)
        counts = (facts.is_ca or settings.plain_path_length) and (
            settings.anchor_path_length or link is not top
        )
        limit = facts.path_length
        counts &= limit is not None and (limit >= 0 or settings.negative_path_length)
        if counts and limit is not None and intermediates > limit:
            allowed = f"{limit} below it, there are {intermediates}"
            detail = f"{short_name(facts)} allows {allowed}"
            beyond = intermediates - 1 - max(limit, -1)  # counted from the leaf
            at_fault = context.path.links[beyond] if settings.excess_at_fault else link
            yield Finding(Category.PATH_LENGTH, at_fault.position, detail)
        # Self-issued certificates do not count (RFC 5280 section 4.2.1.9).
        intermediates += settings.count_self_issued or not facts.self_issued
    if len(context.path.links) > settings.longest:
        detail = f"{len(context.path.links)} certificates, at most {settings.longest}"
        yield Finding(Category.PATH_LENGTH, top.position, detail)


def _no_ca(facts: CertificateFacts, settings: UsageSettings, *, at_top: bool) -> str:
    """Why a certificate may not issue others; empty: it may."""
    by_usage = settings.root_by_usage and at_top and facts.usages is not None
    by_usage = by_usage and "basicConstraints" not in facts.named_extensions
    old_root = (
        facts.version <= settings.old_version and facts.self_issued and not settings.strict_ca
    )
    usages = facts.usages if settings.masked_usage else facts.unmasked_usages
    if usages and "keyCertSign" not in usages:
        return "may not sign certificates (keyUsage)"
    if usages == () and not settings.empty_usage:
        return "may not sign certificates (empty keyUsage)"
    odd = {part for part in facts.broken if part.startswith("basicConstraints")}
    broken = bool(odd - {"basicConstraints padding"})
    if settings.readable_basics and (broken or (facts.path_length or 0) >= 1 << 32):
        return "has basicConstraints that cannot be read"
    if facts.version < settings.first_version and not at_top:
        return f"is of version {facts.version}"
    # Old version 1 roots: all clients accept them as anchors.
    return "" if facts.is_ca or by_usage or old_root else "is not a CA"


def extension_findings(context: Context) -> Iterator[Finding]:
    """No critical extension may be unknown, and none may appear twice."""
    settings = context.policy.settings(UsageSettings)
    links = context.path.links if settings.unknown_at_anchor else context.below_anchor
    for link in links or context.path.links:
        known = {*tables().critical, *settings.also_known}
        unknown, limits = set(settings.also_unknown), link.facts.constraints
        if limits is not None and settings.only_known_constraints:
            kinds = (limits.permitted, limits.excluded)
            if any(kind.directories or kind.others or kind.unknown for kind in kinds):
                unknown.add("nameConstraints")
        names = link.facts.alternative_names
        none = names and not (names.dns or names.addresses or names.mails or names.uris)
        if settings.only_known_names and none:
            unknown.add("subjectAltName")
        for one in link.facts.extensions:
            name = named(one.oid)
            if one.critical and (name in unknown or name not in known):
                detail = f"critical extension {printable(name, 60)}"
                yield Finding(Category.UNHANDLED_CRITICAL_EXTENSION, link.position, detail)
        for duplicate in link.facts.duplicates:
            detail = f"extension {printable(duplicate, 60)} appears twice"
            refusal = settings.duplicate_extension
            unread = settings.duplicates_unread
            if unread and (
                duplicate in unread or duplicate not in {"authorityInfoAccess", *tables().critical}
            ):
                refusal = Refusal.NO
            yield Finding(Category.MALFORMED_CERTIFICATE, link.position, detail, refusal)


def leaf_findings(context: Context) -> Iterator[Finding]:
    """The leaf must not claim to be a CA, where the policy looks at that."""
    settings = context.policy.settings(UsageSettings)
    refusal, below = settings.ca_leaf, context.issuers or settings.ca_anchor_leaf
    applies = refusal is not Refusal.NO and context.anchored and below
    if applies and context.leaf.is_ca:
        detail = "the server's own certificate claims to be a CA"
        yield Finding(Category.MALFORMED_CERTIFICATE, 0, detail, refusal, check="ca-leaf")
    authority = context.leaf.is_ca and context.leaf.may_sign_certificates
    lone = context.anchored and not context.issuers and not authority
    if lone and not settings.lone_leaf:
        own = context.leaf.self_issued
        category = Category.SELF_SIGNED if own else Category.UNTRUSTED_ROOT
        yield Finding(category, 0, "it is itself the anchor, and a path needs two certificates")


RULES = (
    purpose_findings,
    signing_findings,
    usable_findings,
    issuer_findings,
    extension_findings,
    leaf_findings,
)
