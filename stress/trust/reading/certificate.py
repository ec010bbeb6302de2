"""One certificate as facts: what it says, and which of its parts cannot be decoded.

`describe` never raises. A certificate that cannot be parsed at all has only `unreadable` set; one
with a single odd part has that part in `problems` and everything else filled in. All texts are raw,
as received: show them through `printable`, or use `name_of`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from hashlib import sha256
from typing import TypeVar, cast

from stress.text.escape import printable
from stress.trust.reading import extension
from stress.trust.reading.der import (
    BIT_STRING,
    BOOLEAN,
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    UTC_TIME,
    DerError,
    Element,
    OddFormError,
    bits,
    elements,
    first,
    integer,
    named,
    oid,
    seconds,
    single,
)
from stress.trust.reading.extension import (
    AuthorityKey,
    GeneralNames,
    Name,
    NameConstraints,
    NormalName,
    PolicyConstraints,
    read_name,
)
from stress.trust.reading.key import Key, Signing, key_problems, read_key, read_signing

_T = TypeVar("_T")

UNREADABLE = "unreadable certificate"
_FURTHER = {0x81, 0x82, 0xA3}
"""Tags of what may follow the public key: unique identifiers and extensions."""
_NETSCAPE = "netscapeCertType"
_MOST_NAMES = 3
_MOST_DIFFERING = 10
"""Names are listed where they decide."""
_LAST_SECOND = 253_402_300_799
"""Of the year 9999."""

MOST_OCTETS = 131_072
"""Larger certificates are not read: OpenSSL and BoringSSL accept chains of up to 100 KiB."""


@dataclass(frozen=True, slots=True)
class CertificateExtension:
    """One extension as it is in the certificate."""

    oid: str
    critical: bool
    value: bytes
    """The content of extnValue."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What one certificate says. `None` and empty mean that it does not say."""

    der: bytes
    unreadable: str | None = None
    """Why it cannot be parsed at all; None: it can."""
    problems: tuple[str, ...] = ()
    """Parts that could not be decoded, in words. All other parts are here."""
    version: int = 3
    subject: str = ""
    issuer: str = ""
    common_name: str | None = None
    """The last CN."""
    serial: str = ""
    """Hexadecimal, without leading zeros; `-` in front when it is negative."""
    serial_octets: bytes = b""
    not_before: int = 0
    """Unix seconds."""
    not_after: int = 0
    """Unix seconds; the certificate is still valid in this second."""
    sans: tuple[str, ...] = ()
    """DNS names and addresses of the subjectAltName, as text."""
    key: str = "unreadable key"
    """Such as `ECDSA P-256`."""
    signature: str = "unreadable signature algorithm"
    """Such as `RSA with SHA-256`: how the issuer signed it."""
    is_ca: bool = False
    """According to basicConstraints."""
    aia_issuers: tuple[str, ...] = ()
    """URLs of the issuer's certificate."""
    spki_sha256: bytes = b""
    """SHA-256 of the SubjectPublicKeyInfo, as in pins."""
    sha256: bytes = b""
    """SHA-256 of the DER."""

    subject_name: Name = field(default_factory=Name)
    issuer_name: Name = field(default_factory=Name)
    signed_part: bytes = b""
    """The octets that the issuer signed (TBSCertificate)."""
    signature_value: bytes = b""
    signing: Signing = field(default_factory=Signing)
    inner_scheme: str = ""
    """What the signed part says of it."""
    spki: bytes = b""
    public_key: Key = field(default_factory=Key)
    extensions: tuple[CertificateExtension, ...] = ()
    alternative_names: GeneralNames | None = None
    """The subjectAltName; None: there is none (or it cannot be decoded: see `problems`)."""
    path_length: int | None = None
    usages: tuple[str, ...] | None = None
    """What keyUsage allows; None: there is no keyUsage, so everything is allowed."""
    purposes: tuple[str, ...] | None = None
    """The extendedKeyUsage by names such as `serverAuth`; None: there is none."""
    subject_key_id: bytes | None = None
    authority: AuthorityKey | None = None
    constraints: NameConstraints | None = None
    policies: tuple[str, ...] | None = None
    policy_mappings: tuple[tuple[str, str], ...] = ()
    policy_constraints: PolicyConstraints | None = None
    inhibit_any_policy: int | None = None
    features: tuple[int, ...] = ()
    """TLS extensions that the server must answer."""
    sct_logs: tuple[bytes, ...] = ()
    """Log ids of the embedded SCTs."""
    sct_times: tuple[int, ...] = ()
    """When they were made, in Unix seconds."""

    @property
    def self_issued(self) -> bool:
        """Whether subject and issuer are the same name (the signature is not checked)."""
        return not self.unreadable and self.subject_name.normal == self.issuer_name.normal

    @property
    def may_sign_certificates(self) -> bool:
        """According to keyUsage."""
        return self.usages is None or "keyCertSign" in self.usages

    @property
    def unmasked_usages(self) -> tuple[str, ...] | None:
        """As `usages`, with the bits that are declared unused."""
        value = next((one.value for one in self.extensions if named(one.oid) == "keyUsage"), b"")
        return extension.usages(value, masked=False) if self.usages is not None else None

    @property
    def netscape_type(self) -> int | None:
        """The first octet of the netscapeCertType; -1: it cannot be read; None: there is none."""
        value = next((one.value for one in self.extensions if named(one.oid) == _NETSCAPE), None)
        if value is None:
            return None
        try:
            return bits(first(value).expect(BIT_STRING).body).ljust(1, b"\0")[0]
        except DerError:
            return -1

    @property
    def must_staple(self) -> bool:
        """Whether it demands a stapled OCSP response (`status_request`)."""
        return 5 in self.features

    @property
    def broken(self) -> frozenset[str]:
        """The parts that could not be decoded, by name."""
        return frozenset(one.partition(":")[0] for one in self.problems)

    @property
    def named_extensions(self) -> frozenset[str]:
        """The names of its extensions."""
        return frozenset(named(one.oid) for one in self.extensions)

    @property
    def critical_extensions(self) -> frozenset[str]:
        """The names of those that are critical."""
        return frozenset(named(one.oid) for one in self.extensions if one.critical)

    @property
    def lifetime(self) -> int:
        """From notBefore to notAfter, in seconds."""
        return self.not_after - self.not_before

    @property
    def duplicates(self) -> tuple[str, ...]:
        """Names of more than one extension (forbidden by RFC 5280 section 4.2)."""
        counted = Counter(named(one.oid) for one in self.extensions)
        return tuple(sorted(one for one, count in counted.items() if count > 1))


@lru_cache(maxsize=512)
def describe(der: bytes) -> CertificateFacts:
    """The facts of one certificate. Never raises, whatever the bytes are."""
    try:
        return _Reader(der).facts()
    except DerError as error:
        return CertificateFacts(der, unreadable=str(error), sha256=sha256(der).digest())


@lru_cache(maxsize=512)
def subject_of(der: bytes) -> NormalName | None:
    """The subject alone, for finding a certificate among many; None: it cannot be read."""
    try:
        signed = single(der).expect(SEQUENCE).children()[0].expect(SEQUENCE).children()
        versioned = bool(signed) and signed[0].tag == 0xA0
        return read_name(signed[4 + versioned]).normal
    except (DerError, IndexError):
        return None


def name_of(der: bytes) -> str:
    """The best short name for people: CN, else the first SAN, else the subject. Printable."""
    return short_name(describe(der))


def without_end(der: bytes) -> bytes:
    """The certificate without what follows it; as it is if it cannot be read."""
    try:
        return first(der).raw
    except DerError:
        return der


def short_name(facts: CertificateFacts) -> str:
    """As `name_of`, of facts already read."""
    if facts.unreadable:
        return UNREADABLE
    name = facts.common_name or next(iter(facts.sans), "") or facts.subject
    return printable(name, 80) if name else f"certificate with serial {facts.serial[:40]}"


def shown_names(facts: CertificateFacts) -> str:
    """The first names that a certificate is for, else its CN. Printable."""
    names = facts.sans or ((facts.common_name,) if facts.common_name else ())
    return listed_names(names, _MOST_NAMES) if names else "no name"


def listed_names(names: Sequence[str], most: int = _MOST_DIFFERING) -> str:
    """The first names of a list, and how many more there are. Printable."""
    shown = ", ".join(printable(name, 60) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def shown_issuer(facts: CertificateFacts) -> str:
    """The best short name of the issuer, as the certificate gives it. Printable."""
    name = facts.issuer_name
    return printable("".join(name.common_names[-1:]) or name.text, 80) or "an issuer without a name"


def _oddities(facts: CertificateFacts) -> Iterator[str]:
    """What can be read, but is refused by some clients: the name of the part, and why."""
    names = facts.alternative_names
    first_two = facts.serial_octets[:2]
    if b"\0\0" <= first_two < b"\0\x80" or first_two >= b"\xff\x80":
        yield "serial number form: longer than needed"
    yield from _odd_names(facts)
    if facts.version != 3 and facts.extensions:
        which = "version" if facts.version < 3 else "later version"
        yield f"{which}: extensions in version {facts.version}"
    if not facts.issuer_name.normal and facts.issuer_name.der:
        yield "issuer name: empty"
    if not facts.subject_name.normal and facts.subject_name.der and names is None:
        yield "subject name: empty, and no subjectAltName"
    with suppress(DerError):  # a key that cannot be read is noted already
        yield from key_problems(single(facts.spki))


def _odd_names(facts: CertificateFacts) -> Iterator[str]:
    """The same, of what holds general names."""
    names, limits, issuer = facts.alternative_names, facts.constraints, facts.authority
    if limits and (limits.permitted.unknown or limits.excluded.unknown):
        yield "nameConstraints form: a name of an unknown kind"
    if issuer and bool(issuer.issuers) is not (issuer.serial is not None):
        yield "authorityKeyIdentifier pair: an issuer or a serial number, not both"
    for octets in names.networks if names else ():
        yield f"iPAddress: {len(octets)} octets in the subjectAltName"
    for kind, of in (
        ("subjectAltName", [names]),
        ("nameConstraints", [limits.permitted, limits.excluded] if limits else []),
    ):
        if any(len(octets) not in {8, 32} for one in of if one for octets in one.networks):
            yield f"{kind} iPAddress: no address, with or without a mask"
    if names and names.unknown:
        yield "subjectAltName: a name of an unknown kind"


class _Reader:
    """Parses one certificate (RFC 5280 section 4.1); made for one call of `facts`.

    Raises:
        DerError: it does not have the outer form of a certificate.
    """

    def __init__(self, der: bytes) -> None:
        if len(der) > MOST_OCTETS:
            raise DerError(f"{len(der)} octets, more than any client accepts")
        self.der = der
        self.problems: list[str] = []
        parts = single(der).expect(SEQUENCE).children()
        if len(parts) != 3:
            raise DerError(f"a certificate of {len(parts)} parts")
        self.signed, self.algorithm, self.signature = parts
        nothing: list[Element] = []
        fields = self.part("further fields", self.all_fields, nothing)
        self.version = 1
        if fields and fields[0].tag == 0xA0:
            self.version = integer(single(fields.pop(0).body).expect(INTEGER).body) + 1
            if self.version == 1:
                self.problems.append("version default: written out")
        if len(fields) < 6:
            raise DerError(f"a TBSCertificate of {len(fields)} fields")
        for at, field_ in enumerate(fields[6:], 6):
            if field_.tag not in _FURTHER or (at > 6 and field_.tag <= fields[at - 1].tag):
                self.problems.append(f"further fields: tag 0x{field_.tag:02x}")
                del fields[at:]
                break
        self.fields = fields
        self.validity = fields[3].expect(SEQUENCE).children()
        if len(self.validity) != 2:
            raise DerError(f"a validity of {len(self.validity)} times")
        if not {one.tag for one in self.validity} <= {UTC_TIME, GENERALIZED_TIME}:
            self.problems.append("validity: no times")
        none: tuple[CertificateExtension, ...] = ()
        self.extensions = self.part("extensions", self.all_extensions, none)
        # If an extension appears twice, the first one counts.
        self.values = {named(one.oid): one.value for one in reversed(self.extensions)}

    def facts(self) -> CertificateFacts:
        serial, inner, issuer, _, subject, spki = self.fields[:6]
        signature = partial(self.signature.expect, BIT_STRING)
        signing = self.part("signature algorithm", lambda: read_signing(self.algorithm), Signing())
        inside = signing
        if inner.raw != self.algorithm.raw:
            inside = self.part("signature algorithm", lambda: read_signing(inner), Signing())
            what = "parameters" if inside == signing else "algorithm"
            self.problems.append(f"signature {what}: not the same inside and outside")
        to_name, from_name = self.name("subject", subject), self.name("issuer", issuer)
        key = self.part("public key", lambda: read_key(spki), Key())
        read = self.extension
        names = read("subjectAltName", extension.general_names)
        read("cRLDistributionPoints", extension.distribution_points)
        read("issuerAltName", extension.general_names)
        basic = read("basicConstraints", extension.basic_constraints) or (False, None)
        facts = CertificateFacts(
            self.der,
            version=self.version,
            subject=to_name.text,
            issuer=from_name.text,
            common_name=next(reversed(to_name.common_names), None),
            serial=self.part("serial number", lambda: f"{integer(serial.body):x}", ""),
            serial_octets=serial.body,
            not_before=self.part("notBefore", lambda: seconds(self.validity[0]), 0),
            not_after=self.part("notAfter", lambda: seconds(self.validity[1]), _LAST_SECOND),
            sans=(*names.dns, *map(str, names.addresses)) if names else (),
            key=key.text,
            signature=signing.text,
            is_ca=basic[0],
            aia_issuers=read("authorityInfoAccess", extension.issuer_urls) or (),
            spki_sha256=sha256(spki.raw).digest(),
            sha256=sha256(self.der).digest(),
            subject_name=to_name,
            issuer_name=from_name,
            signed_part=self.signed.raw,
            signature_value=self.part("signature", lambda: bits(signature().body), b""),
            signing=signing,
            inner_scheme=inside.scheme,
            spki=spki.raw,
            public_key=key,
            extensions=self.extensions,
            alternative_names=names,
            path_length=basic[1],
            usages=read("keyUsage", extension.usages),
            purposes=read("extendedKeyUsage", extension.purposes),
            subject_key_id=read("subjectKeyIdentifier", extension.subject_key_id),
            authority=read("authorityKeyIdentifier", extension.authority),
            constraints=read("nameConstraints", extension.name_constraints),
            policies=read("certificatePolicies", extension.policies),
            policy_mappings=read("policyMappings", extension.policy_mappings) or (),
            policy_constraints=read("policyConstraints", extension.policy_constraints),
            inhibit_any_policy=read("inhibitAnyPolicy", extension.inhibit_any_policy),
            features=read("TLS feature", extension.features) or (),
            sct_logs=read("SCT list", extension.embedded_logs) or (),
            sct_times=self.times(),
            problems=tuple(self.problems),
        )
        odd = tuple(_oddities(facts))
        return replace(facts, problems=(*self.problems, *odd)) if odd else facts

    def all_fields(self) -> list[Element]:
        """The fields of the signed part, as far as they decode."""
        found: list[Element] = []
        try:
            found.extend(elements(self.signed.expect(SEQUENCE).body))
        except DerError as error:
            raise OddFormError(str(error), found, "") from error
        return found

    def part(self, what: str, read: Callable[[], _T], default: _T) -> _T:
        """What `read` returns, or the default and a note."""
        try:
            return read()
        except OddFormError as error:
            self.problems.append(f"{what} {error.kind}".rstrip() + f": {error}")
            return cast("_T", error.value)
        except DerError as error:
            self.problems.append(f"{what}: {error}")
            return default

    def name(self, whose: str, element: Element) -> Name:
        """The subject or the issuer."""
        found = self.part(whose, lambda: read_name(element), Name())
        if found.broken_strings:
            self.problems.append(f"{whose} strings: not of their type")
        if found.odd_types:
            self.problems.append(f"{whose} types: a value that is no string")
        return found

    def extension(self, kind: str, read: Callable[[bytes], _T]) -> _T | None:
        """The decoded extension; None if there is none, or (with a note) it cannot be decoded."""
        if kind not in self.values:
            return None
        value = self.values[kind]
        found = self.part(kind, lambda: read(value), None)
        if value[:1] == b"\x30" and value[1:2] == b"\x80":
            self.problems.append(f"{kind} length: indefinite")
        if (
            kind not in {one.partition(":")[0] for one in self.problems}
            and first(value).raw != value
        ):
            self.problems.append(f"{kind} end: octets behind it")
        return found

    def times(self) -> tuple[int, ...]:
        """When the embedded SCTs were made; what is wrong with their list is noted elsewhere."""
        try:
            return extension.embedded_times(self.values.get("SCT list", b""))
        except DerError:
            return ()

    def all_extensions(self) -> tuple[CertificateExtension, ...]:
        found = []
        wrapped = next((element for element in self.fields[6:] if element.tag == 0xA3), None)
        for one in single(wrapped.body).expect(SEQUENCE).children() if wrapped else ():
            parts = one.expect(SEQUENCE).children()
            if len(parts) < 2:
                raise DerError(f"an extension of {len(parts)} parts")
            flagged = parts[1].tag == BOOLEAN and len(parts) > 2
            name = oid(parts[0].expect(OID).body)
            value = parts[1 + flagged].expect(OCTET_STRING).body
            if parts[2 + flagged :]:
                self.problems.append("extension end: octets behind it")
            flag = parts[1].body if flagged else b"\0"
            if flagged and flag == b"\0":
                self.problems.append("critical flag default: written out")
            if len(flag) != 1:
                self.problems.append(f"critical flag size: {len(flag)} octets")
            elif flag not in {b"\0", b"\xff"}:
                self.problems.append("critical flag: neither 0 nor 255")
            critical = any(flag)
            found.append(CertificateExtension(name, critical, value))
        return tuple(found)
