"""The rule about RFC 5280's profile of certificates, for clients that verify strictly.

It covers what OpenSSL's X509_V_FLAG_X509_STRICT adds (x509_vfy.c, check_extensions), in its order.
Python 3.13 and newer set that flag.
"""

from __future__ import annotations

from collections.abc import Iterator

from stress.model.chain import Finding, Refusal
from stress.model.outcome import Category
from stress.trust.policy import Settings
from stress.trust.reading.certificate import short_name
from stress.trust.rules.context import Context


class ProfileSettings(Settings, frozen=True):
    """How strictly certificates are compared with the profile."""

    strict_profile: bool = False
    critical_basics: Refusal = Refusal.SOMETIMES
    """The effect of a CA whose basicConstraints is not critical: OpenSSL 3 refuses it, 4 does not
    (both measured)."""


def profile_findings(context: Context) -> Iterator[Finding]:
    """Every certificate of the path must be as RFC 5280 wants it."""
    settings = context.policy.settings(ProfileSettings)
    if not settings.strict_profile or not context.issuers or not context.anchored:
        return
    for link in context.path.links:
        facts = link.facts
        usages, critical = facts.usages or (), facts.critical_extensions
        has, names = facts.named_extensions, facts.alternative_names
        empty = not facts.subject_name.normal
        checks = {
            "a path length, but no CA": facts.path_length is not None and not facts.is_ca,
            "a path length, but no keyUsage keyCertSign": facts.path_length is not None
            and "keyCertSign" not in usages,
            "a CA without keyUsage": facts.is_ca and facts.usages is None,
            "keyUsage keyCertSign, but no CA": not facts.is_ca and "keyCertSign" in usages,
            "an empty issuer": not facts.issuer_name.normal,
            "an empty subject": empty and (facts.is_ca or "cRLSign" in usages or names is None),
            "an empty subject and a subjectAltName that is not critical": empty
            and names is not None
            and "subjectAltName" not in critical,
            "a subjectAltName without names": names is not None and names.empty,
            "two signature algorithms": any(one.startswith("signature ") for one in facts.broken),
            "a critical authorityKeyIdentifier": "authorityKeyIdentifier" in critical,
            "a critical subjectKeyIdentifier": "subjectKeyIdentifier" in critical,
            "no authorityKeyIdentifier": facts.version >= 3
            and link is not context.path.top
            and (facts.authority is None or facts.authority.key_id is None),
            "no subjectKeyIdentifier": facts.version >= 3
            and facts.is_ca
            and facts.subject_key_id is None,
            "extensions, but not version 3": facts.version < 3 and bool(has),
        }
        odd = [(what, Refusal.YES) for what, found in checks.items() if found]
        if facts.is_ca and "basicConstraints" not in critical:
            odd.append(("no critical basicConstraints", settings.critical_basics))
        whose = "" if link.position == 0 else f"{short_name(facts)}: "
        for detail, refusal in odd:
            text = f"{whose}{detail} (RFC 5280)"
            yield Finding(Category.MALFORMED_CERTIFICATE, link.position, text, refusal)


RULES = (profile_findings,)
