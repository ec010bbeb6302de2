"""One certificate as facts: what it says, and which of its parts cannot be decoded.

`describe` never raises. A certificate that cannot be parsed at all has only `unreadable` set; one
with a single odd part has that part in `problems` and everything else filled in. All texts are raw,
as received: show them through `printable`, or use `name_of`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import TypeVar

from stress.text.escape import printable
from stress.trust.reading import extension
from stress.trust.reading.der import (
    BOOLEAN,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    DerError,
    bits,
    integer,
    oid,
    seconds,
    single,
)
from stress.trust.reading.extension import (
    GeneralNames,
    Name,
    NameConstraints,
    NormalName,
    read_name,
)
from stress.trust.reading.key import Key, Signing, read_key, read_signing
from stress.trust.reading.oids import named

_T = TypeVar("_T")

UNREADABLE = "unreadable certificate"
_MOST_NAMES = 3

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
    serial: str = ""
    """Hexadecimal, without leading zeros; `-` in front when it is negative."""
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
    spki: bytes = b""
    public_key: Key = field(default_factory=Key)
    extensions: tuple[CertificateExtension, ...] = ()
    alternative_names: GeneralNames | None = None
    """The subjectAltName; None: there is none (or it cannot be decoded: see `problems`)."""
    path_length: int | None = None
    may_sign_certificates: bool | None = None
    """What keyUsage says; None: there is no keyUsage, so everything is allowed."""
    purposes: tuple[str, ...] | None = None
    """The extendedKeyUsage by names such as `serverAuth`; None: there is none."""
    subject_key_id: bytes | None = None
    authority_key_id: bytes | None = None
    constraints: NameConstraints | None = None
    must_staple: bool = False
    sct_logs: tuple[bytes, ...] = ()
    """Log ids of the embedded SCTs."""
    sct_times: tuple[int, ...] = ()
    """When they were made, in Unix seconds."""

    @property
    def self_issued(self) -> bool:
        """Whether subject and issuer are the same name (the signature is not checked)."""
        return not self.unreadable and self.subject_name.normal == self.issuer_name.normal

    @property
    def lifetime(self) -> int:
        """From notBefore to notAfter, in seconds."""
        return self.not_after - self.not_before

    @property
    def duplicates(self) -> tuple[str, ...]:
        """OIDs of more than one extension (forbidden by RFC 5280 section 4.2)."""
        counted = Counter(one.oid for one in self.extensions)
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


def short_name(facts: CertificateFacts) -> str:
    """As `name_of`, of facts already read."""
    if facts.unreadable:
        return UNREADABLE
    name = facts.common_name or next(iter(facts.sans), "") or facts.subject
    return printable(name, 80) if name else f"certificate with serial {facts.serial[:40]}"


def shown_names(facts: CertificateFacts) -> str:
    """The first names that a certificate is for, else its CN. Printable."""
    names = facts.sans or ((facts.common_name,) if facts.common_name else ())
    shown = ", ".join(printable(name, 60) for name in names[:_MOST_NAMES])
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{shown}{more}" if shown else "no name"


def shown_issuer(facts: CertificateFacts) -> str:
    """The best short name of the issuer, as the certificate gives it. Printable."""
    name = facts.issuer_name
    return printable(name.common_name or name.text, 80) or "an issuer without a name"


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
        fields = self.signed.expect(SEQUENCE).children()
        self.version = 1
        if fields and fields[0].tag == 0xA0:
            self.version = integer(single(fields.pop(0).body).expect(INTEGER).body) + 1
        if len(fields) < 6:
            raise DerError(f"a TBSCertificate of {len(fields)} fields")
        self.fields = fields
        none: tuple[CertificateExtension, ...] = ()
        self.extensions = self.part("extensions", self.all_extensions, none)
        # If an extension appears twice, the first one counts.
        self.values = {named(one.oid): one.value for one in reversed(self.extensions)}

    def facts(self) -> CertificateFacts:
        serial, inner, issuer, _, subject, spki = self.fields[:6]
        if inner.raw != self.algorithm.raw:
            self.problems.append("its two signature algorithms differ")
        to_name = self.part("subject", lambda: read_name(subject), Name())
        from_name = self.part("issuer", lambda: read_name(issuer), Name())
        signing = self.part("signature algorithm", lambda: read_signing(self.algorithm), Signing())
        key = self.part("public key", lambda: read_key(spki), Key())
        not_before, not_after = self.validity()
        read = self.extension
        names = read("subjectAltName", extension.general_names)
        for octets in names.networks if names else ():
            self.problems.append(f"subjectAltName: an iPAddress of {len(octets)} octets")
        basic = read("basicConstraints", extension.basic_constraints) or (False, None)
        return CertificateFacts(
            self.der,
            version=self.version,
            subject=to_name.text,
            issuer=from_name.text,
            common_name=to_name.common_name,
            serial=self.part("serial number", lambda: f"{integer(serial.body):x}", ""),
            not_before=not_before,
            not_after=not_after,
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
            signature_value=self.part("signature", lambda: bits(self.signature.body), b""),
            signing=signing,
            spki=spki.raw,
            public_key=key,
            extensions=self.extensions,
            alternative_names=names,
            path_length=basic[1],
            may_sign_certificates=read("keyUsage", extension.may_sign_certificates),
            purposes=read("extendedKeyUsage", extension.purposes),
            subject_key_id=read("subjectKeyIdentifier", extension.subject_key_id),
            authority_key_id=read("authorityKeyIdentifier", extension.authority_key_id),
            constraints=read("nameConstraints", extension.name_constraints),
            must_staple=bool(read("TLS feature", extension.must_staple)),
            sct_logs=read("SCT list", extension.embedded_logs) or (),
            sct_times=self.times(),
            problems=tuple(self.problems),
        )

    def part(self, what: str, read: Callable[[], _T], default: _T) -> _T:
        """What `read` returns, or the default and a note."""
        try:
            return read()
        except DerError as error:
            self.problems.append(f"{what}: {error}")
            return default

    def extension(self, kind: str, read: Callable[[bytes], _T]) -> _T | None:
        """The decoded extension; None if there is none, or (with a note) it cannot be decoded."""
        if kind not in self.values:
            return None
        value = self.values[kind]
        return self.part(kind, lambda: read(value), None)

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
            if not 2 <= len(parts) <= 3:
                raise DerError(f"an extension of {len(parts)} parts")
            name, value = oid(parts[0].expect(OID).body), parts[-1].expect(OCTET_STRING).body
            critical = len(parts) == 3 and any(parts[1].expect(BOOLEAN).body)
            found.append(CertificateExtension(name, critical, value))
        return tuple(found)

    def validity(self) -> tuple[int, int]:
        parts = self.fields[3].expect(SEQUENCE).children()
        if len(parts) != 2:
            raise DerError(f"a validity of {len(parts)} times")
        return seconds(parts[0]), seconds(parts[1])
