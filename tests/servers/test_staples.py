"""A real server that staples: what its OCSP response says decides over clients that look at it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import ocsp

from tests.servers.certificates import Certificates
from tests.servers.openssl import OpensslServer

RunIt = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.real("openssl")]

GOOD, REVOKED = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED


def staple(
    certificates: Certificates, status: ocsp.OCSPCertStatus, *, until: int, own: bool = True
) -> bytes:
    """A response about the leaf (or its issuer, another one), valid until so many days from now.

    Its signature is anybody's.
    """
    now = datetime.now(UTC)
    issuer = x509.load_pem_x509_certificate(certificates.issuer.read_bytes())
    leaf = x509.load_pem_x509_certificate(certificates.full.read_bytes())
    revoked = status is REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=leaf if own else issuer,
        issuer=issuer,
        algorithm=SHA256(),
        cert_status=status,
        this_update=now - timedelta(days=9),
        next_update=now + timedelta(days=until),
        revocation_time=now - timedelta(days=3) if revoked else None,
        revocation_reason=None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, leaf)
    key: Any = load_pem_private_key(certificates.key.read_bytes(), None)
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("status", "until", "client", "categories"),
    [
        (GOOD, 7, "firefox", {}),
        (GOOD, -1, "firefox", {"bad-staple": 5}),
        (GOOD, -1, "chrome", {}),
        (REVOKED, 7, "firefox", {"revoked": 5}),
        (REVOKED, 7, "chrome", {"revoked": 5}),
        (REVOKED, 7, "go", {}),
    ],
)
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_what_the_staple_says_is_the_ending(
    status: ocsp.OCSPCertStatus,
    until: int,
    client: str,
    categories: dict[str, int],
    version: str,
    certificates: Certificates,
    tmp_path: Path,
    tls_stress: RunIt,
) -> None:
    response = tmp_path / "staple.der"
    response.write_bytes(staple(certificates, status, until=until))
    options = [version, "-status_file", str(response)]

    # Firefox needs no `--stack`: its profile names the library that sees staples.
    stack = () if client == "firefox" else ("--stack", "openssl")
    with OpensslServer(certificates, tmp_path / "server", options) as server:
        run = tls_stress(server.port, "-n", "5", "-c", "1", "--client", client, *stack)

    assert run.summary["failures"]["categories"] == categories
    assert run.code == (1 if categories else 0)


@pytest.mark.parametrize(
    ("until", "own", "likely", "words"),
    [
        (-2, True, "staple-expired", "received an expired OCSP staple"),
        (7, False, "staple-of-previous-certificate", "received the OCSP staple of another certif"),
    ],
)
def test_what_is_wrong_with_the_staple_is_told_with_the_cause_that_follows(
    until: int,
    own: bool,
    likely: str,
    words: str,
    certificates: Certificates,
    tmp_path: Path,
    tls_stress: RunIt,
) -> None:
    response = tmp_path / "staple.der"
    expires = datetime.now(UTC) + timedelta(days=until)
    response.write_bytes(staple(certificates, GOOD, until=until, own=own))
    with OpensslServer(
        certificates, tmp_path / "server", ["-status_file", str(response)]
    ) as server:
        run = tls_stress(server.port, "-n", "20", "-c", "2", "--client", "firefox")

    assert run.summary["failures"]["categories"] == {"bad-staple": 20}
    causes = [*run.summary["causes"], run.summary["unexplained"] or {}]
    fits = next(one["likely"] for one in causes if one.get("likely"))
    assert [one["id"] for one in fits] == [likely]
    assert words in run.summary["headline"]
    dated = f"it expired {expires:%Y-%m-%d}" in fits[0]["text"]
    assert dated is (until < 0)
