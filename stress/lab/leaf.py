"""Server certificates: what a scenario wishes for, and the leaf that comes of it."""

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

from stress.lab.authority import (
    Issuer,
    authority_key,
    issuer_url,
    key_usage,
    server_authentication,
    subject,
)

DAY = timedelta(days=1)
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class KeyKind(StrEnum):
    """The key types that servers have."""

    ECDSA = "ecdsa-p256"
    RSA = "rsa-2048"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a leaf should be; the defaults make one that every client accepts."""

    names: tuple[str, ...]
    """DNS names; the first is the common name too unless `common_name` says otherwise."""
    key: KeyKind = KeyKind.ECDSA
    begins: timedelta = -DAY
    """Start of validity, relative to the making."""
    ends: timedelta = 89 * DAY
    """End of validity, relative to the making."""
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
        """The leaf without its intermediate, the commonest mistake."""
        return (self.certificate,)


def issue(issuer: Issuer, wish: Wish, now: datetime) -> Leaf:
    """Sign a leaf as wished, with a fresh key."""
    key = _generate(wish.key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject(wish.common_name or wish.names[0], wish.organization))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + wish.begins)
        .not_valid_after(now + wish.ends)
    )
    for extension, critical in _extensions(issuer, wish, key):
        builder = builder.add_extension(extension, critical)
    return Leaf(builder.sign(issuer.key, SHA256()), key, issuer)


def _extensions(
    issuer: Issuer, wish: Wish, key: PrivateKey
) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    names = x509.SubjectAlternativeName([x509.DNSName(name) for name in wish.names])
    enciphers = wish.key is KeyKind.RSA
    return (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (key_usage(enciphers_keys=enciphers), True),
        (server_authentication(), False),
        (names, False),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (authority_key(issuer), False),
        (issuer_url(issuer), False),
    )


def _generate(kind: KeyKind) -> PrivateKey:
    if kind is KeyKind.RSA:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


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
