"""Runs through real proxies of the distribution: healthy, refusing, dead behind, with a login.

`make starttls` installs them and runs this. Where one is missing, its tests are skipped, and
counted.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from stress.cli.main import main
from stress.dialogues.proxies import VARIABLE
from stress.model.plan import StartTls
from stress.store import open_run
from tests.servers.certificates import HOST, Certificates
from tests.servers.nginx import Nginx, Node
from tests.servers.process import free_ports
from tests.starttls.conftest import Start
from tests.starttls.daemons import DAEMONS
from tests.starttls.proxies import PASSWORD, PROXIES, USER, start_proxy

pytestmark = [pytest.mark.long, pytest.mark.slow, pytest.mark.real("nginx")]

Proxied = Callable[..., str]
Through = Callable[..., dict[str, Any]]


def through(*names: str) -> pytest.MarkDecorator:
    """Run through these proxies, each where it is installed."""
    return pytest.mark.parametrize(
        "name", [pytest.param(one, marks=pytest.mark.real(one), id=one) for one in names]
    )


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[Proxied]:
    """Start a proxy; returns its URL."""
    with ExitStack() as stack:

        def one(name: str, *, login: bool = False) -> str:
            server, url = start_proxy(name, tmp_path / name, login=login)
            stack.enter_context(server)
            return url

        yield one


@pytest.fixture
def nodes(certificates: Certificates, tmp_path: Path) -> Iterator[dict[str, int]]:
    """A good node and one that sends its leaf alone, with TLS first."""
    chains = {"good": certificates.full, "bad": certificates.alone}
    servers = [Node(label, chain, certificates.key) for label, chain in chains.items()]
    with Nginx(servers, tmp_path / "nginx") as nginx:
        yield nginx.ports


@pytest.fixture
def run(certificates: Certificates, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Through:
    """`tls-stress run` through a proxy; returns the summary."""

    def one(url: str, ports: dict[str, int], *options: str, name: str = "run") -> dict[str, Any]:
        places = [f"127.0.0.1:{port}={label}" for label, port in ports.items()]
        words = [word for place in places for word in ("--address", place)]
        capsys.readouterr()
        words += ["--results", str(tmp_path), "--name", name, "--json", *options]
        main(["run", HOST, "--proxy", url, "--ca", str(certificates.root), *words])
        done = capsys.readouterr()
        assert done.out, done.err
        summary: dict[str, Any] = json.loads(done.out)
        return summary

    return one


@through(*PROXIES)
def test_a_bad_node_behind_a_proxy_is_found_by_its_address(
    name: str, proxied: Proxied, nodes: dict[str, int], run: Through, tmp_path: Path
) -> None:
    url = proxied(name)

    summary = run(url, nodes, "-n", "40", "-c", "4")

    assert summary["failures"]["categories"] == {"incomplete-chain": 20}, summary["validity"]
    told = {(one["dimension"], one["value"]) for one in summary["causes"][0]["conditions"]}
    told |= {
        (one["dimension"], one["value"]) for way in summary["causes"][0]["aliases"] for one in way
    }
    assert ("label", "bad") in told
    with open_run(tmp_path / "run.db") as recorded:
        assert recorded.facts().plan.proxy is not None
        assert all(row.proxy_ns and row.server_ns for row in recorded.records())
    named = [one["argv"] for one in summary["commands"] if "--proxy" in one["argv"]]
    assert [argv[argv.index("--proxy") + 1] for argv in named][:1] == [url]
    assert main(["replay", str(tmp_path / "run.db"), "--results", str(tmp_path), "-q"]) == 1


@through(*PROXIES)
def test_the_reproduction_goes_through_the_proxy(
    name: str, proxied: Proxied, nodes: dict[str, int], run: Through, tmp_path: Path
) -> None:
    run(proxied(name), {"bad": nodes["bad"]}, "-n", "20")

    assert main(["evidence", str(tmp_path / "run.db"), "--out", str(tmp_path / "proof")]) == 0
    (script,) = (tmp_path / "proof").glob("*/reproduce.sh")
    for tool in ["curl", *(["openssl"] if PROXIES[name][0] == "http" else [])]:
        done = subprocess.run(
            ["sh", str(script), tool, "3"], check=False, capture_output=True, text=True, timeout=90
        )
        assert done.returncode == 0, done.stderr + script.read_text()


@through(*PROXIES)
def test_a_target_that_is_down_behind_a_proxy_is_not_called_the_targets_failure(
    name: str, proxied: Proxied, run: Through
) -> None:
    (closed,) = free_ports(1)

    summary = run(proxied(name), {"down": closed}, "-n", "10")

    assert (summary["verdict"], summary["failures"]["count"]) == ("invalid", 0)
    reasons = " ".join(summary["validity"]["reasons"])
    assert "got no tunnel through the proxy (proxy-failed 10)" in reasons
    assert "the proxy said" in reasons


@through("squid", "danted")
def test_what_its_rules_forbid_is_refused(name: str, proxied: Proxied, run: Through) -> None:
    summary = run(proxied(name), {"forbidden": 9}, "-n", "10")

    assert "(proxy-refused 10)" in " ".join(summary["validity"]["reasons"])


@through("tinyproxy", "microsocks")
def test_credentials_open_the_proxy_and_stay_out_of_the_run_file(
    name: str,
    proxied: Proxied,
    nodes: dict[str, int],
    run: Through,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, good = proxied(name, login=True), {"good": nodes["good"]}
    monkeypatch.delenv(VARIABLE, raising=False)

    without = run(url, good, "-n", "10", name="without")
    monkeypatch.setenv(VARIABLE, f"{USER}:wrong")
    wrong = run(url, good, "-n", "10", name="wrong")
    monkeypatch.setenv(VARIABLE, f"{USER}:{PASSWORD}")
    by_variable = run(url, good, "-n", "10", name="variable")
    monkeypatch.delenv(VARIABLE)
    (tmp_path / "secret").write_text(f"{USER}:{PASSWORD}\n")
    file = ["--proxy-authorization", str(tmp_path / "secret")]
    by_file = run(url, good, "-n", "10", *file, name="file")

    for each, says in ((without, "asks for credentials"), (wrong, "does not accept")):
        reasons = " ".join(each["validity"]["reasons"])
        assert "(proxy-authentication 10)" in reasons
        assert says in reasons
    assert [by_variable["verdict"], by_file["verdict"]] == ["clean", "clean"]
    for path in tmp_path.glob("*.db*"):
        with open_run(path) as recorded:
            kept = b"".join(flight.data for one in recorded.transcripts() for flight in one.flights)
        assert PASSWORD.encode() not in kept + path.read_bytes()
        assert b"amFuZTpzM2NyZXQ" not in kept + path.read_bytes()


@through("tinyproxy")
def test_names_are_resolved_by_the_proxy(
    name: str, proxied: Proxied, nodes: dict[str, int], certificates: Certificates, tmp_path: Path
) -> None:
    words = ["run", f"localhost:{nodes['good']}", "--sni", HOST, "--ca", str(certificates.root)]

    code = main([*words, "--proxy", proxied(name), "-n", "10", "-q", "--results", str(tmp_path)])

    assert code == 0
    (file,) = tmp_path.glob("*.db")
    with open_run(file) as recorded:
        assert [str(one) for one in recorded.addresses()] == [f"localhost:{nodes['good']}"]


@through("tinyproxy", "microsocks")
@pytest.mark.real(DAEMONS[StartTls.IMAP][0])
def test_a_mail_server_behind_a_proxy_is_asked_for_tls(
    name: str,
    proxied: Proxied,
    begin: Start,
    certificates: Certificates,
    run: Through,
    tmp_path: Path,
) -> None:
    ports = {
        "good": begin(StartTls.IMAP, certificates.full),
        "bad": begin(StartTls.IMAP, certificates.alone),
    }

    summary = run(proxied(name), ports, "-n", "20", "-c", "4", "--starttls", "imap")

    assert summary["failures"]["categories"] == {"incomplete-chain": 10}
    with open_run(tmp_path / "run.db") as recorded:
        assert all(row.proxy_ns and row.starttls_ns for row in recorded.records())
