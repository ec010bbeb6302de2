"""The lab's certificate authority: root, intermediates and server certificates, new for each farm.

The certificates are clean for every client family when the root is given as `--ca`: key usage,
extended key usage, basic constraints, key identifiers and issuer URLs are as a public authority
sets them (CA/B Forum Baseline Requirements 7.1.2), so that what a scenario breaks is the only thing
that is wrong.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

YEAR = timedelta(days=365)
DAY = timedelta(days=1)
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certificate that signs others, with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    path: tuple[x509.Certificate, ...]
    """What a server must send above a leaf of this issuer, without the root; () for the root."""
    url: str
    """Where clients could fetch the certificate (AIA caIssuers); nobody listens there."""


@dataclass(frozen=True, slots=True)
class Authority:
    """One root, which issues the intermediates."""

    root: Issuer

    @classmethod
    def make(cls, now: datetime) -> Authority:
        """Make a root that began five years before `now` and ends five years after."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = subject("tls-stress lab root")
        builder = (
            _builder(name, name, key, now - 5 * YEAR, now + 5 * YEAR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(key_usage(signs_certificates=True), critical=True)
        )
        certificate = builder.sign(key, SHA256())
        return cls(Issuer(certificate, key, (), "http://aia.lab.test/root.der"))

    @property
    def pem(self) -> bytes:
        """The root as PEM: what a client takes as its only anchor."""
        return self.root.certificate.public_bytes(Encoding.PEM)

    def intermediate(self, common_name: str, now: datetime) -> Issuer:
        """Make an intermediate under the root, valid from a year ago for three years."""
        key = ec.generate_private_key(ec.SECP256R1())
        begins, ends = now - YEAR, now + 2 * YEAR
        builder = (
            _builder(subject(common_name), self.root.certificate.subject, key, begins, ends)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage(signs_certificates=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
        certificate = _signed_by(self.root, builder)
        serial = f"{certificate.serial_number:x}"[:8]
        return Issuer(certificate, key, (certificate,), f"http://aia.lab.test/{serial}.der")


def subject(common_name: str, organization: str = "tls-stress lab") -> x509.Name:
    """A distinguished name of organization and common name."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def key_usage(*, signs_certificates: bool = False, enciphers_keys: bool = False) -> x509.KeyUsage:
    """The key usage of an authority (which signs certificates) or of a leaf."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=enciphers_keys,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


class LeafKeyType(StrEnum):
    """The key types that servers have."""

    ECDSA = "ecdsa-p256"
    RSA = "rsa-2048"


@dataclass(frozen=True, slots=True)
class LeafSpec:
    """Contents of a server certificate; every client accepts the defaults."""

    names: tuple[str, ...]
    """DNS names; the first is the common name too unless `common_name` says otherwise."""
    key: LeafKeyType = LeafKeyType.ECDSA
    begins: timedelta = -DAY
    """Start of validity, relative to the time of issue."""
    ends: timedelta = 89 * DAY
    """End of validity, relative to the time of issue."""
    common_name: str | None = None
    organization: str = "tls-stress lab"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A server's certificate with its key and its issuer."""

    certificate: x509.Certificate
    key: PrivateKey
    issuer: Issuer

    @property
    def full(self) -> tuple[x509.Certificate, ...]:
        """The chain as it should be sent: the leaf and the intermediates."""
        return (self.certificate, *self.issuer.path)

    @property
    def alone(self) -> tuple[x509.Certificate, ...]:
        """The leaf without its intermediate, the most common mistake."""
        return (self.certificate,)


def issue(issuer: Issuer, spec: LeafSpec, now: datetime) -> Leaf:
    """Sign a leaf with a fresh key."""
    is_rsa = spec.key is LeafKeyType.RSA
    key: PrivateKey = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if is_rsa
        else ec.generate_private_key(ec.SECP256R1())
    )
    name = subject(spec.common_name or spec.names[0], spec.organization)
    names = x509.SubjectAlternativeName([x509.DNSName(name) for name in spec.names])
    builder = (
        _builder(name, issuer.certificate.subject, key, now + spec.begins, now + spec.ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(enciphers_keys=is_rsa), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(names, critical=False)
    )
    return Leaf(_signed_by(issuer, builder), key, issuer)


def _builder(
    name: x509.Name, issuer: x509.Name, key: PrivateKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    """What every certificate has."""
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _signed_by(issuer: Issuer, builder: x509.CertificateBuilder) -> x509.Certificate:
    """Link a certificate to its issuer, by key and by URL, and sign it."""
    identifier = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value)
    location = x509.UniformResourceIdentifier(issuer.url)
    url = x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, location)]
    )
    return (
        builder.add_extension(authority_key, critical=False)
        .add_extension(url, critical=False)
        .sign(issuer.key, SHA256())
    )


def forged_key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key that claims the public half of `key` and signs with another secret.

    OpenSSL compares public halves when it loads a certificate with its key, so it takes the pair;
    each signature it makes is wrong. SEC 1 keeps the public point (65 bytes) at the end of the DER.
    """
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    other = ec.generate_private_key(key.curve)
    der = other.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    text = b64encode(der[: -len(point)] + point).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{text}\n-----END EC PRIVATE KEY-----\n".encode()


def key_pem(key: PrivateKey) -> bytes:
    """The private key as PEM (SEC 1 or PKCS #1)."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
