"""Server ends connected to a machine in memory: the standard library's TLS, and a small PKI."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from stress.handshake import HandshakeMachine, Output, State

HOST = "app.lab.test"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Identity:
    """A chain and the key of its leaf, in memory and as files."""

    chain: tuple[bytes, ...]
    """DER, leaf first."""
    key: Key
    chain_file: Path
    key_file: Path

    @property
    def curve_key(self) -> ec.EllipticCurvePrivateKey:
        assert isinstance(self.key, ec.EllipticCurvePrivateKey)
        return self.key


@dataclass(frozen=True, slots=True)
class Pki:
    """One authority: a root, an intermediate, and leaves of each kind."""

    ecdsa: Identity
    rsa: Identity
    other: Identity
    """A second ECDSA leaf of the same name."""
    root_file: Path


def make_pki(folder: Path) -> Pki:
    """Makes the authority and writes its files."""
    root_key, middle_key = _curve_key(), _curve_key()
    root = _certificate("Root", root_key, "Root", root_key)
    middle = _certificate("Intermediate", middle_key, "Root", root_key)
    (folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))

    def identity(name: str, key: Key) -> Identity:
        leaf = _certificate(HOST, key, "Intermediate", middle_key, authority=False)
        chain = (leaf, middle, root)
        files = folder / f"{name}.pem", folder / f"{name}.key"
        files[0].write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in chain))
        files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return Identity(tuple(each.public_bytes(Encoding.DER) for each in chain), key, *files)

    return Pki(
        ecdsa=identity("ecdsa", _curve_key()),
        rsa=identity("rsa", rsa.generate_private_key(65537, 2048)),
        other=identity("other", _curve_key()),
        root_file=folder / "root.pem",
    )


def _curve_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _certificate(
    name: str, key: Key, issuer: str, issuer_key: Key, *, authority: bool = True
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


class Server:
    """The standard library's server on memory buffers."""

    def __init__(self, identity: Identity) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(identity.chain_file, identity.key_file)
        self.error: ssl.SSLError | None = None
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls: ssl.SSLObject | None = None

    def only(self, version: ssl.TLSVersion) -> Server:
        self.context.minimum_version = self.context.maximum_version = version
        return self

    def demanding(self, root_file: Path) -> Server:
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.load_verify_locations(root_file)
        return self

    def answer(self, data: bytes) -> bytes:
        """Takes bytes of the client and gives what the server says to them."""
        if self.tls is None:
            self.tls = self.context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.incoming.write(data)
        try:
            if self.error is None:
                self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.error = error
        return self.outgoing.read()


def whole(data: bytes) -> Iterable[bytes]:
    return [data]


def single_bytes(data: bytes) -> Iterable[bytes]:
    return (data[at : at + 1] for at in range(len(data)))


Cut = Callable[[bytes], Iterable[bytes]]


def shake(machine: HandshakeMachine, server: Server, cut: Cut = whole) -> Output:
    """Joins both ends until neither has anything to say; `cut` splits what the server says."""
    step = machine.begin()
    while step.send or step.state is State.WAITING:
        data = server.answer(step.send)
        if not data:
            break
        send = b""
        for piece in cut(data):
            step = machine.receive(piece)
            send += step.send
        step = Output(send, step.state)
    return step
