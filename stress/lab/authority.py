"""The lab's certificate authority: a root and its intermediates, made anew for each farm.

The certificates are clean for every client family when the root is given as `--ca`: key usage,
extended key usage, basic constraints, key identifiers and issuer URLs are as a public authority
sets them (CA/B Forum Baseline Requirements 7.1.2), so that whatever a scenario breaks is the only
thing that is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

YEAR = timedelta(days=365)


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
    """One root, and the intermediates that it makes when asked."""

    root: Issuer

    @classmethod
    def make(cls, now: datetime) -> Authority:
        """Make a root that began five years before `now` and ends five years after."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = subject("tls-stress lab root")
        builder = (
            _begin(name, name, key, now - 5 * YEAR, now + 5 * YEAR)
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
            _begin(subject(common_name), self.root.certificate.subject, key, begins, ends)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage(signs_certificates=True), critical=True)
            .add_extension(server_authentication(), critical=False)
            .add_extension(authority_key(self.root), critical=False)
            .add_extension(issuer_url(self.root), critical=False)
        )
        certificate = builder.sign(self.root.key, SHA256())
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


def server_authentication() -> x509.ExtendedKeyUsage:
    """The extended key usage of a TLS server."""
    return x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])


def authority_key(issuer: Issuer) -> x509.AuthorityKeyIdentifier:
    """The identifier that links a certificate to its issuer's key."""
    known = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known.value)


def issuer_url(issuer: Issuer) -> x509.AuthorityInformationAccess:
    """Where the issuer's certificate is said to be."""
    location = x509.UniformResourceIdentifier(issuer.url)
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, location)]
    )


def _begin(
    name: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begins: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
