"""The real nginx is a witness: its log has one line for each connection, per node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.certificates import Certificates
from tests.servers.nginx import Nginx, Node

pytestmark = pytest.mark.real("nginx")


def test_each_node_logs_its_own_connections(
    two_nodes: Nginx, handshake: Callable[[int], str]
) -> None:
    good = [handshake(two_nodes.ports["good"]) for _ in range(7)]
    alone = [handshake(two_nodes.ports["alone"]) for _ in range(3)]

    assert set(good) == {"TLSv1.3"}
    assert set(alone) == {"CERTIFICATE_VERIFY_FAILED"}
    assert two_nodes.connections_once(10) == {"good": 7, "alone": 3}


def test_a_node_may_speak_one_version_only(
    certificates: Certificates, tmp_path: Path, handshake: Callable[[int], str]
) -> None:
    node = Node("old", certificates.full, certificates.key, protocols=("TLSv1.2",))
    with Nginx([node], tmp_path / "nginx") as nginx:
        assert handshake(nginx.ports["old"]) == "TLSv1.2"


def test_a_node_that_cannot_start_says_why(certificates: Certificates, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="cannot load certificate"):
        Nginx([Node("bad", tmp_path / "missing.pem", certificates.key)], tmp_path / "nginx")
