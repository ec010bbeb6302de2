"""Nodes behind one address that finish no handshake are told apart by what they show."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.servers.certificates import Certificates
from tests.servers.conftest import RunIt
from tests.servers.haproxy import Backend, Haproxy
from tests.servers.nginx import Nginx, Node
from tests.servers.process import ServerProcess, free_ports
from tests.servers.signalling import ResettingNode

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux balances with SO_REUSEPORT"),
]
OTHER = {"TCP_MAXSEG": 1000, "SO_RCVBUF": 1 << 20}


@pytest.fixture
def open_nodes() -> Iterator[ExitStack]:
    with ExitStack() as nodes:
        yield nodes


@pytest.mark.parametrize("stalls", [False, pytest.param(True, marks=pytest.mark.long)])
def test_other_tcp_options_suggest_the_node_that_fails(
    certificates: Certificates, tls_stress: RunIt, open_nodes: ExitStack, stalls: bool
) -> None:
    good = open_nodes.enter_context(ResettingNode(certificates))
    bad = open_nodes.enter_context(
        ResettingNode(certificates, good.port, resets=2, stalls=stalls, options=OTHER)
    )

    finished = tls_stress(good.port, "-n", "200", "-c", "8", "--processes", "1", "--timeout", "2s")

    (cause,) = finished.summary["causes"]
    (condition,) = cause["conditions"]
    assert condition["dimension"] == "tcp_options"
    assert condition["value"].startswith(("MSS 988,", "MSS 1000,")), "12 less with time stamps"
    assert cause["grade"] == "suggested"
    assert (cause["failures"], cause["attempts"]) == (bad.failed, bad.met)
    assert finished.summary["failures"]["count"] == bad.failed
    assert "What ends TCP there may be one node" in cause["sentence"]
    assert (
        dict(finished.ask("SELECT tcp_options, count(*) FROM handshake GROUP BY 1"))[
            condition["value"]
        ]
        == bad.met
    )


def test_of_nodes_that_are_alike_nothing_is_claimed(
    certificates: Certificates, tls_stress: RunIt, open_nodes: ExitStack
) -> None:
    good = open_nodes.enter_context(ResettingNode(certificates))
    bad = open_nodes.enter_context(ResettingNode(certificates, good.port, resets=2))

    finished = tls_stress(good.port, "-n", "200", "-c", "4", "--processes", "1")

    assert finished.summary["causes"] == []
    assert finished.summary["unexplained"]["failures"] == bad.failed
    assert "Nothing that is recorded sets" in finished.summary["lines"]["where"]
    assert "alike in ServerHello and TCP options" in finished.summary["lines"]["where"]


def test_nothing_is_claimed_of_nodes_that_differ_and_are_healthy(
    certificates: Certificates, tls_stress: RunIt, open_nodes: ExitStack
) -> None:
    good = open_nodes.enter_context(ResettingNode(certificates))
    other = open_nodes.enter_context(ResettingNode(certificates, good.port, options=OTHER))

    finished = tls_stress(good.port, "-n", "200", "-c", "4", "--processes", "1")

    assert (good.met > 0, other.met > 0) == (True, True)
    assert finished.summary["causes"] == []
    assert finished.summary["verdict"] == "clean"


@pytest.mark.long
@pytest.mark.real("go", "haproxy", "nginx")
@pytest.mark.parametrize("client", ["generic", "tls12-only"])
def test_of_different_servers_the_one_that_resets_is_told_where_its_hello_differs(
    certificates: Certificates, tls_stress: RunIt, tmp_path: Path, client: str
) -> None:
    """In TLS 1.3 nginx and Go send alike ServerHellos, in TLS 1.2 they do not."""
    (port,), program = free_ports(1), tmp_path / "resetting"
    source = Path(__file__).with_name("resetting.go")
    subprocess.run(["go", "build", "-o", program, source], check=True)
    command = [str(program), str(port), str(certificates.full), str(certificates.key)]
    program.with_suffix(".d").mkdir()
    with (
        ServerProcess(command, program.with_suffix(".d"), [port]),
        Nginx([Node("nginx", certificates.full, certificates.key)], tmp_path / "nginx") as nginx,
        ResettingNode(certificates) as own,
        Haproxy(
            [
                Backend("go", port),
                Backend("nginx", nginx.ports["nginx"]),
                Backend("own", own.port),
            ],
            tmp_path / "haproxy",
        ) as haproxy,
    ):
        more = ("-n", "300", "-c", "4", "--processes", "1", "--client", client)
        finished = tls_stress(haproxy.port, *more)
        met = haproxy.served(300)["go"]

    (shape,) = finished.ask("SELECT DISTINCT ja3s FROM handshake WHERE outcome <> 'ok'")
    alike = finished.ask(f"SELECT count(*) FROM handshake WHERE ja3s = '{shape[0]}'")[0][0]
    failed, cause = finished.summary["failures"]["count"], finished.summary["causes"][0]
    told = f"worst answered with JA3S {shape[0]}: {failed} of {met}" in cause["sentence"]
    assert cause["conditions"][0]["dimension"] == "cipher"
    assert (alike == met) is told is (client == "tls12-only")


@pytest.mark.real("haproxy")
def test_behind_a_balancer_the_server_hello_is_of_the_node_and_tcp_is_not(
    certificates: Certificates, tls_stress: RunIt, open_nodes: ExitStack, tmp_path: Path
) -> None:
    """Its TCP options never reach us: HAProxy ends TCP, with its own for all nodes."""
    nodes = [open_nodes.enter_context(ResettingNode(certificates)) for _ in range(2)]
    bad = open_nodes.enter_context(
        ResettingNode(certificates, resets=2, options=OTHER, tickets=False)
    )
    backends = [Backend(f"node-{n}", one.port) for n, one in enumerate([*nodes, bad], 1)]
    with Haproxy(backends, tmp_path / "haproxy") as haproxy:
        finished = tls_stress(
            haproxy.port, "-n", "300", "-c", "4", "--processes", "1", "--client", "tls12-only"
        )

    (cause,) = finished.summary["causes"]
    assert {one["dimension"] for one in cause["conditions"]} == {"ja3s"}
    assert (cause["failures"], cause["attempts"]) == (bad.failed, bad.met)
    assert cause["grade"] == "suggested"
    assert "What answers like that may be one node" in cause["sentence"]
    assert len(finished.ask("SELECT DISTINCT tcp_options FROM handshake")) == 1
    assert len(finished.ask("SELECT DISTINCT ja3s FROM handshake")) == 2
