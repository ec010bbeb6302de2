"""The rule about RFC 5280's profile of certificates, for clients that verify strictly.

It covers what OpenSSL's X509_V_FLAG_X509_STRICT adds in practice (x509_vfy.c, check_extensions):
key identifiers, and the extensions of CA certificates. Python 3.13 and newer set that flag.
"""

from __future__ import annotations

from collections.abc import Iterator

from stress.model.chain import Finding, Refusal
from stress.model.outcome import Category
from stress.trust.policy import Settings
from stress.trust.reading.certificate import short_name
from stress.trust.reading.oids import named
from stress.trust.rules.context import Context


class ProfileSettings(Settings, frozen=True):
    """How strictly certificates are compared with the profile."""

    strict_profile: bool = False


def profile_findings(context: Context) -> Iterator[Finding]:
    """Certificates must identify their issuer's key, and CA certificates be complete."""
    strict = context.policy.settings(ProfileSettings).strict_profile
    if not strict or not context.issuers:
        return
    for link in context.path.links:
        facts = link.facts
        constraints = [one for one in facts.extensions if named(one.oid) == "basicConstraints"]
        missing: dict[str, Refusal] = {}
        if link is not context.path.top and (facts.authority is None or facts.authority.key_id is None):
            missing["authorityKeyIdentifier"] = Refusal.YES
        if facts.is_ca and facts.subject_key_id is None:
            missing["subjectKeyIdentifier"] = Refusal.YES
        if facts.is_ca and facts.usages is None:
            missing["keyUsage"] = Refusal.YES
        if facts.is_ca and not any(one.critical for one in constraints):
            # OpenSSL 3.0 rejects this, 4.0 does not (both measured).
            missing["critical basicConstraints"] = Refusal.SOMETIMES
        whose = "" if link.position == 0 else f"{short_name(facts)}: "
        for what, refusal in missing.items():
            detail = f"{whose}no {what} (RFC 5280 requires it)"
            yield Finding(Category.MALFORMED_CERTIFICATE, link.position, detail, refusal)


RULES = (profile_findings,)
