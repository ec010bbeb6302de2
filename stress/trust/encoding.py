"""The rule about encodings: which certificates, and which parts of them, must be understood."""

from __future__ import annotations

from collections.abc import Iterator

from stress.model.chain import Finding, Refusal
from stress.model.outcome import Category
from stress.text.escape import printable
from stress.trust.policy import Policy, Settings
from stress.trust.reading.certificate import CertificateFacts
from stress.trust.reading.strict import strict_problems


class EncodingSettings(Settings, frozen=True):
    """What a client makes of that which cannot be decoded."""

    unreadable_issuer: Refusal = Refusal.YES
    """The effect of an intermediate that cannot be parsed."""
    strict: bool = False
    """Any odd part of any certificate sent is refused, as Go does."""
    strict_except: tuple[str, ...] = ()
    """But for these: beginnings or ends of what `strict_problems` says."""
    broken_parts: tuple[str, ...] = ()
    """Parts that, when broken, make the client refuse any certificate sent."""
    broken_leaf_parts: tuple[str, ...] = ()
    """The same for the leaf only."""
    broken_if_critical: bool = False
    """The same for every extension that is critical."""


def encoding_findings(sent: tuple[CertificateFacts, ...], policy: Policy) -> Iterator[Finding]:
    """Certificates that cannot be parsed, and parts that cannot be decoded."""
    settings = policy.settings(EncodingSettings)
    for position, facts in enumerate(sent):
        if facts.unreadable:
            refusal = Refusal.YES if position == 0 else settings.unreadable_issuer
            detail = f"cannot be parsed: {printable(facts.unreadable, 80)}"
            yield Finding(Category.MALFORMED_CERTIFICATE, position, detail, refusal)
            continue
        parts = set(settings.broken_parts)
        parts.update(settings.broken_leaf_parts if position == 0 else ())
        if settings.broken_if_critical:
            for name in facts.critical_extensions - {"TLS feature", "SCT list"}:
                parts.update([name, f"{name} end", f"{name} iPAddress"])
            if not facts.subject_name.normal and "subjectAltName" not in facts.critical_extensions:
                detail = "an empty subject needs a critical subjectAltName"
                yield Finding(Category.MALFORMED_CERTIFICATE, position, detail)
        if "duplicates" in settings.broken_parts and facts.duplicates:
            detail = f"extension {printable(facts.duplicates[0], 60)} appears twice"
            yield Finding(Category.MALFORMED_CERTIFICATE, position, detail)
        strict = [
            one
            for one in (strict_problems(facts) if settings.strict else ())
            if not one.startswith(settings.strict_except)
            and not one.endswith(settings.strict_except)
        ]
        for problem in dict.fromkeys([*facts.problems, *strict]):
            part = problem.partition(":")[0]
            refuses = problem in strict or part in parts
            refusal = Refusal.YES if refuses else Refusal.NO
            detail = f"has an odd part: {printable(problem, 90)}"
            yield Finding(Category.MALFORMED_CERTIFICATE, position, detail, refusal)
