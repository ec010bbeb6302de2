"""A whole run against real servers: what we count is what their own logs say."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stress.cli.main import main
from tests.servers.certificates import Certificates
from tests.servers.haproxy import Haproxy
from tests.servers.nginx import Nginx, Node
from tests.servers.openssl import OpensslServer

RunIt = Callable[..., Any]
STACKS = ("boringssl", "openssl")

pytestmark = pytest.mark.slow


@pytest.mark.real("nginx")
@pytest.mark.parametrize("close", ["fin", "rst"])
@pytest.mark.parametrize("stack", STACKS)
def test_nginx_saw_as_many_connections_as_we_recorded(
    two_nodes: Nginx, certificates: Certificates, tls_stress: RunIt, stack: str, close: str
) -> None:
    run = tls_stress(
        two_nodes.ports["good"], "-n", "300", "-c", "40", "--stack", stack, "--close", close
    )

    assert (run.code, run.summary["verdict"]) == (0, "clean")
    assert run.chains() == {certificates.full_sha256: 300}
    assert two_nodes.connections_once(300) == {"good": 300, "alone": 0}


@pytest.mark.boringssl
@pytest.mark.real("nginx")
@pytest.mark.parametrize(
    ("clients", "stacks"),
    [
        (["ios-urlsession", "curl-openssl"], ["boringssl", "openssl"]),
        (["java-17", "chrome", "python"], ["openssl", "boringssl", "openssl"]),
        (["java-17"], ["openssl"]),
        (["firefox", "go-1.24"], ["openssl", "boringssl"]),
    ],
    ids=", ".join,
)
def test_each_client_is_sent_by_the_library_that_can(
    clients: list[str], stacks: list[str], two_nodes: Nginx, tls_stress: RunIt
) -> None:
    mix = [word for name in clients for word in ("--client", name)]
    run = tls_stress(two_nodes.ports["alone"], "-n", "60", *mix)
    commands = [one["argv"] for one in run.summary["commands"] if one["argv"][1] == "run"]

    assert run.summary["failures"]["categories"] == {"incomplete-chain": 60}
    assert run.ask("SELECT name, stack FROM client ORDER BY id") == list(
        zip(clients, stacks, strict=True)
    )
    counts = dict(run.ask("SELECT client, count(*) FROM handshake GROUP BY client"))
    assert counts.keys() == set(clients)
    assert commands
    assert all([*mix] == argv[argv.index("--client") :][: len(mix)] for argv in commands)
    assert not any("--stack" in argv for argv in commands)


@pytest.mark.long
@pytest.mark.boringssl
@pytest.mark.real("nginx")
def test_a_replay_sends_each_hello_by_the_library_of_the_run(
    two_nodes: Nginx, tls_stress: RunIt, tmp_path: Path
) -> None:
    mix = ("--client", "java-17", "--client", "chrome")
    run = tls_stress(two_nodes.ports["alone"], "-n", "40", *mix)
    code = main(["replay", str(run.file), "-q", "--results", str(run.file.parent)])
    with closing(sqlite3.connect(run.file.with_stem("run-replay"))) as again:
        rows = again.execute(
            "SELECT client.name, client.stack, count(*) FROM handshake"
            " JOIN client ON client.name = handshake.client WHERE chain IS NOT NULL GROUP BY 1"
        ).fetchall()

    assert code == 3  # each fails again, but there is no good one to compare with
    assert [row[:2] for row in rows] == [("chrome", "boringssl"), ("java-17", "openssl")]
    assert all(row[2] for row in rows)


@pytest.mark.real("nginx")
def test_two_addresses_are_sampled_alike_and_the_odd_one_is_named(
    two_nodes: Nginx, certificates: Certificates, tls_stress: RunIt
) -> None:
    good, alone = two_nodes.ports["good"], two_nodes.ports["alone"]
    addresses = ["--address", f"127.0.0.1:{good}=blue", "--address", f"127.0.0.1:{alone}=green"]
    run = tls_stress(good, "-n", "200", "-c", "20", *addresses)

    assert run.code == 1
    assert run.chains() == {certificates.full_sha256: 100, certificates.alone_sha256: 100}
    assert run.summary["failures"]["categories"] == {"incomplete-chain": 100}
    assert {a["label"]: a["failures"] for a in run.summary["addresses"]} == {
        "blue": 0,
        "green": 100,
    }
    assert two_nodes.connections_once(200) == {"good": 100, "alone": 100}


@pytest.mark.long
@pytest.mark.real("nginx", "haproxy")
def test_the_rare_chain_behind_haproxy_is_counted_as_haproxy_counts_it(
    twelve_nodes: tuple[Nginx, Haproxy], certificates: Certificates, tls_stress: RunIt
) -> None:
    nginx, haproxy = twelve_nodes
    run = tls_stress(haproxy.port, "-n", "3000", "-c", "64")
    served = haproxy.served(3000)
    rare = served["node-12"]

    assert 0 < rare < 60
    assert sum(served.values()) == 3000
    assert run.chains() == {
        certificates.full_sha256: 3000 - rare,
        certificates.alone_sha256: rare,
    }
    assert run.summary["failures"]["categories"] == {"incomplete-chain": rare}
    assert run.code == 1
    # The nodes' own logs agree; one of them also met our first knock through the balancer.
    assert nginx.connections_once(3001)["node-12"] - rare in {0, 1}


@pytest.mark.real("openssl")
@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize(("option", "version"), [("-tls1_2", "TLS 1.2"), ("-tls1_3", "TLS 1.3")])
def test_a_server_of_one_version_gets_that_version(
    certificates: Certificates,
    tmp_path: Path,
    tls_stress: RunIt,
    stack: str,
    option: str,
    version: str,
) -> None:
    with OpensslServer(certificates, tmp_path / "server", [option]) as server:
        run = tls_stress(server.port, "-n", "20", "-c", "1", "--stack", stack)

    assert run.code == 0
    assert run.chains() == {certificates.full_sha256: 20}
    assert run.ask("SELECT DISTINCT tls_version FROM handshake") == [(version,)]


@pytest.mark.real("openssl")
@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_server_that_requires_a_client_certificate_is_told_apart(
    certificates: Certificates, tmp_path: Path, tls_stress: RunIt, stack: str, version: str
) -> None:
    with OpensslServer(certificates, tmp_path / "server", [version, "-Verify", "1"]) as server:
        run = tls_stress(server.port, "-n", "20", "-c", "1", "--stack", stack)

    assert run.code == 1
    assert run.summary["failures"]["categories"] == {"client-certificate-required": 20}


@pytest.mark.real("openssl")
@pytest.mark.parametrize("stack", STACKS)
def test_with_a_client_certificate_the_same_server_is_content(
    certificates: Certificates, tmp_path: Path, tls_stress: RunIt, stack: str
) -> None:
    ours = ["--cert", str(certificates.full), "--key", str(certificates.key)]
    with OpensslServer(certificates, tmp_path / "server", ["-Verify", "1"]) as server:
        run = tls_stress(server.port, "-n", "20", "-c", "1", "--stack", stack, *ours)

    assert run.code == 0


@pytest.mark.real("nginx")
def test_asking_for_a_client_certificate_without_insisting_is_no_failure(
    certificates: Certificates, tmp_path: Path, tls_stress: RunIt
) -> None:
    extra = f"ssl_verify_client optional; ssl_client_certificate {certificates.root};"
    node = Node("asks", certificates.full, certificates.key, extra=extra)
    with Nginx([node], tmp_path / "nginx") as nginx:
        run = tls_stress(nginx.ports["asks"], "-n", "20", "-c", "10")

    assert run.code == 0
