"""The rule about encodings: which certificates, and which parts of them, must be understood.

`certificate.py` reads leniently, so that one odd part does not hide the others. Go's crypto/x509
refuses a whole handshake for any odd part of any certificate sent, and others for some of them:
`strict_problems` says what it refuses, extension by extension. Sources: crypto/x509 parser.go, and
golang.org/x/crypto/cryptobyte for DER.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Literal
from urllib.parse import urlsplit

from stress.model.chain import Finding, Refusal
from stress.model.outcome import Category
from stress.text.escape import printable
from stress.trust.policy import Policy, Settings
from stress.trust.reading.certificate import CertificateFacts
from stress.trust.reading.der import (
    BIT_STRING,
    BOOLEAN,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    SET,
    DerError,
    Element,
    bits,
    elements,
    first,
    integer,
    named,
    oid,
    single,
)
from stress.trust.reading.extension import GeneralNames, PolicyConstraints
from stress.trust.reading.java import doubled, undecodable
from stress.trust.reading.key import KeyKind, is_point

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
    broken_anchor_parts: tuple[str, ...] = ()
    """The same for anchors alone."""
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
    parts |= set(settings.broken_anchor_parts)
    odd = {one.partition(":")[0] for one in _odd_forms(anchor, settings)}
    if not settings.broken_anchors and not parts.isdisjoint(anchor.broken | odd):
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
        "policyConstraints size: none": facts.policy_constraints == PolicyConstraints(),
        "authorityInfoAccess size: none": any(
            named(one.oid) == "authorityInfoAccess" and one.value == b"\x30\0"
            for one in facts.extensions
        ),
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


_PRINTABLE = frozenset(b" '()+,-./:=?*&") | frozenset(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
)
_NEVER_CRITICAL = frozenset(
    {"authorityKeyIdentifier", "subjectKeyIdentifier", "authorityInfoAccess"}
)
_CURVES = frozenset({"P-224", "P-256", "P-384", "P-521"})
_MOST_INT = 2**63 - 1

_Reader = Callable[[bytes], object]
_READERS: dict[str, _Reader] = {
    "subjectKeyIdentifier": lambda data: first(data).expect(OCTET_STRING),
    "authorityKeyIdentifier": lambda data: first(data).expect(SEQUENCE).children(),
}
"""Name of an extension -> what raises DerError where its value is not in the right form."""


def _reads(extension: str) -> Callable[[_Reader], _Reader]:
    def register(reader: _Reader) -> _Reader:
        _READERS[extension] = reader
        return reader

    return register


@lru_cache(maxsize=512)
def strict_problems(facts: CertificateFacts) -> tuple[str, ...]:
    """Everything that Go's parser refuses in a certificate that is readable at all."""
    return tuple(_problems(facts))


def _problems(facts: CertificateFacts) -> Iterator[str]:
    elsewhere = (
        "SCT list",
        "TLS feature",
        "further fields",
        "critical flag default",
        "issuer strings",
        "issuer types",
        "subject strings",
        "subject types",
        "extension end",
        "RSA",
        "EC",
        "version",
        "later version",
        "issuerAltName",
        "issuer name",
        "subject name",
        *_READERS,
    )
    yield from (one for one in facts.problems if not one.startswith(elsewhere))
    checks: list[tuple[str, Callable[[], object]]] = [
        # Where further fields begin that are none, it reads no further.
        ("encoding", lambda: _minimal(b"" if "further fields" in facts.broken else facts.der)),
        ("subject", lambda: _name(facts.subject_name.der)),
        ("issuer", lambda: _name(facts.issuer_name.der)),
        ("public key", lambda: _key(facts)),
    ]
    if facts.serial_octets[:1] >= b"\x80":
        yield "serial number: negative"
    if not facts.serial_octets:
        yield "serial number: empty"
    if not 1 <= facts.version <= 3:
        yield f"version: {facts.version}"
    if facts.version == 3:
        checks += [
            (named(one.oid), partial(_read, named(one.oid), one.value))
            for one in facts.extensions
            if named(one.oid) in _READERS
        ]
        for one in facts.extensions:
            if one.critical and named(one.oid) in _NEVER_CRITICAL:
                yield f"{named(one.oid)}: must not be critical"
        yield from (f"{one}: appears twice" for one in facts.duplicates)
    for what, check in checks:
        try:
            check()
        except DerError as error:
            yield f"{what}: {error}"


def _read(kind: str, value: bytes) -> None:
    _minimal(first(value).raw)
    _READERS[kind](value)


def _minimal(data: bytes) -> None:
    """Every length of the constructed parts is as short as it can be."""
    todo = [data]
    while todo:
        for element in elements(todo.pop()):
            head, size = len(element.raw) - len(element.body), len(element.body)
            if head != (2 if size < 0x80 else 2 + (size.bit_length() + 7) // 8):
                raise DerError("a length that is longer than needed")
            if element.tag in {SEQUENCE, SET}:
                todo.append(element.body)


def _name(der: bytes) -> None:
    """A name; one that cannot be read at all is noted already."""
    for rdn in single(der).children() if der else ():
        for pair in rdn.children():
            _string(pair.children()[1])


def _string(value: Element) -> None:
    fine: Callable[[bytes], bool] | None = {
        0x0C: lambda body: bool(body.decode("utf-8")) or True,
        0x12: lambda body: all(octet in b"0123456789 " for octet in body),
        0x13: lambda body: all(octet in _PRINTABLE for octet in body),
        0x14: lambda body: len(body) >= 0,
        0x16: bytes.isascii,
        0x1E: lambda body: len(body) % 2 == 0,
    }.get(value.tag)
    try:
        if fine is None:
            raise DerError(f"tag 0x{value.tag:02x} of no string")
        if not fine(value.body):
            raise DerError(f"a string that is not of its type, 0x{value.tag:02x}")
    except UnicodeDecodeError as error:
        raise DerError("a string that is not UTF-8") from error


def _key(facts: CertificateFacts) -> None:
    key = facts.public_key
    algorithm = single(facts.spki).children()[0].children()
    if key.kind is KeyKind.RSA:
        if len(algorithm) != 2 or algorithm[1].raw != b"\x05\0":
            raise DerError("an RSA key without NULL parameters")
        numbers = first(bits(single(facts.spki).children()[1].body)).children()
        if len(numbers) < 2 or any(_integer(one) <= 0 for one in numbers[:2]):
            raise DerError("an RSA key without positive numbers")
        if _integer(numbers[1]) > _MOST_INT:
            raise DerError("an RSA exponent of more than 63 bits")
    if key.kind is KeyKind.EC and key.curve not in _CURVES:
        raise DerError(f"{key.text} is not supported")
    if key.kind is KeyKind.EC and ("EC point" in facts.broken or not is_point(facts.spki)):
        raise DerError("no point of its curve")


def _integer(element: Element) -> int:
    value = integer(element.expect(INTEGER).body)
    if len(element.body) > 1 and value.bit_length() // 8 + 1 != len(element.body):
        raise DerError("an integer that is longer than needed")
    return value


@_reads("basicConstraints")
def _basic_constraints(data: bytes) -> None:
    parts = first(data).expect(SEQUENCE).children()
    if parts and parts[0].tag == BOOLEAN and parts.pop(0).body not in {b"\0", b"\xff"}:
        raise DerError("a boolean that is neither 0 nor 255")
    if parts and parts[0].tag == INTEGER and not 0 <= _integer(parts[0]) <= _MOST_INT:
        raise DerError("a path length out of range")


@_reads("keyUsage")
def _key_usage(data: bytes) -> None:
    body = first(data).expect(BIT_STRING).body
    octets = bits(body)
    unused = body[0]
    if (unused and not octets) or (unused and octets[-1] & ((1 << unused) - 1)):
        raise DerError("unused bits that are set")


def _ascii(body: bytes) -> str:
    if not body.isascii():
        raise DerError("a name that is not ASCII")
    return body.decode("ascii")


@_reads("subjectAltName")
def _alternative_names(data: bytes) -> None:
    for name in first(data).expect(SEQUENCE).children():
        if name.tag in {0x81, 0x82}:
            _ascii(name.body)
        elif name.tag == 0x86:
            _uri(_ascii(name.body))
        elif name.tag == 0x87 and (
            len(name.body) not in {4, 16} or name.body.startswith(b"\0" * 10 + b"\xff\xff")
        ):
            raise DerError(f"an iPAddress of {len(name.body)} octets")


def _uri(text: str) -> None:
    """As url.Parse and then a check of the host, roughly."""
    if re.search("%(?![0-9A-Fa-f]{2})", text.partition("?")[0]):
        raise DerError("a URI that cannot be parsed")
    try:
        host = urlsplit(text).netloc.rpartition("@")[2]
    except ValueError as error:
        raise DerError("a URI that cannot be parsed") from error
    if not host.startswith("[") and host:
        name, _, port = host.partition(":")
        if (port and not port.isdecimal()) or not _is_domain(name):
            raise DerError("a URI with an invalid host")


def _is_domain(name: str) -> bool:
    """`domainToReverseLabels`: no empty label but at the end of nothing, only graphic ASCII."""
    labels = name.split(".")
    graphic = all(33 <= ord(letter) <= 126 for letter in name)
    return graphic and (not name or all(labels))


@_reads("nameConstraints")
def _name_constraints(data: bytes) -> None:
    parts = single(data).expect(SEQUENCE).children()
    tags = [part.tag for part in parts]
    if tags not in ([0xA0], [0xA1], [0xA0, 0xA1]) or not any(part.body for part in parts):
        raise DerError("empty, or in another form")
    for subtree in (one for part in parts for one in part.children()):
        base = first(subtree.expect(SEQUENCE).body)
        if base.tag == 0x82:
            if not _is_domain(_ascii(base.body).removeprefix(".")):
                raise DerError("a dNSName that is none")
        elif base.tag == 0x87:
            _mask(base.body)
        elif base.tag == 0x81:
            _mailbox(_ascii(base.body))
        elif base.tag == 0x86:
            domain = _ascii(base.body)
            is_address = domain.replace(".", "").isdecimal()
            if is_address or not _is_domain(domain.removeprefix(".")):
                raise DerError("a URI constraint that is no domain")


def _mailbox(text: str) -> None:
    mailbox, at, domain = text.rpartition("@")
    domain = domain if at else domain.removeprefix(".")
    if (at and not mailbox) or not _is_domain(domain):
        raise DerError("an rfc822Name that is none")
    if "@" in mailbox and not mailbox.startswith('"'):
        raise DerError("an rfc822Name with two @")


def _mask(octets: bytes) -> None:
    if len(octets) not in {8, 32}:
        raise DerError(f"an iPAddress subtree of {len(octets)} octets")
    mask = int.from_bytes(octets[len(octets) // 2 :], "big")
    inverse = mask ^ ((1 << 4 * len(octets)) - 1)
    if inverse & (inverse + 1):
        raise DerError("a mask with holes")


@_reads("extendedKeyUsage")
def _identifiers(data: bytes) -> None:
    for one in first(data).expect(SEQUENCE).children():
        oid(one.expect(OID).body)


@_reads("certificatePolicies")
def _policies(data: bytes) -> None:
    seen = set()
    for one in first(data).expect(SEQUENCE).children():
        identifier = oid(one.expect(SEQUENCE).first(OID).body)
        if identifier in seen:
            raise DerError("the same policy twice")
        seen.add(identifier)


@_reads("policyMappings")
def _mappings(data: bytes) -> None:
    for one in first(data).expect(SEQUENCE).children():
        for part in one.expect(SEQUENCE).children():
            oid(part.expect(OID).body)


@_reads("policyConstraints")
def _policy_constraints(data: bytes) -> None:
    for part in first(data).expect(SEQUENCE).children():
        if part.tag in {0x80, 0x81} and not part.body:
            raise DerError("a count without octets")


@_reads("authorityInfoAccess")
def _access(data: bytes) -> None:
    for one in first(data).expect(SEQUENCE).children():
        parts = one.expect(SEQUENCE).children()
        oid(parts[0].expect(OID).body) if parts else one.first(OID)


@_reads("cRLDistributionPoints")
def _distribution_points(data: bytes) -> None:
    for point in first(data).expect(SEQUENCE).children():
        point.expect(SEQUENCE)
        for part in point.children():
            if part.tag == 0xA0:
                for name in part.children()[:1]:
                    if name.tag != 0xA0:
                        raise DerError("a name of another kind")
                    for one in name.children():
                        _ascii(one.body) if one.tag == 0x86 else None


@_reads("inhibitAnyPolicy")
def _count(data: bytes) -> None:
    if not _integer(first(data)) >= 0:
        raise DerError("a negative count")
