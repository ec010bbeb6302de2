"""What a `--vantage dask://…` says where there is no cluster to speak of."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.planning.vantages import read_vantage
from stress.vantage.cluster import chosen
from tests.vantage.dask_cluster import write_configuration

ROOT = Path(__file__).resolve().parents[2]
OPEN = """
import json, sys
from stress.errors import UsageError
from stress.planning.vantages import read_vantage
from stress.vantage.cluster import open_dask
if sys.argv[1]:
    sys.path[:] = []
try:
    open_dask(read_vantage(sys.argv[2]), print)
except UsageError as error:
    print(json.dumps([error.message, error.hint]))
"""


def refusal(place: str, folder: Path, *, installed: bool = True) -> tuple[str, str]:
    """What is said about a place, with Dask's configuration in this folder."""
    done = subprocess.run(
        [sys.executable, "-c", OPEN, "" if installed else "no", f"all={place}"],
        env={**os.environ, "DASK_CONFIG": str(folder), "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.stderr == ""
    message, hint = json.loads(done.stdout)
    assert message.startswith("--vantage")
    assert len(message) <= 100
    return message, hint


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that accepts connections, and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


@pytest.mark.slow
def test_without_the_library_it_says_how_to_install_it(tmp_path: Path) -> None:
    message, hint = refusal("dask://127.0.0.1:1", tmp_path, installed=False)

    assert "needs the library distributed" in message
    assert "pip install 'tls-stress[dask]'" in hint


@pytest.mark.slow
def test_where_nothing_listens_the_system_says_why(tmp_path: Path) -> None:
    message, hint = refusal("dask://127.0.0.1:1", tmp_path)

    assert message == "--vantage all: nothing answers at tcp://127.0.0.1:1: Connection refused"
    assert "the scheduler" in hint


@pytest.mark.slow
@pytest.mark.parametrize(("tls", "tried"), [(False, "without TLS"), (True, "with TLS")])
def test_what_is_no_scheduler_is_told_as_that(
    tls: bool, tried: str, silent: int, tmp_path: Path
) -> None:
    if tls:
        write_configuration(tmp_path)
    (tmp_path / "patience.yaml").write_text("distributed: {comm: {timeouts: {connect: 1s}}}")
    message, hint = refusal(f"dask://127.0.0.1:{silent}", tmp_path)

    scheme = "tls" if tls else "tcp"
    assert message.endswith(f"no Dask scheduler answers at {scheme}://127.0.0.1:{silent}")
    assert tried in hint


@pytest.mark.slow
@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        ("distributed: {comm: {require-encryption: true}}", "asks for TLS, and names no"),
        ("distributed: {comm: {tls: {ca-file: /no, client: {cert: /no}}}}", "No such file"),
        ("distributed: [", "configuration cannot be used"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_told(
    configuration: str, told: str, silent: int, tmp_path: Path
) -> None:
    (tmp_path / "dask.yaml").write_text(configuration)
    message, hint = refusal(f"dask://127.0.0.1:{silent}", tmp_path)

    assert told in message + hint
    assert "distributed.comm" in hint


@pytest.mark.parametrize(
    ("query", "there", "taken"), [("", 3, 3), ("?workers=2", 3, 2), ("?workers=200", 300, 200)]
)
def test_all_workers_take_part_or_as_many_as_are_wanted(query: str, there: int, taken: int) -> None:
    workers = [f"tcp://10.0.0.{number}:1" for number in range(there)]

    assert chosen(read_vantage(f"all=dask://scheduler{query}"), workers) == workers[:taken]


@pytest.mark.parametrize(
    ("query", "there", "told"),
    [
        ("", 0, "has 0 workers, and at least 1 must be there"),
        ("?workers=3", 2, "has 2 workers, and 3 must be there"),
        ("", 201, "has 201 workers, and one run takes at most 200 of them"),
    ],
)
def test_too_few_workers_and_too_many_are_refused(query: str, there: int, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        chosen(read_vantage(f"all=dask://scheduler{query}"), ["tcp://10.0.0.1:1"] * there)
