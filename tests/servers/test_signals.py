"""Nodes behind one address that finish no handshake are told apart by what they show."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.servers.certificates import Certificates
from tests.servers.conftest import RunIt
from tests.servers.haproxy import Backend, Haproxy
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
    assert condition["value"].startswith("MSS 988, window scale ")
    assert cause["grade"] == "suggested"
    assert (cause["failures"], cause["attempts"]) == (bad.failed, bad.met)
    assert finished.summary["failures"]["count"] == bad.failed
    assert "What ends TCP there may be one node" in cause["sentence"]
    assert finished.ask("SELECT count(*) FROM handshake WHERE tcp_options LIKE 'MSS 988,%'") == [
        (bad.met,)
    ]


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
