"""Sessions against a real nginx: as many are resumed as were asked for, and only those."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.servers.certificates import Certificates
from tests.servers.nginx import Nginx, Node

RunIt = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.real("nginx")]

CASES = [
    ("TLSv1.3", ("--stack", "openssl")),
    ("TLSv1.3", ("--stack", "openssl", "--close", "rst")),
    ("TLSv1.2", ("--stack", "openssl")),
    ("TLSv1.2", ("--client", "tls12-only")),
    ("TLSv1.2", ("--client", "tls12-only", "--close", "rst")),
]
ROWS = "SELECT resumed, outcome, stage, chain IS NULL, count(*) FROM handshake GROUP BY 1, 2, 3, 4"


@pytest.mark.parametrize(("version", "options"), CASES)
def test_as_many_resume_as_were_asked_to(
    version: str,
    options: Sequence[str],
    certificates: Certificates,
    tmp_path: Path,
    tls_stress: RunIt,
) -> None:
    """Resumed handshakes show no certificate and are good; the full ones show the chain."""
    node = Node("node", certificates.full, certificates.key, (version,))
    with Nginx([node], tmp_path / "nginx") as nginx:
        run = tls_stress(
            nginx.ports["node"], "-n", "400", "-c", "10", "--processes", "1", "--seed", "1",
            "--resumption", "70%", *options,
        )  # fmt: skip
    rows = {row[0]: row[1:] for row in run.ask(ROWS)}

    assert run.code == 0
    assert set(rows) == {0, 1}
    assert rows[0][:3] == ("ok", "finished", 0)
    assert rows[1][:3] == ("ok", "finished", 1)
    assert 400 * 0.6 < rows[1][3] < 400 * 0.8
    assert run.chains() == {certificates.full_sha256: rows[0][3]}


def test_a_server_that_never_resumes_shakes_hands_in_full(
    certificates: Certificates, tmp_path: Path, tls_stress: RunIt
) -> None:
    extra = "ssl_session_tickets off; ssl_session_cache off;"
    node = Node("node", certificates.full, certificates.key, extra=extra)
    with Nginx([node], tmp_path / "nginx") as nginx:
        run = tls_stress(
            nginx.ports["node"], "-n", "100", "--stack", "openssl", "--resumption", "100%"
        )

    assert run.ask("SELECT DISTINCT resumed FROM handshake") == [(0,)]
    assert run.chains() == {certificates.full_sha256: 100}


def test_without_the_option_nothing_is_resumed(
    certificates: Certificates, tmp_path: Path, tls_stress: RunIt
) -> None:
    node = Node("node", certificates.full, certificates.key)
    with Nginx([node], tmp_path / "nginx") as nginx:
        run = tls_stress(nginx.ports["node"], "-n", "100", "--stack", "openssl")

    assert run.ask("SELECT DISTINCT resumed FROM handshake") == [(0,)]
