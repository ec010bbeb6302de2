"""A stranger's run file makes us connect only as this command line allows, and run no command."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from shlex import split
from shutil import copyfile
from typing import Any

import pytest

from stress.model.plan import Address, Client, Load, Plan, Target
from stress.store import RunWriter, open_run
from stress.store.writer import copy_run
from stress.text.escape import shell_line
from tests.strangers.doors import Visit, visit

PUBLIC = Address("93.184.216.34", 443)
PLAN = Plan(
    Target("example.com"), (PUBLIC,), (Client("generic"),), Load(4_400), authorized="they said so"
)
CONNECTING = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo")


def interrupted(folder: Path, plan: Plan, name: str = "part") -> Path:
    """A run that was killed before its first handshake, a while ago."""
    path = folder / f"{name}.db"
    writer = RunWriter(path, plan, started_ns=10**18, versions={}, host="here")
    for index, address in enumerate(plan.addresses):
        writer.add_address(index, address)
    writer.commit(0)
    writer.close()
    os.utime(path, (0, 0))
    return path


def opened(folder: Path, *words: object) -> Visit:
    """One command line, which connects to nothing and leaves no new run file."""
    before = sorted(folder.iterdir())
    (one,) = visit([words], folder).visits
    assert [detail for event, detail in one.events if event in CONNECTING] == []
    assert sorted(folder.iterdir()) == before
    return one


@pytest.mark.slow
@pytest.mark.parametrize(
    "load",
    [
        Load(4_400),
        Load(51, rate=1e6),
        Load(None, 60.0),
        Load(None, 21.0, rate=50.0),
        Load(1_001, rate=50.0),
        Load(None, None, rate=1.0),
    ],
    ids=str,
)
def test_a_recorded_consent_continues_nothing(load: Load, tmp_path: Path) -> None:
    path = interrupted(tmp_path, replace(PLAN, load=load))

    one = opened(tmp_path, "run", "--continue", path, "--results", tmp_path)

    assert one.code == 2
    assert "is public" in one.err
    assert "consent" in one.err


@pytest.fixture
def failed(true_run: Path, tmp_path: Path) -> Path:
    """A finished run with failures, as it would be against a public address."""
    path = tmp_path / "failed.db"
    with open_run(true_run) as run:
        facts = run.facts()
        plan = replace(facts.plan, addresses=(PUBLIC,), authorized="they said so")
        writer = RunWriter(path, plan, started_ns=facts.started_ns, versions={}, host="here")
        writer.add_address(0, PUBLIC)
        writer.add_records(list(run.records()))
        writer.commit(facts.started)
        writer.close()
    return path


@pytest.mark.slow
def test_a_recorded_consent_replays_nothing(failed: Path, tmp_path: Path) -> None:
    one = opened(tmp_path, "replay", failed, "--tries", "200", "--results", tmp_path)

    assert one.code == 2, one.err
    assert "is public" in one.err
    assert "need consent" in one.err


@pytest.mark.slow
@pytest.mark.parametrize("verb", [("run", "--continue"), ("replay",)], ids=str)
def test_no_path_of_a_run_file_is_opened(
    verb: tuple[str, ...], tmp_path: Path, failed: Path
) -> None:
    """The certificate's path is a pipe: whoever opens it would wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    pipe = str(tmp_path / "pipe")
    with open_run(failed) as run:
        records = list(run.records())
        facts = run.facts()
        plan = replace(facts.plan, client_certificate=pipe, client_key=pipe, load=Load(200))
    path = tmp_path / "mutual.db"
    writer = RunWriter(path, plan, started_ns=facts.started_ns, versions={}, host="here")
    writer.add_address(0, PUBLIC)
    writer.add_records(records)
    writer.commit(len(records))
    writer.close()
    os.utime(path, (0, 0))

    one = opened(tmp_path, *verb, path, "--results", tmp_path)

    assert one.code == 2
    assert "used a client certificate" in one.err
    assert "--cert FILE" in one.err


@pytest.mark.slow
def test_a_certificate_that_the_recorded_run_did_not_use_is_refused(tmp_path: Path) -> None:
    path = interrupted(tmp_path, replace(PLAN, load=Load(10)))
    pem = tmp_path / "both.pem"
    pem.write_text("-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n")

    one = opened(tmp_path, "run", "--continue", path, "--cert", pem, "--results", tmp_path)

    assert one.code == 2
    assert "used no client certificate" in one.err


@pytest.mark.slow
def test_no_credentials_of_a_run_file_are_in_a_printed_command(
    true_run: Path, tmp_path: Path
) -> None:
    """Who pastes a command would show their own certificate to the file's target."""
    path, planted = tmp_path / "mutual.db", "/keys/of-the-victim/planted.pem"
    with open_run(true_run) as run:
        facts = run.facts()
        plan = replace(facts.plan, client_certificate=planted, client_key=planted)
        writer = RunWriter(path, plan, started_ns=facts.started_ns, versions={}, host="here")
        copy_run(run, writer)
        writer.commit(facts.started)
        writer.close()

    visits = visit(
        [
            ["report", path, "--json"],
            ["report", path, "--html", tmp_path / "page.html"],
            ["compare", path, path, "--json"],
            ["evidence", path, "--out", tmp_path / "proof"],
        ],
        tmp_path,
    )

    document: dict[str, Any] = json.loads(visits.visits[0].out)
    argvs = [each["argv"] for each in document["commands"]]
    assert any({"--cert", "--key"} <= set(argv) for argv in argvs)
    commands = [shell_line(argv) for argv in argvs] + [each["next"] for each in document["causes"]]
    commands += [line for one in visits.visits for line in one.out.splitlines() if "--cert" in line]
    commands += [file.read_text() for file in (tmp_path / "proof").rglob("*.sh")]
    page = (tmp_path / "page.html").read_text()
    commands += [line for line in page.splitlines() if "--cert" in line]
    assert len(commands) > 6
    assert not any("planted.pem" in command for command in commands)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "x;touch pwned;$(touch pwned)",
        "`touch pwned`",
        "'; touch pwned; '",
        "--i-am-authorized",
        "two\ntouch pwned\n",
        "a b",
    ],
)
def test_the_name_of_a_run_is_no_command(name: str, true_run: Path, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.db"
    copyfile(true_run, path)
    shell = tmp_path / "bin"
    shell.mkdir()
    (shell / "tls-stress").write_text("#!/bin/sh\nexit 0\n")
    (shell / "tls-stress").chmod(0o755)
    before = sorted(tmp_path.iterdir())

    visits = visit([["report", path, "--json"], ["report", path]], tmp_path)

    document: dict[str, Any] = json.loads(visits.visits[0].out)
    lines = [shell_line(each["argv"]) for each in document["commands"]]
    lines += [each["next"] for each in document["causes"] if each["next"]]
    assert len(lines) > 3
    assert not any("--i-am-authorized" in split(line.partition(" -- ")[0]) for line in lines)
    for line in lines:
        assert line.isprintable()
        environment = {**os.environ, "PATH": f"{shell}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", "-c", line], cwd=tmp_path, env=environment, check=False, timeout=20,
            capture_output=True,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(tmp_path.iterdir()) == before
    shown = " ".join(visits.visits[1].out.split())
    assert all(" ".join(line.split()) in shown for line in lines if " replay " in line)
