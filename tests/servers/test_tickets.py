"""Ticket keys of real nginx nodes behind a real HAProxy name the bad one."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.certificates import Certificates
from tests.servers.conftest import RunIt
from tests.servers.haproxy import Backend, Haproxy
from tests.servers.nginx import Nginx, Node

pytestmark = [pytest.mark.real("haproxy", "nginx"), pytest.mark.slow]


@pytest.fixture
def farm(
    request: pytest.FixtureRequest, certificates: Certificates, tmp_path: Path
) -> Iterator[Haproxy]:
    """Twelve nodes with these directives; `node-12` sends the leaf alone."""
    key = tmp_path / "ticket.key"
    key.write_bytes(bytes(range(80)))
    nodes = [
        Node(
            f"node-{number}",
            certificates.alone if number == 12 else certificates.full,
            certificates.key,
            extra=request.param.format(key=key, number=number),
        )
        for number in range(1, 13)
    ]
    with Nginx(nodes, tmp_path / "nginx") as nginx:
        backends = [Backend(name, port) for name, port in nginx.ports.items()]
        with Haproxy(backends, tmp_path / "haproxy") as haproxy:
            yield haproxy


@pytest.mark.parametrize("farm", [""], indirect=True)
@pytest.mark.parametrize("stack", ["boringssl", "openssl"])
def test_own_keys_name_the_bad_node(farm: Haproxy, tls_stress: RunIt, stack: str) -> None:
    finished = tls_stress(
        farm.port, "--ticket-names", "-n", "300", "-c", "8", "--processes", "1", "--stack", stack
    )

    served, summary = farm.served(300), finished.summary
    (cause,) = summary["causes"]
    (condition,) = cause["conditions"]
    told = {one["name"]: one["failures"] for one in summary["backends"]}
    assert condition["dimension"] == "backend"
    assert told[condition["value"]] == cause["failures"] == served["node-12"]
    assert len(told) == 12
    assert {one["how"] for one in summary["backends"]} == {"ticket"}
    assert f"the backend with {condition['value']}, 1 of 12." in summary["headline"]
    assert summary["backend_count"]["high"] == 12


@pytest.mark.parametrize("farm", [""], indirect=True)
@pytest.mark.parametrize("stack", ["boringssl", "openssl"])
def test_a_sample_names_the_bad_node_unasked(farm: Haproxy, tls_stress: RunIt, stack: str) -> None:
    summary = tls_stress(farm.port, "-n", "600", "--processes", "1", "--stack", stack).summary

    served = farm.served(600)
    bad = summary["failures"]["count"]
    assert bad == served["node-12"]
    assert "came from the backend with ticket key" in summary["headline"]
    count = summary["backend_count"]
    assert count["sample"]
    assert count["unnamed"] < count["named"] < 80
    assert count["seen"] <= 12 <= count["high"]
    assert sum(one["attempts"] for one in summary["backends"]) == count["named"]


@pytest.mark.parametrize("farm", [""], indirect=True)
def test_turned_off_nothing_is_read(farm: Haproxy, tls_stress: RunIt) -> None:
    summary = tls_stress(farm.port, "-n", "120", "--no-ticket-names", "--processes", "1").summary

    assert summary["backend_count"] is None
    assert "came from" not in summary["headline"]


def test_a_reload_in_mid_run_is_told_with_its_time(
    certificates: Certificates, tls_stress: RunIt, tmp_path: Path
) -> None:
    """Without key files nginx makes new keys when it reads its configuration again."""
    nodes = [Node(f"node-{n}", certificates.full, certificates.key) for n in range(1, 5)]
    with (
        Nginx(nodes, tmp_path / "nginx", master=True) as nginx,
        Haproxy([Backend(*one) for one in nginx.ports.items()], tmp_path / "haproxy") as haproxy,
    ):

        def reload() -> None:
            while sum(haproxy.connections().values()) < 300 and nginx.runs(0.02):
                pass
            os.kill(nginx.pid, signal.SIGHUP)

        reloading = threading.Thread(target=reload)
        reloading.start()
        more = ("--ticket-names", "-n", "600", "--rate", "150", "--processes", "1")
        finished = tls_stress(haproxy.port, *more)
        reloading.join()
        haproxy.served(600)
        met = dict(re.findall(r":(\d+) \[[^]]+\] \S+ nodes/(\S+) ", haproxy.output.read_text()))

    rows = finished.ask("SELECT backend, local_port FROM handshake WHERE backend > ''")
    keys = {key: met[str(port)] for key, port in rows}
    pairs = finished.summary["backend_count"]["new_keys"]
    assert {keys[one["before"]] for one in pairs} == set(nginx.ports)
    assert {keys[one["after"]] for one in pairs} == set(nginx.ports)
    assert all(one["last"] <= one["first"] for one in pairs)
    assert "A reload without key files looks like this" in finished.summary["lines"]["asked"]


@pytest.mark.parametrize("farm", ["ssl_session_ticket_key {key};"], indirect=True)
def test_a_shared_key_is_said_to_be_shared(farm: Haproxy, tls_stress: RunIt) -> None:
    summary = tls_stress(
        farm.port, "--ticket-names", "-n", "300", "-c", "8", "--processes", "1"
    ).summary

    assert summary["backends"] == []
    assert summary["backend_count"]["seen"] == 1
    assert "all are sealed with one key" in summary["lines"]["where"]
    assert "tls-stress join run LOG" in summary["lines"]["where"]


@pytest.mark.parametrize("farm", ["ssl_session_tickets off;"], indirect=True)
def test_without_tickets_nothing_is_named(farm: Haproxy, tls_stress: RunIt) -> None:
    summary = tls_stress(
        farm.port, "--ticket-names", "-n", "300", "-c", "8", "--processes", "1"
    ).summary

    assert summary["backends"] == []
    assert summary["backend_count"]["named"] == 0
    assert "its session tickets name none" in summary["lines"]["where"]


@pytest.mark.parametrize(
    "farm",
    ["ssl_session_tickets off; add_header X-Served-By node-{number};"],
    indirect=True,
)
@pytest.mark.parametrize("stack", ["boringssl", "openssl"])
def test_a_header_names_the_bad_node(farm: Haproxy, tls_stress: RunIt, stack: str) -> None:
    more = ("--identify", "header:x-served-by", "--stack", stack)
    summary = tls_stress(
        farm.port, "--ticket-names", "-n", "120", "-c", "8", "--processes", "1", *more
    ).summary

    served = farm.served(120)
    told = {one["name"]: one for one in summary["backends"]}
    assert told.keys() == served.keys()
    # Until a value has come twice, none is known to be a name.
    assert all(served[name] - 1 <= one["attempts"] <= served[name] for name, one in told.items())
    assert {name for name, one in told.items() if one["failures"]} == {"node-12"}
    assert summary["causes"][0]["conditions"] == [
        {"dimension": "backend", "value": "node-12", "op": "is"}
    ]
    assert {one["how"] for one in summary["backends"]} == {"header"}


@pytest.mark.parametrize("farm", ["add_header X-Served-By $request_id;"], indirect=True)
def test_a_header_that_differs_each_time_is_no_name(farm: Haproxy, tls_stress: RunIt) -> None:
    more = ("--identify", "header:X-Served-By")
    summary = tls_stress(
        farm.port, "--ticket-names", "-n", "60", "-c", "8", "--processes", "1", *more
    ).summary

    assert summary["backends"] == []
    assert "it is missing, or differs in each answer" in summary["lines"]["asked"]
