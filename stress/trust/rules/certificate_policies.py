"""The rule about certificate policies: is one left where an issuer requires one (RFC 5280, 6.1).

OpenSSL and browsers do not look at them by default; Go (since 1.22) and Java do.
"""

from __future__ import annotations

from collections.abc import Iterator

from stress.model.chain import Finding
from stress.model.outcome import Category
from stress.trust.policy import Settings
from stress.trust.reading.certificate import CertificateFacts, short_name
from stress.trust.reading.extension import PolicyConstraints
from stress.trust.rules.context import Context

_ANY = "2.5.29.32.0"


class PolicySettings(Settings, frozen=True):
    """Whether policies are processed."""

    explicit_policy: bool = False
    """An issuer can require that a policy holds along the path."""
    anchor_policies: bool = False
    """The policies of an anchor, and what it requires, count as those of an intermediate."""
    any_mapped: bool = True
    """anyPolicy can be mapped where no policy holds."""


def policy_findings(context: Context) -> Iterator[Finding]:
    """A path under an issuer that requires an explicit policy must have one."""
    settings = context.policy.settings(PolicySettings)
    if not settings.explicit_policy or not context.anchored:
        return
    anchor = context.issuers[-1:] if settings.anchor_policies else ()
    links, wrong = (*anchor, *context.below_anchor[::-1]), Category.MALFORMED_CERTIFICATE
    valid = {_ANY}
    explicit = mapping = any_policy = len(context.below_anchor) + 1
    for link in links:
        facts, last, first = link.facts, link is links[-1], link in anchor
        uses_any = any_policy > 0 or (not last and facts.self_issued)
        if not first or facts.policies is not None:
            valid = _narrowed(valid, facts, uses_any=uses_any)
        maps = not last and (valid or not settings.any_mapped)
        if maps and any(_ANY in pair for pair in facts.policy_mappings):
            detail = f"{short_name(facts)} maps anyPolicy"
            yield Finding(wrong, link.position, detail, check="policies")
            return
        if not last:
            valid = _mapped(valid, facts, allowed=mapping > 0)
        refused = explicit == 0 and not valid
        if not first and (not facts.self_issued or last):
            explicit, mapping, any_policy = (max(x - 1, 0) for x in (explicit, mapping, any_policy))
        limits = facts.policy_constraints or PolicyConstraints()
        if not last or limits.require == 0:
            explicit = _least(explicit, limits.require)
        mapping = _least(mapping, limits.no_mapping)
        any_policy = _least(any_policy, facts.inhibit_any_policy)
        if refused or (last and explicit == 0 and not valid):
            detail = "an issuer requires a certificate policy, and none holds along the path"
            yield Finding(wrong, link.position, detail, check="policies")
            return


def _least(count: int, limit: int | None) -> int:
    return count if limit is None else min(count, limit)


def _narrowed(valid: set[str], facts: CertificateFacts, *, uses_any: bool) -> set[str]:
    """The policies that hold after one more certificate."""
    named = set(facts.policies or ())
    if _ANY in named and uses_any:
        return valid | (named if _ANY in valid else set())
    named.discard(_ANY)
    return named if _ANY in valid else named & valid


def _mapped(valid: set[str], facts: CertificateFacts, *, allowed: bool) -> set[str]:
    """The policies by the names that the next certificate uses."""
    mapped = set(valid)
    for ours, theirs in facts.policy_mappings:
        if ours in valid or _ANY in valid:
            mapped.discard(ours)
            mapped.update([theirs] if allowed else [])
    return mapped


RULES = (policy_findings,)
