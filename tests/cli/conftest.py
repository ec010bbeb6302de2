"""One command line, run for real: in this process, or in one of its own where signals matter."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from stress.cli.main import main
from stress.lab.farm import Farm, start

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Answered:
    """What a command line gave back."""

    code: int
    out: str
    err: str


Ask = Callable[..., Answered]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs the words in this process."""

    def asked(*words: object) -> Answered:
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Answered(code, captured.out, captured.err)

    return asked


class Spawn(Protocol):
    """Starts the words as a process of their own; the test ends it."""

    def __call__(
        self,
        *words: object,
        env: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[str]: ...


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    started: list[subprocess.Popen[str]] = []

    def spawned(
        *words: object,
        env: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "stress", *map(str, words)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield spawned
    for process in started:
        process.kill()
        process.communicate()


class Listener:
    """A port that counts who connects and says nothing."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.target = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def connections(self) -> int:
        """How many have connected since the last call."""
        count = 0
        while True:
            try:
                self._socket.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


@pytest.fixture(scope="session")
def farm() -> Iterator[Farm]:
    """One node of eight sends the leaf alone, in strict turn: exact counts."""
    with start("round-robin-1-of-8") as started:
        yield started


@pytest.fixture(scope="session")
def farm_words(farm: Farm) -> tuple[str, ...]:
    """What `run` needs to meet the farm."""
    address = farm.addresses[0]
    return (f"{farm.host}:{address.port}", "--address", str(address), "--ca", str(farm.ca_file))


@pytest.fixture(scope="session")
def run_file(farm_words: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of 160 handshakes, 20 of them with an incomplete chain."""
    folder = tmp_path_factory.mktemp("results")
    words = ("run", *farm_words, "-n", "160", "--processes", "1", "-q")
    assert main([*words, "--results", str(folder), "--name", "once"]) == 1
    return folder / "once.db"
