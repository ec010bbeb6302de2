"""Sockets, certificates and files of one farm, created for a scenario and removed afterwards.

The certificates are clean for every client family when the root is given as `--ca`: key usage,
extended key usage, basic constraints, key identifiers and issuer URLs are as a public authority
sets them (CA/B Forum Baseline Requirements 7.1.2), so that what a scenario breaks is the only thing
that is wrong.
"""

from __future__ import annotations

import socket
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path

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

from stress.errors import LabError
from stress.lab.blueprint import LOOPBACK, Front
from stress.model.chain import chain_hash

YEAR = timedelta(days=365)
DAY = timedelta(days=1)
ORGANIZATION = "tls-stress lab"
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class LeafKeyType(StrEnum):
    """The key types that servers have."""

    ECDSA = "ecdsa-p256"
    RSA = "rsa-2048"
    RSA_4096 = "rsa-4096"


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
    organization: str = ORGANIZATION
    timestamps: bool = False
    """With SCTs of three logs, as a publicly trusted leaf has them; their signatures are empty."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate that signs others, with its key: the root or an intermediate."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    path: tuple[x509.Certificate, ...]
    """What a server must send above a leaf of this authority, without the root; () for the root."""
    url: str
    """Where clients could fetch the certificate (AIA caIssuers); nobody listens there."""

    @classmethod
    def make(cls, now: datetime, common_name: str = "tls-stress lab root") -> Authority:
        """Make a root that began five years before `now` and ends five years after."""
        key = ec.generate_private_key(ec.SECP256R1())
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        validity = now - 5 * YEAR, now + 5 * YEAR
        certificate = _certify(_name(common_name), key, validity, constraints, None)
        return cls(certificate, key, (), "http://aia.lab.test/root.der")

    @property
    def pem(self) -> bytes:
        """The certificate as PEM; the root's is the only anchor of a client."""
        return self.certificate.public_bytes(Encoding.PEM)

    def intermediate(self, common_name: str, now: datetime) -> Authority:
        """Make an intermediate under the root, valid from a year ago for three years."""
        key = ec.generate_private_key(ec.SECP256R1())
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        validity = now - YEAR, now + 2 * YEAR
        certificate = _certify(_name(common_name), key, validity, constraints, self)
        serial = f"{certificate.serial_number:x}"[:8]
        path = (certificate, *self.path)
        return Authority(certificate, key, path, f"http://aia.lab.test/{serial}.der")

    def cross_sign(self, other: Authority, now: datetime) -> Authority:
        """Sign the name and key of another root: what is below it then leads here, too."""
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        validity = now - YEAR, now + 2 * YEAR
        subject = other.certificate.subject
        certificate = _certify(subject, other.key, validity, constraints, self)
        return Authority(certificate, other.key, (certificate,), "http://aia.lab.test/cross.der")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A server's certificate with its key and its issuer."""

    certificate: x509.Certificate
    key: PrivateKey
    issuer: Authority

    @property
    def full(self) -> tuple[x509.Certificate, ...]:
        """The chain as it should be sent: the leaf and the intermediates."""
        return (self.certificate, *self.issuer.path)

    @property
    def alone(self) -> tuple[x509.Certificate, ...]:
        """The leaf without its intermediate, the most common mistake."""
        return (self.certificate,)


def issue(issuer: Authority, spec: LeafSpec, now: datetime) -> Leaf:
    """Sign a leaf with a fresh key."""
    key: PrivateKey = ec.generate_private_key(ec.SECP256R1())
    if spec.key is not LeafKeyType.ECDSA:
        bits = int(spec.key.partition("-")[2])
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    name = _name(spec.common_name or spec.names[0], spec.organization)
    validity = now + spec.begins, now + spec.ends
    constraints = x509.BasicConstraints(ca=False, path_length=None)
    extra = []
    if spec.timestamps:  # an embedded SCT list (RFC 6962 section 3.3)
        made_at = int(validity[0].timestamp() * 1000).to_bytes(8, "big")
        each = [b"\0" + bytes([log]) * 32 + made_at + b"\0\0\x04\x03\0\0" for log in (1, 2, 3)]
        body = b"".join(len(one).to_bytes(2, "big") + one for one in each)
        listed = len(body).to_bytes(2, "big") + body
        octets = b"\x04\x81" + bytes([len(listed)]) + listed
        identifier = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
        extra.append(x509.UnrecognizedExtension(identifier, octets))
    made = _certify(name, key, validity, constraints, issuer, spec.names, extra)
    return Leaf(made, key, issuer)


def _name(common_name: str, organization: str = ORGANIZATION) -> x509.Name:
    """A distinguished name of organization and common name."""
    parts = {NameOID.ORGANIZATION_NAME: organization, NameOID.COMMON_NAME: common_name}
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts.items()])


def _certify(
    name: x509.Name,
    key: PrivateKey,
    validity: tuple[datetime, datetime],
    constraints: x509.BasicConstraints,
    issuer: Authority | None,
    dns_names: tuple[str, ...] = (),
    extra: Sequence[x509.ExtensionType] = (),
) -> x509.Certificate:
    """Sign a certificate, linked to its issuer by key and by URL; without one, with its own key."""
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=isinstance(key, rsa.RSAPrivateKey),
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=constraints.ca,
        crl_sign=constraints.ca,
        encipher_only=False,
        decipher_only=False,
    )
    public = key.public_key()
    others: list[x509.ExtensionType] = [x509.SubjectKeyIdentifier.from_public_key(public), *extra]
    if issuer is not None:
        own = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        link = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)
        url = x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(issuer.url)
        )
        others += [link, x509.AuthorityInformationAccess([url])]
        others.append(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]))
    if dns_names:
        others.append(x509.SubjectAlternativeName([x509.DNSName(each) for each in dns_names]))
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name if issuer is None else issuer.certificate.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
        .add_extension(constraints, critical=True)
        .add_extension(usage, critical=True)
    )
    for extension in others:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key if issuer is None else issuer.key, SHA256())


def key_pem(key: PrivateKey) -> bytes:
    """The private key as PEM (SEC 1 or PKCS #1)."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


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


HOST = "www.lab.test"
NAMES = (HOST, "lab.test")
PUBLIC = LeafSpec(NAMES, timestamps=True)
LEAVES = {
    "public.pem": PUBLIC,
    "distrusted.pem": PUBLIC,
    "expired.pem": LeafSpec(NAMES, begins=-91 * DAY, ends=-DAY),
    "fallback.pem": LeafSpec(("fallback.lab.test",), organization="Default certificate"),
    "rsa.pem": LeafSpec((HOST,), LeafKeyType.RSA),
}
HOSTILE_ISSUER = '"><svg onload=alert(1)> \x1b[31m \u2066'
HOSTILE = LeafSpec(
    ("<b>bold</b>.lab.test", "'; drop table chain; --", "=cmd.lab.test"),
    common_name="<script>alert(1)</script>\x1b[2J\x07",
    organization="\u202egro\u202c \x1b]0;title\x07 \r\n=1+1",
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A chain as a server will send it."""

    file: str
    """Path of the PEM file with chain and key."""
    sha256: str
    """The chain's name in hexadecimal, as dimensions and reports have it."""
    expires: datetime
    """End of the leaf's validity."""


class Site:
    """Creates what a scenario needs, and removes all of it when the farm is closed.

    Args:
        folder: an existing folder for certificates and keys.
        now: the time for which certificates are made, with time zone.
        seed: of everything random, except keys and serial numbers.
        pace: factor on every duration that a scenario plants (tests go faster).
    """

    def __init__(self, folder: Path, now: datetime, seed: int, pace: float = 1.0) -> None:
        self.now = now.astimezone(UTC)
        self.seed = seed
        self.pace = pace
        self.authority = Authority.make(self.now)
        self.issuer = self.authority.intermediate("tls-stress lab intermediate R1", self.now)
        self.leaf = self.issue(LeafSpec(NAMES))
        self.other = Authority.make(self.now, "tls-stress lab root R2")
        """A second root; the first has signed its name and key, too."""
        self._files: list[Path] = []
        self._secrets: list[Path] = []
        self._sockets: list[socket.socket] = []
        self.folder = folder.absolute()
        self.ca_file = self.write("ca.pem", self.authority.pem)

    def shown(self, file: str) -> Shown:
        """Write one of the files that scenarios name."""
        match file:
            case "good.pem" | "alone.pem":
                sent = self.leaf.full if file == "good.pem" else self.leaf.alone
                return self.show(file, self.leaf, sent)
            case "wrong-key.pem":
                assert isinstance(self.leaf.key, ec.EllipticCurvePrivateKey)
                return self.show(file, self.leaf, key=forged_key_pem(self.leaf.key))
            case "expiring.pem":
                ends = timedelta(seconds=12 * self.pace)
                return self.show(file, self.issue(LeafSpec(NAMES, ends=ends)))
            case "hostile.pem":
                issuer = self.authority.intermediate(HOSTILE_ISSUER, self.now)
                return self.show(file, issue(issuer, HOSTILE, self.now))
        if file in {"crossed.pem", "uncrossed.pem"}:
            full = self._crossed.full
            return self.show(file, self._crossed, full if file == "crossed.pem" else full[:-1])
        below = self.issuer
        if file == "distrusted.pem":
            below = self.other.intermediate("tls-stress lab intermediate R3", self.now)
        return self.show(file, issue(below, LEAVES[file], self.now))

    @cached_property
    def _crossed(self) -> Leaf:
        """A leaf below the second root: to be sent with the certificate that the first signed."""
        crossed = self.authority.cross_sign(self.other, self.now)
        below = crossed.intermediate("tls-stress lab intermediate R2", self.now)
        return issue(below, PUBLIC, self.now)

    def stores(self, places: Mapping[str, str]) -> Path | None:
        """Root stores in which our roots have the places of known ones; None: no such places.

        Args:
            places: `root` and `other` -> SHA-256 of the root whose history it takes.
        """
        if not places:
            return None
        from stress.trust import open_stores  # noqa: PLC0415 - heavy

        roots = {"root": self.authority, "other": self.other}
        file = self.write("stores.db", b"")
        open_stores().stand_in(
            {
                roots[name].certificate.public_bytes(Encoding.DER): bytes.fromhex(digest)
                for name, digest in places.items()
            },
            file,
        )
        return file

    def issue(self, spec: LeafSpec) -> Leaf:
        """A leaf of the site's own intermediate."""
        return issue(self.issuer, spec, self.now)

    def show(
        self,
        file: str,
        leaf: Leaf,
        certificates: tuple[x509.Certificate, ...] | None = None,
        key: bytes | None = None,
    ) -> Shown:
        """Write what a server will send: by default the leaf with its intermediates and its key."""
        sent = leaf.full if certificates is None else certificates
        pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in sent)
        path = self.write(file, pem + (key or key_pem(leaf.key)))
        self._secrets.append(path)
        chain = tuple(certificate.public_bytes(Encoding.DER) for certificate in sent)
        return Shown(str(path), chain_hash(chain).hex(), leaf.certificate.not_valid_after_utc)

    def write(self, name: str, content: bytes) -> Path:
        """Write a file that only its owner may read.

        Raises:
            LabError: the folder is not writable.
        """
        file = self.folder / name
        try:
            file.touch(mode=0o600)
            file.write_bytes(content)
        except OSError as error:
            raise LabError(f"the lab cannot write {file}: {error.strerror}") from error
        self._files.append(file)
        return file

    def front(self, wanted: Front = LOOPBACK, *, shared: bool = False) -> Front:
        """Bind a listening socket; a shared one can be bound again.

        Raises:
            LabError: this machine has no such address.
        """
        ip = wanted.ip
        if ip.startswith("127.") and sys.platform != "linux":
            ip = "127.0.0.1"  # the only one there; the ports differ
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        try:
            listener = socket.socket(family, socket.SOCK_STREAM)
            self._sockets.append(listener)
            if shared:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((ip, wanted.port))
            listener.listen(wanted.backlog)
        except OSError as error:
            hint = "This scenario needs IPv6 on loopback." if ":" in ip else None
            raise LabError(f"the lab cannot listen on {ip}: {error.strerror}", hint) from error
        return Front(ip, wanted.backlog, listener.getsockname()[1], listener.fileno())

    def twins(self) -> tuple[Front, Front]:
        """Two listening sockets on one port; the kernel distributes the connections.

        Only Linux balances with SO_REUSEPORT; elsewhere both are the same socket, as in a worker
        that survived a reload.
        """
        several = sys.platform == "linux"
        first = self.front(shared=several)
        return first, self.front(first, shared=True) if several else first

    def close_sockets(self) -> None:
        """Close our copies, once the processes have inherited the sockets."""
        for listener in self._sockets:
            listener.close()

    def remove_keys(self) -> None:
        """Remove the private keys, once the processes have read them: a killed farm leaves none."""
        for file in self._secrets:
            file.unlink(missing_ok=True)

    def clear(self) -> None:
        """Close the sockets and remove what was written."""
        self.close_sockets()
        for file in self._files:
            file.unlink(missing_ok=True)
