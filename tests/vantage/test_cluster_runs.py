"""Runs from the workers of a real Dask cluster over TLS, and its faults."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import distributed
import pytest

import stress
from stress.model.run import End
from tests.cli.conftest import Ask
from tests.servers.certificates import HOST, Certificates
from tests.servers.nginx import Nginx, Node
from tests.vantage.dask_cluster import DaskCluster, sent, write_configuration

pytestmark = [pytest.mark.long, pytest.mark.slow, pytest.mark.real("nginx")]

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = Path(distributed.__file__).parents[1]
PATIENCE_S = 180
ENDS = (0, 4)
"""Clean, and what a machine is told that was too busy to keep up."""
REPEATED = "was started again: it makes no part"
AGAIN = """
import operator, pkgutil, sys
from distributed import Client
address, token, *workers = sys.argv[1:]
with Client(address) as client:
    for worker in workers:
        found = client.submit(pkgutil.resolve_name, "stress.vantage.cluster:make_part",
                              workers=[worker], pure=False)
        client.submit(operator.call, found, token, "x", workers=[worker], pure=False).result()
"""


class Scene:
    """A cluster of three workers, and a real nginx that they dial."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("cluster", "certificates"):
            (folder / name).mkdir()
        self.cluster = DaskCluster(folder / "cluster")
        made = Certificates.make(folder / "certificates")
        self.nginx = Nginx([Node("good", made.full, made.key)], folder / "nginx")
        where = f"127.0.0.1:{self.nginx.ports['good']}"
        self.words = (
            *("run", f"{HOST}:{self.nginx.ports['good']}", "--address", where),
            *("--ca", str(made.root), "--results", str(folder / "results")),
        )

    def start(self, *words: str, environment: dict[str, str] | None = None) -> Process:
        return subprocess.Popen(
            [sys.executable, "-m", "stress", *self.words, *words],
            cwd=self.folder,
            env={
                **os.environ,
                **self.cluster.environment,
                "PYTHONPATH": str(ROOT),
                "COLUMNS": "100",
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def report(self, ask: Ask, name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(
            ask("report", self.folder / "results" / f"{name}.db", "--json").out
        )
        return document

    def dialled(self, at_least: int = 0) -> int:
        """Connections that nginx has logged."""
        return self.nginx.connections_once(at_least)["good"]

    def said(self, worker: str) -> str:
        return (self.cluster.folder / worker / "output.log").read_text()

    def remove_left(self) -> None:
        for path in self.cluster.folder.rglob("*-state/**/*.db"):
            path.unlink()


Process = subprocess.Popen[str]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    scene = Scene(tmp_path_factory.mktemp("scene"))
    try:
        for name in ("ann", "bob"):
            scene.cluster.add(name)
        scene.cluster.add("eve", nanny=True)
        yield scene
    finally:
        scene.nginx.close()
        scene.cluster.close()


def finished(process: Process) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


def when(process: Process, text: str) -> None:
    """Wait until it has written this to standard error."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if text in line:
            return
    raise AssertionError(said)


def gone(scene: Scene, *workers: str) -> None:
    """Wait until the parts of these workers have ended, which they do by themselves."""
    for worker in workers:
        while scene.cluster.processes(worker, "stress.vantage.cluster"):
            os.sched_yield()


def test_every_worker_is_a_vantage_and_the_servers_log_has_as_many_connections(
    scene: Scene,
) -> None:
    before = scene.dialled()
    all_ = ("--vantage", f"all={scene.cluster.address}")
    code, out, err = finished(scene.start("-n", "300", "--concurrency", "12", "--json", *all_))
    document = json.loads(out)

    assert code in ENDS, err
    assert scene.cluster.scheme == "tls"
    assert [(one["name"], one["attempts"]) for one in document["vantages"]] == [
        ("all-1", 100),
        ("all-2", 100),
        ("all-3", 100),
    ]
    assert scene.dialled(before + 300) - before == 300
    assert {f"is the worker {name} of that cluster" in err for name in ("ann", "bob", "eve")} == {
        True
    }
    assert all(abs(one["clock_offset_ms"]) <= one["clock_error_ms"] for one in document["vantages"])
    gone(scene, "ann", "bob", "eve")
    assert scene.cluster.left() == {}
    assert "Traceback" not in "".join(scene.said(name) for name in ("scheduler", "ann", "eve"))


def test_a_killed_worker_is_lost_and_named_and_the_task_that_dask_repeats_dials_nothing(
    scene: Scene, ask: Ask
) -> None:
    before = scene.dialled()
    load = ("-d", "30m", "--rate", "45", "--concurrency", "6", "--drain", "60s")
    own = (*load, "--name", "killed")
    process = scene.start(*own, "--vantage", f"all={scene.cluster.address}")
    when(process, "/s  failing")
    (victim,) = scene.cluster.processes("eve", "--multiprocessing-fork") or [0]
    os.kill(victim, signal.SIGKILL)
    while REPEATED not in scene.said("eve"):  # the nanny starts the worker again, and Dask the task
        assert process.poll() is None
        os.sched_yield()
    more = scene.dialled() + 150  # of which a second load would be a third
    while scene.dialled(more) < more:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    code, _, err = finished(process)
    document = scene.report(ask, "killed")
    gone(scene, "eve")
    ((end, rows),) = scene.cluster.left().values()
    scene.remove_left()
    counted = before + sent(scene.folder / "results/killed.db") + rows

    assert code == 130, err
    assert "is lost: its link ended" in err
    assert len(document["vantages"]) == 2
    (told,) = [one for one in document["validity"]["reasons"] if " was lost (" in one]
    assert str(scene.cluster.state("eve")) in told
    assert (end, rows > 0) == (End.INTERRUPTED, True)
    assert scene.dialled(counted) == counted
    assert scene.said("eve").count(REPEATED) == 1


def test_a_task_that_is_started_elsewhere_while_it_runs_dials_nothing(
    scene: Scene, ask: Ask
) -> None:
    """As after stealing, or a retry."""
    before = scene.dialled()
    own = ("-d", "12s", "--rate", "30", "--name", "again")
    process = scene.start(*own, "--vantage", f"one={scene.cluster.address}?workers=1")
    when(process, "/s  failing")
    names = sorted(scene.cluster.workers, key=scene.cluster.workers.__getitem__)
    making, *others = names
    token = scene.said(making).rpartition("tls-stress: task ")[2].split()[0]
    before_again = {name: scene.said(name).count(REPEATED) for name in names}
    address = scene.cluster.address.replace("dask", scene.cluster.scheme)
    subprocess.run(
        [
            sys.executable,
            "-c",
            AGAIN,
            address,
            token,
            *(scene.cluster.workers[name] for name in others),
        ],
        env={**os.environ, **scene.cluster.environment},
        check=True,
    )
    code, _, err = finished(process)
    document = scene.report(ask, "again")

    assert code in ENDS, err
    assert scene.dialled(before + document["attempts"]) - before == document["attempts"]
    again = {name: scene.said(name).count(REPEATED) - before_again[name] for name in names}
    assert again == {making: 0, **dict.fromkeys(others, 1)}
    assert [one["name"] for one in document["vantages"]] == ["one-1"]


def test_ctrl_c_brings_home_what_there_is(scene: Scene, ask: Ask) -> None:
    own = ("-d", "60s", "--rate", "60", "--name", "ctrl-c")
    process = scene.start(*own, "--vantage", f"all={scene.cluster.address}")
    when(process, "/s  failing")
    process.send_signal(signal.SIGINT)
    code, _, err = finished(process)
    document = scene.report(ask, "ctrl-c")
    gone(scene, "ann", "bob", "eve")

    assert code == 130, err
    assert document["verdict"] == "interrupted"
    assert len(document["vantages"]) == 3
    assert scene.cluster.left() == {}


def test_when_the_initiator_is_killed_every_part_ends_with_its_file_whole(scene: Scene) -> None:
    own = ("-d", "60s", "--rate", "60", "--name", "never")
    process = scene.start(*own, "--vantage", f"all={scene.cluster.address}")
    when(process, "/s  failing")
    process.kill()
    process.communicate()
    gone(scene, "ann", "bob", "eve")
    ends = scene.cluster.left()
    scene.remove_left()

    assert {name: end for name, (end, _) in ends.items()} == dict.fromkeys(
        ("ann", "bob", "eve"), End.INTERRUPTED
    )
    assert all(rows > 0 for _, rows in ends.values())


def test_when_the_scheduler_is_killed_every_part_ends_with_its_file_whole(
    scene: Scene, tmp_path: Path
) -> None:
    with DaskCluster(tmp_path) as cluster:
        cluster.add("odd")
        own = ("-d", "60s", "--rate", "60", "--name", "never", "--vantage")
        process = scene.start(*own, f"all={cluster.address}", environment=cluster.environment)
        when(process, "/s  failing")
        os.kill(cluster.pid("scheduler"), signal.SIGKILL)
        code, _, err = finished(process)
        while "odd" not in cluster.left():
            os.sched_yield()
        ((end, rows),) = cluster.left().values()

    assert code == 4, err
    assert "no vantage sent its run file home" in err
    assert "Traceback" not in err
    assert (end, rows > 0) == (End.INTERRUPTED, True)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("too few", "that cluster has 3 workers, and 4 must be there"),
        ("a name twice", "2 vantages are called all-1"),
        ("no TLS here", "no Dask scheduler answers at tcp://"),
        ("another CA", "no Dask scheduler answers at tls://"),
        ("a worker's address", "I am a Worker"),
    ],
)
def test_what_is_wrong_with_the_option_ends_all_before_anything_is_sent(
    fault: str, told: str, scene: Scene, tmp_path: Path
) -> None:
    environment = dict(scene.cluster.environment)
    vantages = ["--vantage", f"all={scene.cluster.address}"]
    if fault == "too few":
        vantages[-1] += "?workers=4"
    elif fault == "a name twice":
        vantages += ["--vantage", "all-1=local"]
    elif fault == "a worker's address":
        vantages[-1] = f"all=dask://{scene.cluster.workers['ann'].partition('://')[2]}"
    else:
        environment["DASK_CONFIG"] = str(tmp_path)
        environment["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"] = "3s"
        if fault == "another CA":
            write_configuration(tmp_path)

    refused(scene, told, vantages, environment)
    gone(scene, "ann", "bob", "eve")
    assert scene.cluster.left() == {}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A scheduler without workers."""
    with DaskCluster(tmp_path_factory.mktemp("empty")) as cluster:
        yield cluster


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("no workers", "that cluster has 0 workers, and at least 1 must be there"),
        ("not installed", "worker odd has no tls-stress"),
        ("a release without Dask", "worker odd has another release"),
        ("another release", f"worker odd has tls-stress 0.0.1, and this is {stress.__version__}"),
    ],
)
def test_a_worker_that_cannot_do_a_part_ends_all_before_anything_is_sent(
    fault: str, told: str, scene: Scene, empty: DaskCluster, tmp_path: Path
) -> None:
    fake = tmp_path / "stress"
    path = [str(tmp_path)]
    if fault == "not installed":
        for package in PACKAGES.iterdir():
            if not package.name.startswith("stress"):
                (tmp_path / package.name).symlink_to(package)
        path.append("-S")  # without site-packages, whose .pth files find us
    elif fault != "no workers":
        fake.mkdir()
        (fake / "__init__.py").write_text('__version__ = "0.0.1"\n')
    if fault == "another release":
        with (fake / "__init__.py").open("a") as file:
            file.write(f'__path__ = ["{Path(stress.__file__).parent}"]\n')
    if fault != "no workers":
        folder, *options = path
        empty.add("odd", environment={"PYTHONPATH": folder}, options=("-P", *options))

    refused(scene, told, ["--vantage", f"all={empty.address}"], empty.environment)
    assert empty.left() == {}
    if fault != "no workers":
        empty.remove("odd")


def refused(scene: Scene, told: str, vantages: list[str], environment: dict[str, str]) -> None:
    """Make a run that cannot be made."""
    before = scene.dialled()
    words = ("-n", "30", "--name", "never", *vantages)
    code, _, err = finished(scene.start(*words, environment=environment))

    assert code == 2, err
    assert told in " ".join(err.split())
    assert "Traceback" not in err
    assert all(len(line) <= 100 for line in err.splitlines())
    assert scene.dialled() == before
    assert not (scene.folder / "results/never.db").exists()
