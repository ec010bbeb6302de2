"""What we bring along: a PROXY header, a certificate of our own; and a node with a wrong key.

Each farm has one node that is odd, dialled under two addresses, so that what fails must be told by
address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from stress.lab.site import forged_key_pem
from tests.servers.certificates import Certificates
from tests.servers.nginx import Nginx, Node
from tests.servers.terminator import Terminator

RunIt = Callable[..., Any]
STACKS = ("boringssl", "openssl")
pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Own:
    """Our own certificate, which signs itself, and its key."""

    certificate: Path
    key: Path

    @property
    def options(self) -> list[str]:
        return ["--cert", str(self.certificate), "--key", str(self.key)]


def make_own(folder: Path, name: str) -> Own:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, SHA256())
    )
    own = Own(folder / f"{name}.pem", folder / f"{name}.key")
    own.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    own.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return own


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return make_own(tmp_path, "ours")


@pytest.fixture
def mutual(own: Own, certificates: Certificates, tmp_path: Path) -> Iterator[Terminator]:
    """Two fronts of one HAProxy; only `strict` insists on our certificate."""
    strict = ["verify", "required", "ca-file", str(own.certificate)]
    fronts = {"open": [], "strict": strict}
    with Terminator(fronts, certificates, tmp_path / "haproxy") as haproxy:
        yield haproxy


def both(first: int, second: int) -> list[str]:
    return ["--address", f"127.0.0.1:{first}=first", "--address", f"127.0.0.1:{second}=second"]


def failures(run: Any) -> dict[str, int]:
    """Failures by label."""
    return {each["label"]: each["failures"] for each in run.summary["addresses"]}


@pytest.mark.real("haproxy")
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_proxy_header_is_believed(
    version: str, certificates: Certificates, tmp_path: Path, tls_stress: RunIt
) -> None:
    """The server takes our end of the connection from the header, and it is the true one."""
    with Terminator({"front": ["accept-proxy"]}, certificates, tmp_path / "haproxy") as haproxy:
        run = tls_stress(haproxy.ports["front"], "-n", "40", "--proxy-protocol", version)
        believed = haproxy.clients("front", 40)
    ports = {port for (port,) in run.ask("SELECT local_port FROM handshake")}

    assert run.code == 0
    assert run.chains() == {certificates.full_sha256: 40}
    assert {("127.0.0.1", port) for port in ports} <= set(believed)


@pytest.mark.real("haproxy")
def test_a_node_that_misses_the_header_is_found(
    certificates: Certificates, tmp_path: Path, tls_stress: RunIt
) -> None:
    fronts = {"plain": [], "wants": ["accept-proxy"]}
    with Terminator(fronts, certificates, tmp_path / "haproxy") as haproxy:
        ports = haproxy.ports
        run = tls_stress(ports["plain"], "-n", "60", *both(ports["plain"], ports["wants"]))

    assert run.code == 1
    assert failures(run) == {"first": 0, "second": 30}
    assert set(run.summary["failures"]["categories"]) <= {"eof", "reset"}


@pytest.mark.real("nginx")
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_header_that_nobody_expects_is_not_blamed_on_trust(
    version: str, two_nodes: Nginx, tls_stress: RunIt
) -> None:
    run = tls_stress(two_nodes.ports["good"], "-n", "20", "--proxy-protocol", version)

    assert run.code == 1
    assert set(run.summary["failures"]["categories"]) <= {"eof", "reset", "not-tls", "alert-10"}


@pytest.mark.real("haproxy")
@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("client", ["generic", "tls12-only"])
def test_one_node_that_demands_a_client_certificate_is_found(
    mutual: Terminator, stack: str, client: str, tls_stress: RunIt
) -> None:
    ports = mutual.ports
    ways = ["--stack", stack, "--client", client, *both(ports["open"], ports["strict"])]
    run = tls_stress(ports["open"], "-n", "60", "-c", "10", *ways)

    assert run.code == 1
    assert failures(run) == {"first": 0, "second": 30}
    assert run.summary["failures"]["categories"] == {"client-certificate-required": 30}


@pytest.mark.real("haproxy")
@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("client", ["generic", "tls12-only"])
def test_with_our_certificate_both_nodes_are_content(
    mutual: Terminator, own: Own, stack: str, client: str, tls_stress: RunIt
) -> None:
    ports = mutual.ports
    ways = ["--stack", stack, "--client", client, *both(ports["open"], ports["strict"])]
    run = tls_stress(ports["open"], "-n", "60", "-c", "10", *ways, *own.options)

    assert run.code == 0


@pytest.mark.real("haproxy")
@pytest.mark.parametrize("stack", STACKS)
def test_a_certificate_that_the_server_does_not_know_is_refused_by_its_alert(
    mutual: Terminator, stack: str, tmp_path: Path, tls_stress: RunIt
) -> None:
    stranger = make_own(tmp_path, "stranger")
    run = tls_stress(mutual.ports["strict"], "-n", "20", "--stack", stack, *stranger.options)
    (category,) = run.summary["failures"]["categories"]

    assert run.code == 1
    # In TLS 1.3 the refusal comes after the handshake: a stalled machine may read it too late.
    assert category.startswith("alert-")
    assert run.summary["failures"]["categories"][category] >= 15


@pytest.mark.real("nginx")
@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("client", ["generic", "tls12-only"])
def test_one_node_with_a_wrong_key_is_found(
    certificates: Certificates, tmp_path: Path, stack: str, client: str, tls_stress: RunIt
) -> None:
    """Its certificate is the same as everybody's; only the signature over the exchange is not."""
    key = load_pem_private_key(certificates.key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    forged = tmp_path / "forged.key"
    forged.write_bytes(forged_key_pem(key))
    nodes = [
        Node("good", certificates.full, certificates.key),
        Node("wrong", certificates.full, forged),
    ]
    with Nginx(nodes, tmp_path / "nginx") as nginx:
        ways = ["--stack", stack, "--client", client]
        ways += both(nginx.ports["good"], nginx.ports["wrong"])
        run = tls_stress(nginx.ports["good"], "-n", "60", "-c", "10", *ways)

    assert run.code == 1
    assert failures(run) == {"first": 0, "second": 30}
    assert run.summary["failures"]["categories"] == {"bad-signature": 30}
    (cause,) = [each for each in run.summary["causes"] if each["kind"] == "failure"]
    assert {each["dimension"] for each in cause["conditions"]} & {"address", "label"}
