"""Rules about what a certificate may be used for: purposes, CA bits, critical extensions."""

from __future__ import annotations

from collections.abc import Iterator

from stress.model.outcome import Category
from stress.model.verdict import Finding, Refusal
from stress.text.escape import printable
from stress.trust.policy import Policy, Presence, unix
from stress.trust.reading.certificate import CertificateFacts, short_name
from stress.trust.reading.extension import NAME_CONSTRAINTS
from stress.trust.rules.context import Context

SERVER_AUTH, ANY_PURPOSE = "1.3.6.1.5.5.7.3.1", "2.5.29.37.0"

_PURPOSES = {
    SERVER_AUTH: "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.3": "codeSigning",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.8": "timeStamping",
    "1.3.6.1.5.5.7.3.9": "OCSPSigning",
    ANY_PURPOSE: "anyExtendedKeyUsage",
}

_HANDLED = frozenset(
    {
        "2.5.29.15",  # keyUsage
        "2.5.29.17",  # subjectAltName
        "2.5.29.19",  # basicConstraints
        "2.5.29.30",  # nameConstraints
        "2.5.29.31",  # cRLDistributionPoints
        "2.5.29.32",  # certificatePolicies
        "2.5.29.33",  # policyMappings
        "2.5.29.36",  # policyConstraints
        "2.5.29.37",  # extendedKeyUsage
        "2.5.29.54",  # inhibitAnyPolicy
    }
)
"""Extensions that every family understands when critical. Others make every family refuse: also the
CT poison of a precertificate and ACME's identifier, which are critical on purpose, and the key
identifiers and authorityInfoAccess, which must not be critical (OpenSSL and Go refuse then)."""

_KNOWN_CRITICAL = {
    "1.3.6.1.4.1.11129.2.4.3": "CT poison: this is a precertificate",
    "1.3.6.1.5.5.7.1.31": "acmeIdentifier: an ACME challenge certificate",
}


def purpose_findings(question: Context) -> Iterator[Finding]:
    """The leaf's extendedKeyUsage, and that of the intermediates where the policy looks at it."""
    leaf = question.leaf
    if leaf.purposes is None:
        if any(_needed(rule, question) for rule in question.policy.purpose_needed):
            yield Finding(Category.MISSING_EKU, 0, "no extendedKeyUsage, serverAuth is asked for")
    elif not _allows(leaf, any_counts=question.policy.any_purpose):
        yield Finding(Category.WRONG_EKU, 0, f"for {_listed(leaf)} only, not for serverAuth")
    if not question.policy.issuer_purpose.holds(public=question.public):
        return
    for link in question.issuers:
        facts = link.facts
        any_counts = question.policy.issuer_any_purpose
        if link in question.below_anchor and not _allows(facts, any_counts=any_counts):
            detail = f"{short_name(facts)} may issue for {_listed(facts)} only"
            yield Finding(Category.WRONG_EKU, link.position, detail)


def _needed(rule: Presence, question: Context) -> bool:
    begun = unix(rule.issued_from) <= question.leaf.not_before
    return question.anchored and begun and rule.anchors.holds(public=question.public)


def _allows(facts: CertificateFacts, *, any_counts: bool) -> bool:
    found = facts.purposes
    return found is None or SERVER_AUTH in found or (any_counts and ANY_PURPOSE in found)


def _listed(facts: CertificateFacts) -> str:
    names = [_PURPOSES.get(one, one) for one in facts.purposes or ()]
    return ", ".join(names[:5]) or "nothing"


def issuer_findings(question: Context) -> Iterator[Finding]:
    """Every issuer must be a CA that may sign certificates, with room for what is below it."""
    intermediates = 0
    for link in question.issuers:
        facts = link.facts
        if reason := _not_issuing(facts):
            detail = f"{short_name(facts)} {reason}"
            yield Finding(Category.ISSUER_NOT_CA, link.position, detail)
        if facts.path_length is not None and facts.is_ca and intermediates > facts.path_length:
            allowed = f"{facts.path_length} below it, there are {intermediates}"
            detail = f"{short_name(facts)} allows {allowed}"
            yield Finding(Category.PATH_LENGTH, link.position, detail)
        # Self-issued certificates do not count (RFC 5280 section 4.2.1.9).
        intermediates += not facts.self_issued


def _not_issuing(facts: CertificateFacts) -> str:
    if facts.version < 3 and facts.self_issued:
        return ""  # old version 1 roots; as an anchor all clients take them
    if not facts.is_ca:
        return "is no CA"
    if facts.may_sign_certificates is False:
        return "may not sign certificates (keyUsage)"
    return ""


def extension_findings(question: Context) -> Iterator[Finding]:
    """Critical extensions that nobody knows, and extensions that stand twice."""
    for link in question.below_anchor or question.path.links:
        handled = _handled(link.facts, question.policy)
        for one in link.facts.extensions:
            if one.critical and one.oid not in handled:
                what = _KNOWN_CRITICAL.get(one.oid, printable(one.oid, 60))
                detail = f"critical extension {what}"
                yield Finding(Category.UNHANDLED_CRITICAL_EXTENSION, link.position, detail)
        for duplicate in link.facts.duplicates:
            detail = f"extension {printable(duplicate, 60)} stands twice"
            refusal = question.policy.duplicate_extension
            yield Finding(Category.MALFORMED_CERTIFICATE, link.position, detail, refusal)


def _handled(facts: CertificateFacts, policy: Policy) -> frozenset[str]:
    """The extensions of a certificate that the policy understands when they are critical."""
    unknown = set(policy.also_unknown)
    limits = facts.constraints
    directories = limits is not None and (
        limits.permitted.directories or limits.excluded.directories
    )
    if directories and not policy.directory_constraints:
        unknown.add(NAME_CONSTRAINTS)
    return _HANDLED - unknown


def leaf_findings(question: Context) -> Iterator[Finding]:
    """A leaf that says it is a CA, under the policies that mind."""
    minds = question.policy.ca_leaf is not Refusal.NO
    if minds and question.anchored and question.issuers and question.leaf.is_ca:
        detail = "the server's own certificate says it is a CA"
        yield Finding(Category.MALFORMED_CERTIFICATE, 0, detail, question.policy.ca_leaf)
