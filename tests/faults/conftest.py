"""A healthy farm, and the whole program as a user starts it: a process that may be harmed."""

from __future__ import annotations

import os
import select
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from stress.lab.farm import Farm, start
from stress.model.run import RunFacts
from stress.store import open_run

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Program:
    """Starts `tls-stress` against the farm, with its results in a folder of its own."""

    farm: Farm
    results: Path
    started: list[subprocess.Popen[str]]
    name: str = "run"
    """Of the run and of its file."""

    @property
    def target(self) -> tuple[str, ...]:
        """What `run` needs to meet the farm."""
        (address,) = self.farm.addresses
        host = f"{self.farm.host}:{address.port}"
        return ("run", host, "--address", str(address), "--ca", str(self.farm.ca_file))

    def run(self, *options: str, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """Start a run in the background."""
        words = (*self.target, "--results", str(self.results), "--name", self.name, *options)
        return self.start(*words, prefix=prefix)

    def start(
        self, *words: str, prefix: tuple[str, ...] = (), **more: Any
    ) -> subprocess.Popen[str]:
        """Start any command line in the background."""
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process: subprocess.Popen[str] = subprocess.Popen(
            [*prefix, *self.command, *words],
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            **(streams | more),
        )
        self.started.append(process)
        return process

    @property
    def command(self) -> tuple[str, ...]:
        return (sys.executable, "-m", "stress")

    @property
    def file(self) -> Path:
        return self.results / f"{self.name}.db"

    def rows(self) -> int:
        """Committed rows so far; 0 before there is a file."""
        return int(self.ask("SELECT count(*) FROM handshake", 0))

    def ask(self, sql: str, otherwise: object = None) -> Any:
        """One value from the run file, opened as any SQLite tool would."""
        with suppress(sqlite3.Error):
            if self.file.exists() and self.file.stat().st_size:
                uri = f"{self.file.as_uri()}?mode=ro"
                with closing(sqlite3.connect(uri, uri=True)) as database:
                    row = database.execute(sql).fetchone()
                    return otherwise if row is None else row[0]
        return otherwise

    def until_rows(self, number: int, process: subprocess.Popen[str]) -> None:
        """Wait until so many rows are durable."""
        until(lambda: self.rows() >= number or process.poll() is not None)
        assert process.poll() is None, process.communicate()

    def facts(self) -> RunFacts:
        """What the run file says of its run."""
        with open_run(self.file) as run:
            return run.facts()

    def report(self) -> subprocess.CompletedProcess[str]:
        """What `report` makes of the file."""
        return subprocess.run(
            [*self.command, "report", str(self.file)],
            check=False, capture_output=True, text=True, timeout=60,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip


def until(true: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Wait for a condition of another process."""
    end = monotonic() + patience_s
    while not true():
        assert monotonic() < end, "it did not come about"
        select.select([], [], [], 0.02)


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """The process ids of a run's workers."""
    done = subprocess.run(
        ["pgrep", "-P", str(process.pid), "-f", "stress.engine.worker.process"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    return [int(word) for word in done.stdout.split()]


def end(process: subprocess.Popen[str], patience_s: float = 5.0) -> None:
    """Kill it and let go of its pipes, also where an orphan of it never would.

    Whether there is one is for the test to say, which a hanging end would keep from its verdict.
    """
    process.kill()
    process.wait(patience_s)
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=patience_s)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


@pytest.fixture(scope="session")
def farm() -> Iterator[Farm]:
    """All its nodes are well."""
    with start("healthy") as started:
        yield started


@pytest.fixture
def program(farm: Farm, tmp_path: Path) -> Iterator[Program]:
    made = Program(farm, tmp_path / "results", [])
    yield made
    for process in made.started:
        end(process)
