"""Every protocol against its real server from the distribution: healthy, and with one bad node.

`make starttls` installs the servers and runs this. Where one is missing, its tests are skipped, and
counted.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from stress.cli.main import main
from stress.model.plan import StartTls
from stress.store import open_run
from tests.servers.certificates import Certificates
from tests.servers.haproxy import Backend, Haproxy
from tests.starttls.conftest import RunIt, Start
from tests.starttls.daemons import DAEMONS

pytestmark = [
    pytest.mark.long,
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="servers that drop root's rights need them first"),
]


def each(*protocols: StartTls, beside: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """Run for these protocols, each where its server is installed."""
    return pytest.mark.parametrize(
        "protocol",
        [
            pytest.param(one, marks=pytest.mark.real(DAEMONS[one][0], *beside), id=one.value)
            for one in protocols
        ],
    )


@each(*StartTls)
def test_a_bad_node_beside_a_good_one_is_found_by_its_address(
    protocol: StartTls, begin: Start, certificates: Certificates, tls_stress: RunIt, tmp_path: Path
) -> None:
    ports = {"good": begin(protocol, certificates.full), "bad": begin(protocol, certificates.alone)}

    summary = tls_stress(protocol, ports, "-n", "60", "-c", "8")

    assert summary["attempts"] == 60
    assert summary["failures"]["categories"] == {"incomplete-chain": 30}
    cause = summary["causes"][0]
    assert cause["category"] == "incomplete-chain"
    assert (cause["failures"], cause["attempts"]) == (30, 30)
    told = {(one["dimension"], one["value"]) for one in cause["conditions"]}
    told |= {(one["dimension"], one["value"]) for way in cause["aliases"] for one in way}
    assert told & {("address", f"127.0.0.1:{ports['bad']}"), ("label", "bad")}
    assert cause["likely"][0]["id"] == "intermediate-not-deployed"
    chains = {chain["sha256"]: chain["seen"] for chain in summary["chains"]}
    assert chains == {certificates.full_sha256: 30, certificates.alone_sha256: 30}
    with open_run(tmp_path / "run.db") as run:
        rows = list(run.records())
    assert all(row.starttls_ns and row.server_ns for row in rows)


@each(*StartTls)
def test_the_reproduction_works_with_the_tools_that_people_have(
    protocol: StartTls, begin: Start, certificates: Certificates, tls_stress: RunIt, tmp_path: Path
) -> None:
    bad = begin(protocol, certificates.alone)
    tls_stress(protocol, {"bad": bad}, "-n", "20")

    assert main(["evidence", str(tmp_path / "run.db"), "--out", str(tmp_path / "proof")]) == 0
    (script,) = (tmp_path / "proof").glob("*/reproduce.sh")
    done = subprocess.run(
        ["sh", str(script), "openssl", "20"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr + script.read_text()
    assert "reproduced with openssl" in done.stdout


@each(
    StartTls.SMTP,
    StartTls.IMAP,
    StartTls.LDAP,
    StartTls.POSTGRES,
    beside=("haproxy",),
)
def test_one_of_three_behind_a_balancer_is_found_first_by_its_backend(
    protocol: StartTls,
    begin: Start,
    certificates: Certificates,
    tls_stress: RunIt,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chains = {"one": certificates.full, "two": certificates.alone, "three": certificates.full}
    backends = [Backend(name, begin(protocol, chain)) for name, chain in chains.items()]
    with Haproxy(backends, tmp_path / "haproxy") as haproxy:
        summary = tls_stress(protocol, {"front": haproxy.port}, "-n", "90", "-c", "6")
        haproxy.served(90)

        code = main(
            [
                "join",
                str(tmp_path / "run.db"),
                str(haproxy.output),
                "--json",
                "--results",
                str(tmp_path),
            ]
        )

    assert summary["failures"]["categories"] == {"incomplete-chain": 30}
    assert summary["causes"][0]["category"] == "incomplete-chain"
    joined = json.loads(capsys.readouterr().out)
    assert code == 1
    assert joined["causes"][0]["failures"] == 30
    assert joined["causes"][0]["conditions"] == [
        {"dimension": "backend", "value": "two", "op": "is"}
    ]


@each(StartTls.SMTP)
def test_the_command_for_a_greeting_works_against_a_real_postfix(
    protocol: StartTls, begin: Start, certificates: Certificates, tls_stress: RunIt, tmp_path: Path
) -> None:
    """Whoever forgets the option gets the command that has it, and that command succeeds."""
    port = begin(protocol, certificates.full)
    words = ["run", f"real.test:{port}", "--address", f"127.0.0.1:{port}", "-n", "20"]
    ca = ["--ca", str(certificates.root), "--results", str(tmp_path)]
    assert main([*words, *ca, "--name", "forgotten", "-q"]) == 1
    report = tmp_path / "report.json"
    with open_run(tmp_path / "forgotten.db") as run:
        assert {row.outcome for row in run.records()} == {"not-tls"}

    command = _next_command(tmp_path / "forgotten.db", report)

    assert command[-2:] == ["--starttls", "smtp"] or "--starttls" in command
    assert main([*command[1:], "--results", str(tmp_path), "--name", "asked", "-q"]) == 0


def _next_command(file: Path, report: Path) -> list[str]:
    """What the report of a run says to run next."""
    done = subprocess.run(
        [os.sys.executable, "-m", "stress", "report", str(file), "--json"],  # type: ignore[attr-defined]
        check=False,
        capture_output=True,
        text=True,
    )
    report.write_text(done.stdout)
    commands = json.loads(done.stdout)["commands"]
    return next(one["argv"] for one in commands if "--starttls" in one["argv"])


@each(StartTls.POP3)
def test_sessions_resume_and_a_replay_asks_for_tls_again(
    protocol: StartTls, begin: Start, certificates: Certificates, tls_stress: RunIt, tmp_path: Path
) -> None:
    ports = {"good": begin(protocol, certificates.full), "bad": begin(protocol, certificates.alone)}

    summary = tls_stress(
        protocol,
        ports,
        "-n",
        "80",
        "-c",
        "4",
        "--resumption",
        "50%",
        "--stack",
        "openssl",
        "--client",
        "tls12-only",
    )

    assert summary["failures"]["categories"].keys() == {"incomplete-chain"}
    with open_run(tmp_path / "run.db") as run:
        assert any(row.offered for row in run.records())
    assert main(["replay", str(tmp_path / "run.db"), "--results", str(tmp_path), "-q"]) == 1


@each(StartTls.SMTP)
def test_the_limit_is_searched_for_as_with_plain_tls(
    protocol: StartTls, begin: Start, certificates: Certificates, tls_stress: RunIt
) -> None:
    port = begin(protocol, certificates.full)

    summary = tls_stress(
        protocol,
        {"mail": port},
        "--find-limit",
        "failing<50%",
        "--rate",
        "20",
        "--max-duration",
        "8s",
    )

    # Whether a step comes to its end within the time, a busy machine decides.
    assert [limit["goal"] for limit in summary["limits"]] == ["failing<50%"]
    assert summary["completed"] > 0
    assert summary["failures"]["count"] == 0
