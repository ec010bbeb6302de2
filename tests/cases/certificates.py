"""The certificates of a case, right and wrong ones, from a few words each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stress.lab.site import PrivateKey, key_pem

_PARTS = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME}
ROOT, ANCHORS = "root", "anchors.pem"


class CertificateSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One certificate of a case."""

    names: tuple[str, ...] = ()
    """DNS names and IP addresses; without any it is a CA."""
    subject: str = ""
    """Such as `O=Acme Co/CN=Fake`; empty: the first name, or that of the table's key."""
    issuer: str = ROOT
    """Name of the certificate that signs it; its own name: self-signed."""
    begins_h: float = -24.0
    """Start of validity in hours from now."""
    ends_h: float = 24.0 * 80
    rsa: bool = False
    must_staple: bool = False
    sends: tuple[str, ...] = ()
    """The certificates that a server sends after it."""


class CertificateStore:
    """Makes the certificates of a case and writes them into its folder.

    Args:
        specs: by name; `root` is made where it is not among them, and is what clients trust.
        folder: where the files go.
    """

    def __init__(self, specs: dict[str, CertificateSpec], folder: Path) -> None:
        self._specs = {ROOT: CertificateSpec(issuer=ROOT)} | specs
        self._made: dict[str, tuple[x509.Certificate, PrivateKey]] = {}
        self._folder = folder

    def add(self, name: str, spec: CertificateSpec) -> None:
        """One more, which is made when it is first needed."""
        self._specs[name] = spec

    @cached_property
    def anchors(self) -> Path:
        """What clients trust, as PEM."""
        return self._write(ANCHORS, self.certificate(ROOT).public_bytes(Encoding.PEM))

    def chain(self, name: str) -> Path:
        """What a server sends, as PEM."""
        sent = (name, *self._specs[name].sends)
        pem = b"".join(self.certificate(one).public_bytes(Encoding.PEM) for one in sent)
        return self._write(f"{name}.pem", pem)

    def key(self, name: str) -> Path:
        """Its private key, as PEM."""
        return self._write(f"{name}.key", key_pem(self._pair(name)[1]))

    def whole(self, name: str) -> Path:
        """What HAProxy wants: the chain and the key in one file."""
        both = self.chain(name).read_bytes() + self.key(name).read_bytes()
        return self._write(f"{name}.both.pem", both)

    def certificate(self, name: str) -> x509.Certificate:
        """The certificate itself."""
        return self._pair(name)[0]

    def _pair(self, name: str) -> tuple[x509.Certificate, PrivateKey]:
        if name not in self._made:
            self._made[name] = self._make(name, self._specs[name])
        return self._made[name]

    def _make(self, name: str, spec: CertificateSpec) -> tuple[x509.Certificate, PrivateKey]:
        key: PrivateKey = ec.generate_private_key(ec.SECP256R1())
        if spec.rsa:
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        own = spec.issuer == name
        signing = key if own else self._pair(spec.issuer)[1]
        subject = self._subject(name)
        now = datetime.now(UTC).replace(microsecond=0)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if own else self._subject(spec.issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(hours=spec.begins_h))
            .not_valid_after(now + timedelta(hours=spec.ends_h))
            .add_extension(x509.BasicConstraints(not spec.names, None), critical=True)
        )
        for extension in _extensions(spec, key.public_key(), signing.public_key()):
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(signing, SHA256()), key

    def _subject(self, name: str) -> x509.Name:
        spec = self._specs[name]
        words = spec.subject or f"CN={spec.names[0] if spec.names else name}"
        parts = (part.partition("=") for part in words.split("/"))
        return x509.Name([x509.NameAttribute(_PARTS[kind], value) for kind, _, value in parts])

    def _write(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(content)
        return path


def _extensions(spec: CertificateSpec, own: Any, issuer: Any) -> list[x509.ExtensionType]:
    extensions: list[x509.ExtensionType] = [
        x509.SubjectKeyIdentifier.from_public_key(own),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer),
    ]
    if spec.names:
        names = [_general_name(each) for each in spec.names]
        extensions.append(x509.SubjectAlternativeName(names))
        extensions.append(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]))
    if spec.must_staple:
        extensions.append(x509.TLSFeature([x509.TLSFeatureType.status_request]))
    return extensions


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
