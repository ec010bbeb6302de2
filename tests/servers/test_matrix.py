"""The resumption matrix against real nginx nodes without tickets, behind a real HAProxy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stress.store import open_run
from tests.servers.certificates import Certificates
from tests.servers.conftest import RunIt
from tests.servers.haproxy import Backend, Haproxy
from tests.servers.nginx import Nginx, Node

pytestmark = [pytest.mark.real("haproxy", "nginx"), pytest.mark.slow]
LINE = re.compile(r":(\d+) \[[^]]+\] \S+ nodes/(\S+) ")
OWN_CACHES = "ssl_session_tickets off; ssl_session_cache shared:n{number}:1m;"
SHARED_KEY = "ssl_session_ticket_key {key};"
NOTHING = "ssl_session_tickets off; ssl_session_cache off;"


@pytest.fixture
def farm(
    request: pytest.FixtureRequest, certificates: Certificates, tmp_path: Path
) -> Iterator[Haproxy]:
    """Twelve nodes with these directives; `node-12` sends the leaf alone."""
    key = tmp_path / "ticket.key"
    key.write_bytes(bytes(range(80)))
    directives, protocols = request.param
    nodes = [
        Node(
            f"node-{number}",
            certificates.alone if number == 12 else certificates.full,
            certificates.key,
            protocols=protocols,
            extra=directives.format(key=key, number=number),
        )
        for number in range(1, 13)
    ]
    with Nginx(nodes, tmp_path / "nginx") as nginx:
        backends = [Backend(name, port) for name, port in nginx.ports.items()]
        with Haproxy(backends, tmp_path / "haproxy") as haproxy:
            yield haproxy


BOTH = ("TLSv1.2", "TLSv1.3")


@pytest.mark.parametrize("farm", [(OWN_CACHES, BOTH)], indirect=True)
def test_without_tickets_the_one_bad_node_is_one_group(farm: Haproxy, tls_stress: RunIt) -> None:
    finished = tls_stress(farm.port, "-n", "200", "--backends", "--processes", "1")

    farm.served(680)
    nodes = {int(port): node for port, node in LINE.findall(farm.output.read_text())}
    with open_run(finished.file) as run:
        matrix = run.facts().matrix
    assert matrix is not None
    probes = matrix.probes
    met = [nodes[one.local_port or 0] for one in probes]
    pairs = [(met[one.offered], met[n], one.resumed) for n, one in enumerate(probes) if one.offered]
    assert all((given == at) == resumed for given, at, resumed in pairs)
    assert {node for one, node in zip(probes, met, strict=True) if one.failed} == {"node-12"}
    found = finished.summary["resumption_groups"]
    assert found["one_group"]
    assert found["low"] <= 12 <= found["high"]
    assert found["connections"] == len(probes) == 480
    assert "all failures come from one server, or one group" in finished.summary["lines"]["where"]


@pytest.mark.parametrize("farm", [(SHARED_KEY, BOTH)], indirect=True)
def test_a_shared_key_is_said_and_what_would_tell(farm: Haproxy, tls_stress: RunIt) -> None:
    finished = tls_stress(farm.port, "-n", "120", "--backends", "--processes", "1")

    assert finished.summary["resumption_groups"]["all_shared"]
    assert not finished.summary["resumption_groups"]["one_group"]
    where = finished.summary["lines"]["where"]
    assert "all servers share their keys or one cache" in where
    assert "--identify header:NAME" in where
    assert "tls-stress join run LOG" in where


@pytest.mark.parametrize("farm", [(NOTHING, BOTH)], indirect=True)
def test_without_any_session_nothing_is_told(farm: Haproxy, tls_stress: RunIt) -> None:
    where = tls_stress(farm.port, "-n", "120", "--backends", "--processes", "1").summary["lines"]

    assert "one group" not in where["where"]
    assert "tls-stress join run LOG" in where["where"]


@pytest.mark.parametrize("farm", [("", ("TLSv1.3",))], indirect=True)
def test_tickets_of_tls_1_3_are_offered_once(farm: Haproxy, tls_stress: RunIt) -> None:
    finished = tls_stress(farm.port, "-n", "120", "--backends", "--processes", "1")

    with open_run(finished.file) as run:
        matrix = run.facts().matrix
    assert matrix is not None
    assert matrix.tls_version == 0x0304
    given = [one for one in matrix.probes if one.offered is not None]
    assert given
    assert any(one.resumed for one in given)
