"""The real `openssl s_server` does as its options say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.certificates import Certificates
from tests.servers.openssl import OpensslServer

pytestmark = pytest.mark.real("openssl")


@pytest.mark.parametrize(("option", "answer"), [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
def test_it_speaks_the_version_it_is_told(
    certificates: Certificates,
    tmp_path: Path,
    handshake: Callable[[int], str],
    option: str,
    answer: str,
) -> None:
    with OpensslServer(certificates, tmp_path / "server", [option]) as server:
        assert [handshake(server.port) for _ in range(3)] == [answer] * 3
