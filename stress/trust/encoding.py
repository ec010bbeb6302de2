"""The rule about encodings: which certificates, and which parts of them, must be understood."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from stress.model.chain import Finding, Refusal
from stress.model.outcome import Category
from stress.text.escape import printable
from stress.trust.policy import Policy, Settings
from stress.trust.reading.certificate import CertificateFacts
from stress.trust.reading.extension import GeneralNames
from stress.trust.reading.java import doubled, undecodable
from stress.trust.reading.oids import named
from stress.trust.reading.strict import strict_problems

_WITH_NULL = re.compile(rb"\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03[\x02-\x04]\x05\0")
"""An AlgorithmIdentifier of ECDSA with NULL, which RFC 5758 section 3.2 forbids."""


class EncodingSettings(Settings, frozen=True):
    """What a client makes of that which cannot be decoded."""

    unreadable_issuer: Refusal = Refusal.YES
    """The effect of an intermediate that cannot be parsed."""
    empty_entry: Refusal = Refusal.NO
    """The effect of an intermediate without an octet, which TLS 1.3 forbids (RFC 8446, 4.4.2)."""
    reader: Literal["", "go", "java"] = ""
    """Whose reader it has. Go's refuses any odd part of any certificate sent; Java's any critical
    extension that it cannot decode, and it leaves out others."""
    used_only: bool = False
    """Only what is on a path is read, and the leaf."""
    most_certificates: int = 1_000
    """That are sent."""
    read_anchors: bool = False
    """An anchor that was not sent is read like what was sent."""
    broken_anchors: bool = True
    """An anchor with one of the broken parts is in the store all the same."""
    any_anchor_key: bool = False
    """An anchor is read whatever its key is."""
    strict_except: tuple[str, ...] = ()
    """But for these: beginnings or ends of what `strict_problems` says."""
    strict_parts: tuple[str, ...] = ()
    """Parts that are read as strictly as Go reads all, so that what it refuses is refused."""
    broken_parts: tuple[str, ...] = ()
    """Parts that, when broken, make the client refuse any certificate sent."""
    broken_leaf_parts: tuple[str, ...] = ()
    """The same for the leaf only."""
    broken_issuer_parts: tuple[str, ...] = ()
    """The same for all but the leaf."""
    filled: tuple[str, ...] = ()
    """Extensions whose value must not be empty, whether it is decoded or not."""
    late_parts: tuple[str, ...] = ()
    """Those of them that are read only when the certificate is checked (check `late-part`); the
    others before all else (check `unreadable`)."""
    undecodable_leaf: Mapping[str, str] = {}
    """Extensions of the leaf that are refused when they cannot be decoded, although they are not
    critical, and the check that comes upon them."""


def takes(policy: Policy, anchor: CertificateFacts) -> bool:
    """Whether the client reads this anchor of its store; one that it cannot read it leaves out."""
    settings = policy.settings(EncodingSettings)
    reader = settings.reader
    parts = set(settings.broken_parts) - set(settings.late_parts)
    parts -= {"public key", "EC point"} if settings.any_anchor_key else set()
    if not settings.broken_anchors and not anchor.broken.isdisjoint(parts):
        return False
    if reader == "java":
        decodes = anchor.critical_extensions.isdisjoint(undecodable(anchor))
        return decodes and anchor.public_key.curve != "explicit"
    ignored = (*settings.strict_except, *(("public key:",) if settings.any_anchor_key else ()))
    return reader != "go" or all(
        one.startswith(ignored) or one.endswith(ignored) for one in strict_problems(anchor)
    )


def encoding_findings(sent: tuple[CertificateFacts, ...], policy: Policy) -> Iterator[Finding]:
    """Certificates that cannot be parsed, and parts that cannot be decoded."""
    settings = policy.settings(EncodingSettings)
    if len(sent) > settings.most_certificates:
        detail = f"{len(sent)} certificates sent, at most {settings.most_certificates} are read"
        yield Finding(Category.PATH_LENGTH, None, detail, check="malformed-certificate")
    for position, facts in enumerate(sent):
        if facts.unreadable:
            refusal = Refusal.YES if position == 0 else settings.unreadable_issuer
            refusal = refusal if facts.der or refusal is Refusal.YES else settings.empty_entry
            detail = f"cannot be parsed: {printable(facts.unreadable, 80)}"
            wrong = Category.MALFORMED_CERTIFICATE
            yield Finding(wrong, position, detail, refusal, check="unreadable")
            continue
        yield from certificate_findings(facts, position, policy)


def certificate_findings(
    facts: CertificateFacts, position: int | None, policy: Policy
) -> Iterator[Finding]:
    """Parts of one readable certificate that cannot be decoded."""
    settings = policy.settings(EncodingSettings)
    parts = set(settings.broken_parts)
    own = settings.broken_leaf_parts if position == 0 else settings.broken_issuer_parts
    parts.update(own)
    if settings.reader == "java":
        yield from _undecodable(facts, position, settings)
        if not facts.subject_name.normal and "subjectAltName" not in facts.critical_extensions:
            detail = "an empty subject needs a critical subjectAltName"
            yield Finding(Category.MALFORMED_CERTIFICATE, position, detail)
    duplicates = doubled(facts) if settings.reader == "java" else facts.duplicates
    if "duplicates" in settings.broken_parts and duplicates:
        detail = f"extension {printable(duplicates[0], 60)} appears twice"
        yield Finding(Category.MALFORMED_CERTIFICATE, position, detail)
    strict = [
        one
        for one in (
            strict_problems(facts) if settings.reader == "go" or settings.strict_parts else ()
        )
        if not settings.strict_parts or one.partition(":")[0] in settings.strict_parts
        if position != 0 or one.partition(":")[0] not in settings.broken_issuer_parts
        if not one.startswith(settings.strict_except) and not one.endswith(settings.strict_except)
    ]
    more = [one for one in _odd_forms(facts, settings) if one.partition(":")[0] in parts]
    for problem in dict.fromkeys([*facts.problems, *more, *strict]):
        part = problem.partition(":")[0]
        refuses = problem in strict or part in parts
        refusal = Refusal.YES if refuses else Refusal.NO
        detail = f"has an odd part: {printable(problem, 90)}"
        late = "late-part" if part in settings.late_parts else "unreadable"
        yield Finding(Category.MALFORMED_CERTIFICATE, position, detail, refusal, check=late)


def _odd_forms(facts: CertificateFacts, settings: EncodingSettings) -> Iterator[str]:
    """What decodes, but is not as it should be: the name of the part, and why."""
    limits, names = facts.constraints, facts.alternative_names or GeneralNames()
    odd = {
        "keyUsage bits: none": facts.usages == (),
        "empty name: in the subjectAltName": "" in (*names.dns, *names.mails, *names.uris)
        or b"" in names.networks,
        "notBefore early: before 1970": facts.not_before < 0,
        f"version number: {facts.version}": facts.version > 4,
        "nameConstraints bounds: spelt out": limits is not None and limits.spelt_out,
        "nameConstraints size: an empty list": limits is not None and limits.hollow,
        "extendedKeyUsage size: no purpose": facts.purposes == (),
        "extension value: empty": any(
            not one.value and named(one.oid) in settings.filled for one in facts.extensions
        ),
        "basicConstraints octets: a path length over 127": (facts.path_length or 0) > 127,
        "subjectAltName size: no name": facts.alternative_names == GeneralNames(),
        "basicConstraints size: a path length over 255": (facts.path_length or 0) > 255,
        "signature algorithm form: ECDSA with parameters": bool(_WITH_NULL.search(facts.der)),
        "subject name form: empty, and the subjectAltName is not critical": (
            not facts.subject_name.normal
            and bool(facts.subject_name.der)
            and "subjectAltName" in facts.named_extensions - facts.critical_extensions
        ),
        "validity order: it ends before it begins": facts.not_after < facts.not_before,
    }
    yield from (one for one, holds in odd.items() if holds)


def _undecodable(
    facts: CertificateFacts, position: int | None, settings: EncodingSettings
) -> Iterator[Finding]:
    """Extensions that Java cannot decode, where that makes it refuse the chain."""
    for name, reason in undecodable(facts).items():
        check = settings.undecodable_leaf.get(name, "") if position == 0 else ""
        critical = name in facts.critical_extensions
        if critical or check:
            detail = f"{name} cannot be decoded: {printable(reason, 80)}"
            check = "" if critical else check
            yield Finding(Category.MALFORMED_CERTIFICATE, position, detail, check=check)
