"""Makes the test certificates: a small PKI, and one chain for each defect.

A case says only what is odd about it; the rest is a good server certificate under a good CA.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from stress.trust.reading.der import SEQUENCE, Element, single

AT = 1_795_392_000
"""The moment of judgement: 2026-11-23T00:00:00Z."""
DAY = 86_400
HOST = "good.test"

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH

_SHA256_RSA = bytes.fromhex("06092a864886f70d01010b0500")
_SHA1_RSA = bytes.fromhex("06092a864886f70d0101050500")


@cache
def elliptic(name: str) -> ec.EllipticCurvePrivateKey:
    """A P-256 key, one for each name."""
    assert name
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """An RSA key, one for each name and size."""
    assert name
    return rsa.generate_private_key(65537, bits)


@dataclass(frozen=True)
class Certificate:
    """A certificate with the key that signs in its name."""

    der: bytes
    key: PrivateKey
    name: str

    @property
    def pem(self) -> str:
        return (
            x509.load_der_x509_certificate(self.der)
            .public_bytes(serialization.Encoding.PEM)
            .decode()
        )


@dataclass(frozen=True)
class Wanted:
    """What a certificate shall say; the defaults are a good server certificate."""

    common_name: str = HOST
    dns: Sequence[str] = (HOST,)
    addresses: Sequence[str] = ()
    purposes: Sequence[x509.ObjectIdentifier] | None = (SERVER,)
    ca: bool | None = False
    """basicConstraints; None: no such extension."""
    path_length: int | None = None
    cert_sign: bool | None = None
    """keyUsage; None: as fits `ca`."""
    starts: int = -30 * DAY
    """Seconds from `AT`."""
    ends: int = 60 * DAY
    issuer_url: str = ""
    extra: Sequence[x509.ExtensionType] = ()
    critical_extra: Sequence[x509.ExtensionType] = ()
    scts: int = 0
    """Embedded SCTs, from as many logs."""
    must_staple: bool = False
    sha1: bool = False
    without: Sequence[type[x509.ExtensionType]] = ()
    uncritical: bool = False
    """All extensions are marked as not critical."""


AUTHORITY = Wanted(dns=(), purposes=None, ca=True, starts=-300 * DAY, ends=3000 * DAY)


def issue(
    wanted: Wanted, *, issuer: Certificate | None = None, key: PrivateKey | None = None
) -> Certificate:
    """Issues a certificate; without an issuer it signs itself."""
    own = key or elliptic(wanted.common_name)
    signer = issuer.key if issuer else own
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted.common_name)])
    by = x509.load_der_x509_certificate(issuer.der).subject if issuer else name
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_moment(wanted.starts))
        .not_valid_after(_moment(wanted.ends))
    )
    for extension, critical in _extensions(wanted, own, signer):
        if type(extension) not in wanted.without:
            builder = builder.add_extension(extension, critical and not wanted.uncritical)
    der = builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    return Certificate(_with_sha1(der, signer) if wanted.sha1 else der, own, wanted.common_name)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(AT, UTC) + timedelta(seconds=seconds)


def _extensions(
    wanted: Wanted, own: PrivateKey, signer: PrivateKey
) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False),
        *((one, False) for one in wanted.extra),
        *((one, True) for one in wanted.critical_extra),
    ]
    if wanted.ca is not None:
        found.append((x509.BasicConstraints(wanted.ca, wanted.path_length), True))
        found.append((_usage(wanted.ca if wanted.cert_sign is None else wanted.cert_sign), True))
    names = [x509.DNSName(one) for one in wanted.dns]
    addresses = [x509.IPAddress(ipaddress.ip_address(one)) for one in wanted.addresses]
    if names or addresses:
        found.append((x509.SubjectAlternativeName([*names, *addresses]), False))
    if wanted.purposes is not None:
        found.append((x509.ExtendedKeyUsage(list(wanted.purposes)), False))
    if wanted.issuer_url:
        url = x509.UniformResourceIdentifier(wanted.issuer_url)
        issuers = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, url)
        found.append((x509.AuthorityInformationAccess([issuers]), False))
    if wanted.scts:
        oid = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
        found.append((x509.UnrecognizedExtension(oid, encode(0x04, sct_list(wanted.scts))), False))
    if wanted.must_staple:
        found.append((x509.TLSFeature([x509.TLSFeatureType.status_request]), False))
    return found


def _usage(cert_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=cert_sign,
        crl_sign=cert_sign,
        encipher_only=False,
        decipher_only=False,
    )


def sct_list(count: int, milliseconds: int = 0) -> bytes:
    """A SignedCertificateTimestampList of this many logs; the signatures are empty."""
    body = b""
    for number in range(count):
        sct = (
            b"\0"
            + bytes([number]) * 32
            + milliseconds.to_bytes(8, "big")
            + b"\0\0"
            + b"\x04\x03\0\0"
        )
        body += len(sct).to_bytes(2, "big") + sct
    return len(body).to_bytes(2, "big") + body


def encode(tag: int, body: bytes) -> bytes:
    """One DER element."""
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    octets = len(body).to_bytes(4, "big").lstrip(b"\0")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


def _with_sha1(der: bytes, signer: PrivateKey) -> bytes:
    """The same certificate signed RSA with SHA-1, which the library no longer issues."""
    assert isinstance(signer, rsa.RSAPrivateKey)
    signed = single(der).children()[0].raw.replace(_SHA256_RSA, _SHA1_RSA)
    signature = signer.sign(signed, padding.PKCS1v15(), hashes.SHA1())
    algorithm = encode(SEQUENCE, _SHA1_RSA)
    return encode(SEQUENCE, signed + algorithm + encode(0x03, b"\0" + signature))


def resigned(der: bytes, signer: ec.EllipticCurvePrivateKey, old: bytes, new: bytes) -> bytes:
    """A certificate with some octets of its signed part replaced, signed again.

    Old and new must have the same length, so that all lengths around them stay right.
    """
    assert len(old) == len(new)
    parts = single(der).children()
    assert old in parts[0].raw
    signed = parts[0].raw.replace(old, new)
    signature = signer.sign(signed, ec.ECDSA(hashes.SHA256()))
    return encode(SEQUENCE, signed + parts[1].raw + encode(0x03, b"\0" + signature))


def with_extension_twice(der: bytes, signer: ec.EllipticCurvePrivateKey) -> bytes:
    """A certificate whose last extension appears twice, signed again."""
    signed, algorithm, _ = single(der).children()
    fields = signed.children()
    listed = single(fields[-1].body).children()
    doubled = b"".join(one.raw for one in [*listed, listed[-1]])
    fields[-1] = Element(0xA3, b"", encode(0xA3, encode(SEQUENCE, doubled)))
    again = encode(SEQUENCE, b"".join(one.raw for one in fields))
    signature = signer.sign(again, ec.ECDSA(hashes.SHA256()))
    return encode(SEQUENCE, again + algorithm.raw + encode(0x03, b"\0" + signature))


@dataclass(frozen=True)
class Authorities:
    """The PKI of the tests."""

    root: Certificate
    intermediate: Certificate
    other_intermediate: Certificate
    """Under the same root, with another key and name."""
    rogue_root: Certificate
    """Trusted by nobody."""
    rogue_intermediate: Certificate
    rsa_root: Certificate
    rsa_intermediate: Certificate

    @property
    def anchors(self) -> tuple[bytes, ...]:
        return self.root.der, self.rsa_root.der


@cache
def authorities() -> Authorities:
    """The PKI, made once."""
    root = issue(replace(AUTHORITY, common_name="Test Root"))
    rogue = issue(replace(AUTHORITY, common_name="Rogue Root"))
    rsa_root = issue(replace(AUTHORITY, common_name="RSA Root"), key=rsa_key("root"))
    return Authorities(
        root,
        issue(replace(AUTHORITY, common_name="Test Intermediate"), issuer=root),
        issue(replace(AUTHORITY, common_name="Other Intermediate"), issuer=root),
        rogue,
        issue(replace(AUTHORITY, common_name="Rogue Intermediate"), issuer=rogue),
        rsa_root,
        issue(
            replace(AUTHORITY, common_name="RSA Intermediate"),
            issuer=rsa_root,
            key=rsa_key("intermediate"),
        ),
    )


def leaf(**odd: object) -> Certificate:
    """A good leaf under the good intermediate, except for what is odd."""
    return issue(replace(Wanted(), **odd), issuer=authorities().intermediate)  # type: ignore[arg-type]  # fields by name


def chain(*certificates: Certificate) -> tuple[bytes, ...]:
    """A chain as it is sent."""
    return tuple(one.der for one in certificates)
