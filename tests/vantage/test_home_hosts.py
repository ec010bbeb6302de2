"""A run from three hosts by ssh: network namespaces with a real `sshd` each, and their faults."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import stress
from stress.model.run import End
from stress.store import open_run
from tests.cli.conftest import Ask
from tests.vantage.hosts import OTHER, OURS, PROGRAMS, Hosts, RefusedError

pytestmark = [pytest.mark.long, pytest.mark.slow, pytest.mark.real(*PROGRAMS)]

AHEAD_S = {"fra": 0.0, "nyc": 37.0, "sfo": -12.5}
PATIENCE_S = 120


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """Three hosts; nginx answers `nyc` without its intermediate."""
    try:
        hosts = Hosts(tmp_path_factory.mktemp("hosts"), AHEAD_S, ("nyc",), "nyc")
    except RefusedError as error:
        pytest.skip(f"no network namespaces here: {error}")
    with hosts:
        yield hosts


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


def when(process: subprocess.Popen[str], text: str) -> str:
    """What it has written to standard error until the text is there."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if text in line:
            return said
    raise AssertionError(said)


def the_run(hosts: Hosts, ask: Ask, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        ask("report", hosts.folder / "results" / f"{name}.db", "--json").out
    )
    return document


def ended(file: Path) -> tuple[End, int]:
    with open_run(file) as run:
        facts = run.facts()
    return facts.end, facts.recorded


def gone(hosts: Hosts, *names: str) -> None:
    """Wait until the parts on these hosts have ended, which they do by themselves."""
    for name in names:
        while hosts.processes("-u -c import", name):
            os.sched_yield()


def test_three_hosts_make_one_run_whose_counts_are_those_of_the_servers_log(
    three: Hosts, ask: Ask
) -> None:
    before = three.connections()
    code, out, err = finished(three.start("-n", "300", "--json", *three.vantages()))
    document, made = json.loads(out), three.connections() - before
    page = three.folder / "page.html"
    file = next((three.folder / "results").iterdir())
    text = " ".join(ask("report", file, "--html", page).out.split())
    with open_run(file) as run:
        starts = [record.started_ns for record in run.records()]

    assert code == 1, err
    assert made == Counter(fra=100, nyc=100, sfo=100)
    assert {one["name"]: one["attempts"] for one in document["vantages"]} == dict(made)
    assert document["causes"][0]["conditions"] == [
        {"dimension": "vantage", "value": "nyc", "op": "is"}
    ]
    assert document["failures"]["count"] == 100
    for one in document["vantages"]:
        off_ms = one["clock_offset_ms"] - AHEAD_S[one["name"]] * 1_000
        assert abs(off_ms) <= one["clock_error_ms"] + 0.001
        assert one["networks"] == [three.addresses[one["name"]]]
    apart_s = max(AHEAD_S.values()) - min(AHEAD_S.values())
    assert (max(starts) - min(starts)) / 1e9 < apart_s / 2  # by one clock: the run takes 6 s
    assert "other networks" not in text
    assert "3 vantages (fra, nyc, sfo)" in text
    assert "nyc" in page.read_text()
    assert [three.files(name) for name in AHEAD_S] == [[], [], []]


def test_each_host_goes_where_its_own_dns_sends_it_and_the_difference_is_told(
    three: Hosts, ask: Ask
) -> None:
    three.serve_names(other_for="sfo")
    own = ("-n", "60", "--rate", "60", "--name", "names")
    code, _, err = finished(three.start(*own, *three.vantages(), by_name=True))
    document = the_run(three, ask, "names")

    assert code == 1, err
    assert {one["address"]: one["attempts"] for one in document["addresses"]} == {
        f"{OURS}:443": 40,
        f"{OTHER}:443": 20,
    }
    assert {one["name"]: one["answers"] for one in document["vantages"]} == {
        "fra": [OURS],
        "nyc": [OURS],
        "sfo": [OTHER],
    }
    (told,) = [one for one in document["validity"]["reasons"] if one.startswith("DNS answers")]
    assert f"sfo {OTHER}" in told


def test_a_host_that_is_lost_is_named_and_the_rest_stays_valid(three: Hosts, ask: Ask) -> None:
    own = ("-d", "15s", "--rate", "30", "--name", "cut", "--rows", "there")
    process = three.start(*own, *three.vantages())
    when(process, "/s  failing")
    three.cut("sfo")
    code, _, err = finished(process)
    three.cut("sfo", up=True)
    document = the_run(three, ask, "cut")
    gone(three, "sfo")
    (left,) = three.files("sfo")
    end, rows = ended(left)
    whole = ask(
        "merge",
        three.folder / "results/cut.db",
        left,
        "--name",
        "whole",
        "--json",
        "--results",
        three.folder / "results",
    )
    left.unlink()

    assert code == 1, err
    assert "sfo is lost: nothing was heard of it for 8 s" in err
    assert document["verdict"] == "failing"
    assert [one["name"] for one in document["vantages"]] == ["fra", "nyc"]
    (told,) = [one for one in document["validity"]["reasons"] if one.startswith("sfo was lost")]
    assert str(left) in told
    assert (end, rows > 0) == (End.INTERRUPTED, True)
    complete = json.loads(whole.out)
    assert [one["name"] for one in complete["vantages"]] == ["fra", "nyc", "sfo"]
    reasons = complete["validity"]["reasons"]
    assert "sfo was lost in the run, and its file was added later" in reasons
    assert not any("its part is not in this file" in one for one in reasons)


def test_a_killed_ssh_loses_one_host(three: Hosts, ask: Ask) -> None:
    own = ("-d", "10s", "--rate", "30", "--name", "ssh")
    process = three.start(*own, *three.vantages())
    when(process, "/s  failing")
    three.kill(f"root@{three.addresses['fra']} python3")
    code, _, err = finished(process)
    document = the_run(three, ask, "ssh")
    gone(three, "fra")
    (left,) = three.files("fra")
    end, rows = ended(left)
    left.unlink()

    assert code == 1, err
    assert "fra is lost: its link ended" in err
    assert [one["name"] for one in document["vantages"]] == ["nyc", "sfo"]
    assert (end, rows > 0) == (End.INTERRUPTED, True)


def test_a_killed_far_worker_is_told_with_the_name_of_its_vantage(three: Hosts, ask: Ask) -> None:
    own = ("-n", "600", "--rate", "60", "--processes", "6", "--name", "worker")
    process = three.start(*own, *three.vantages())
    when(process, "/s  failing")
    three.kill("stress.engine.worker.process", "sfo")
    code, _, err = finished(process)
    document = the_run(three, ask, "worker")

    assert code == 1, err
    assert [one["name"] for one in document["vantages"]] == ["fra", "nyc", "sfo"]
    assert any(one.startswith("sfo: worker") for one in document["validity"]["reasons"])
    assert document["vantages"][0]["attempts"] == 200


def test_ctrl_c_brings_home_what_there_is(three: Hosts, ask: Ask) -> None:
    own = ("-d", "60s", "--rate", "60", "--name", "ctrl-c", "--rows", "there")
    process = three.start(*own, *three.vantages())
    when(process, "/s  failing")
    process.send_signal(signal.SIGINT)
    code, _, err = finished(process)
    document = the_run(three, ask, "ctrl-c")

    assert code == 130, err
    assert document["verdict"] == "interrupted"
    assert {one["name"] for one in document["vantages"]} == set(AHEAD_S)
    assert [three.files(name) for name in AHEAD_S] == [[], [], []]


@pytest.mark.parametrize("rows", ["here", "there"])
def test_a_full_disk_there_ends_one_part_and_what_it_wrote_is_merged_later(
    rows: str, three: Hosts, ask: Ask
) -> None:
    results = three.folder / "results"
    own = ("-d", "20s", "--rate", "90", "--rows", rows, "--name", f"full-{rows}")
    ballast = three.state("nyc") / "ballast"
    process = three.start(*own, *three.vantages())
    when(process, "/s  failing")
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4_096))
    code, _, err = finished(process)
    ballast.unlink()
    gone(three, *AHEAD_S)
    document = the_run(three, ask, f"full-{rows}")
    names = [one["name"] for one in document["vantages"]]
    told = " ".join(document["validity"]["reasons"])
    (left,) = three.files("nyc")
    words = ("merge", results / f"full-{rows}.db", left, "--json", "--results", results)
    whole = json.loads(ask(*words, "--name", f"all-{rows}").out)
    left.unlink()

    assert code in {0, 4}, err  # a busy machine may void it
    assert "Traceback" not in err
    assert "nyc was lost (it stopped: could not write to the run file" in told
    assert "the disk is full" in told
    assert str(left) in told
    assert names == ["fra", "sfo"]
    assert [one["name"] for one in whole["vantages"]] == ["fra", "nyc", "sfo"]
    assert whole["attempts"] > document["attempts"]


def test_when_the_initiator_is_killed_every_part_ends_with_its_file_whole(three: Hosts) -> None:
    process = three.start("-d", "60s", "--rate", "60", "--name", "killed", *three.vantages())
    when(process, "/s  failing")
    (initiator,) = [pid for pid in three.processes("-m stress run") if pid]
    os.kill(initiator, signal.SIGKILL)
    process.communicate()
    gone(three, *AHEAD_S)
    ends = {name: ended(file) for name in AHEAD_S for file in three.files(name)}
    for name in AHEAD_S:
        for file in three.files(name):
            file.unlink()

    assert {name: end for name, (end, _) in ends.items()} == dict.fromkeys(AHEAD_S, End.INTERRUPTED)
    assert all(rows > 0 for _, rows in ends.values())


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("unknown host key", "Host key verification failed."),
        ("refused", "Connection refused"),
        ("another release", f"it has tls-stress 0.0.1, and this is {stress.__version__}"),
        ("not installed", "there is no tls-stress for"),
        ("no Python", "not found"),
        ("no room for files", "cannot make the folder"),
        pytest.param(
            "an old Python",
            "the Python there is 3.9.",
            marks=pytest.mark.real("pypy3"),  # PyPy of the distribution speaks 3.9
        ),
    ],
)
def test_what_is_wrong_with_one_host_ends_all_before_anything_is_sent(
    fault: str, told: str, three: Hosts, tmp_path: Path
) -> None:
    before, keys = three.connections(), three.known.read_text()
    vantages = three.vantages("fra", "sfo")
    python = three.programs("sfo") / "python3"
    wrapper = python.read_text()
    if fault == "unknown host key":
        three.known.write_text(keys.splitlines()[0] + "\n")
    elif fault == "refused":
        vantages[-1] += ":23"
    elif fault == "another release":
        (tmp_path / "stress").mkdir()
        (tmp_path / "stress/__init__.py").write_text('__version__ = "0.0.1"\n')
        three.install_python("sfo", tmp_path)
    elif fault == "not installed":
        python.unlink()  # what is left is the system's
    elif fault == "an old Python":
        python.write_text(f'#!/bin/sh\nexec {shutil.which("pypy3")} "$@"\n')
    elif fault == "no Python":
        python.write_text("#!/bin/sh\necho python3: not found >&2; exit 127\n")
    else:
        three.state("sfo").mkdir(exist_ok=True)
        three.state("sfo").rename(tmp_path / "state")
        three.state("sfo").write_text("")
    code, _, err = finished(three.start("-n", "30", "--name", "never", *vantages))
    gone(three, *AHEAD_S)
    three.known.write_text(keys)
    python.write_text(wrapper)
    python.chmod(0o755)
    if three.state("sfo").is_file():
        three.state("sfo").unlink()
        (tmp_path / "state").rename(three.state("sfo"))

    assert code == 2, err
    assert told in " ".join(err.split())
    assert "Traceback" not in err
    assert "sfo" in err
    assert three.connections() == before
    assert not (three.folder / "results/never.db").exists()
    assert [three.files(name) for name in AHEAD_S] == [[], [], []]
