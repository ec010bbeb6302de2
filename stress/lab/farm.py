"""Starts and stops a farm: its folder, its sockets, its processes.

The sockets are bound here and inherited by the processes, so the farm accepts connections as soon
as it has started, no port is guessed, and the addresses are known before a fault is planted. Each
process exits when its standard input closes, so a farm never outlives its parent.
"""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Self

import msgspec

from stress.errors import LabError
from stress.host.python import python_command, python_environment
from stress.lab.blueprint import COUNT_REQUEST, NodeCounts, Process, to_line
from stress.lab.scenarios import Planted, Scenario, find
from stress.lab.site import HOST, Site
from stress.model.plan import Address

READY_S = 30.0
ANSWER_S = 10.0
END_S = 5.0


class Child:
    """One process of the farm, seen from its parent: it serves until `end` or the parent's exit.

    Args:
        process: what it serves; its sockets must be open and may be closed afterwards.
        log: file for its standard error, empty while all is well.

    Raises:
        LabError: no process can be started.
    """

    def __init__(self, process: Process, log: Path) -> None:
        self._log = log
        self._last: NodeCounts | None = None
        sockets = [pool.front.descriptor for pool in process.pools]
        try:
            with log.open("wb") as errors:
                self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                    python_command("stress.lab.host"),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    pass_fds=sockets,
                    bufsize=0,
                    env=python_environment(),
                )
        except OSError as error:
            raise LabError(f"the lab's process cannot be started: {error.strerror}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        self._send(to_line(process))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_ready(self) -> None:
        """Wait until it serves.

        Raises:
            LabError: it ended instead, or takes too long.
        """
        self._last = self._receive(READY_S)

    def count(self) -> NodeCounts:
        """Connections of its nodes so far; after its end, the last counts.

        Raises:
            LabError: it ended by itself, or does not answer.
        """
        if not self._input.closed:
            self._send(COUNT_REQUEST)
            self._last = self._receive(ANSWER_S)
        assert self._last is not None, "a child is ready before its counts are read"
        return self._last

    def end(self) -> None:
        """End it; a second call does nothing."""
        if self._input.closed:
            return
        try:
            if self._last is not None and self._process.poll() is None:
                self.count()
        except LabError:  # it is ended all the same, and the last counts stay
            pass
        self._input.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()

    def _send(self, line: bytes) -> None:
        try:
            view = memoryview(line)
            while view:  # an unbuffered pipe may take a part only
                view = view[self._input.write(view) or 0 :]
        except BrokenPipeError as error:
            raise self._error("ended by itself") from error

    def _receive(self, timeout_s: float) -> NodeCounts:
        descriptor, line = self._output.fileno(), b""
        deadline_s = time.monotonic() + timeout_s
        waiting = select.poll()  # `select.select` knows no descriptor above 1023
        waiting.register(descriptor, select.POLLIN)
        while not line.endswith(b"\n"):
            left_s = max(0.0, deadline_s - time.monotonic())
            if not waiting.poll(left_s * 1000):
                raise self._error(f"did not answer within {timeout_s:g} s")
            chunk = os.read(descriptor, 65_536)
            if not chunk:
                raise self._error("ended by itself")
            line += chunk
        return msgspec.json.decode(line, type=NodeCounts)

    def _error(self, what: str) -> LabError:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        hint = f"Its last output: {lines[-1][:80]}" if lines else None
        return LabError(f"the lab's process {self.pid} {what}", hint)


@dataclass(frozen=True, slots=True)
class Farm:
    """A running farm, made by `start`. Closing it ends its processes and removes its files."""

    scenario: Scenario
    addresses: tuple[Address, ...]
    """Where clients connect."""
    planted: Planted
    ca_file: Path
    """The farm's root as PEM."""
    children: tuple[Child, ...]
    cleanup: ExitStack
    stores_file: Path | None = None
    """Root stores that hold our roots; None: our root is the only anchor."""
    host: ClassVar[str] = HOST
    """The name to send as SNI and to verify."""

    @property
    def run_words(self) -> list[str]:
        """The arguments of `tls-stress run` that test this farm."""
        words = [f"{self.host}:{self.addresses[0].port}"]
        for address in self.addresses:
            label = f"={address.label}" if address.label else ""
            words += ["--address", f"{address}{label}"]
        trusted = ("--stores", self.stores_file) if self.stores_file else ("--ca", self.ca_file)
        words += [*map(str, trusted), "-n", str(self.scenario.count)]
        for client in self.scenario.clients:
            words += ["--client", client]
        return [*words, *self.scenario.options]

    def served(self) -> Mapping[str, int]:
        """Connections by node, as the nodes counted them; still there after closing.

        Raises:
            LabError: a process of the farm has ended by itself.
        """
        return {
            name: count for child in self.children for name, count in child.count().served.items()
        }

    def faulted(self) -> Mapping[str, int]:
        """Connections on which a planted fault fired, by node; still there after closing.

        A node whose only fault is its chain counts none: every connection it served is bad.

        Raises:
            LabError: a process of the farm has ended by itself.
        """
        return {
            name: count for child in self.children for name, count in child.count().faulted.items()
        }

    def first_ns(self) -> int | None:
        """Unix time of the first connection, to which planted times are relative; None: none.

        Raises:
            LabError: a process of the farm has ended by itself.
        """
        times_ns = (child.count().first_ns for child in self.children)
        return min((time_ns for time_ns in times_ns if time_ns is not None), default=None)

    def windows_ns(self) -> tuple[tuple[int, int | None], ...]:
        """When the fault is active, as Unix nanoseconds; an end of None: for good.

        Empty where the fault does not depend on time, or before the first connection.

        Raises:
            LabError: a process of the farm has ended by itself.
        """
        if self.planted.from_unix_s is not None:
            return ((self.planted.from_unix_s * 10**9, None),)
        first_ns = self.first_ns()
        if first_ns is None:
            return ()
        return tuple(
            (first_ns + round(start_s * 1e9), first_ns + round(end_s * 1e9))
            for start_s, end_s in self.planted.windows_s
        )

    def close(self) -> None:
        """End the processes and remove what was written; a second call does nothing."""
        self.cleanup.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def start(
    name: str,
    *,
    seed: int = 0,
    folder: Path | None = None,
    pace: float = 1.0,
    log: Path | None = None,
) -> Farm:
    """Start the farm of a scenario; when this returns, all its addresses accept.

    Args:
        name: of the scenario.
        seed: of random balancers and faults.
        folder: where certificates and keys go, created if missing; by default a temporary one.
        pace: factor on the times that a scenario plants; 0.1 makes ten seconds one.
        log: file to which the balancers append a line for each connection that has ended, in the
            format of HAProxy's `option tcplog`.

    Raises:
        UsageError: no scenario has that name.
        LabError: it cannot be started on this machine.
    """
    scenario = find(name)
    with ExitStack() as cleanup:
        place = _opened(folder, log, cleanup)
        site = Site(place, datetime.now(UTC), seed, pace)
        cleanup.callback(site.clear)
        processes, addresses, planted = scenario.build(site)
        children = []
        for number, process in enumerate(processes, 1):
            serving = replace(
                process, temporary=folder is None, log=str(log.absolute()) if log else None
            )
            child = Child(serving, site.write(f"process-{number}.log", b""))
            cleanup.callback(child.end)
            children.append(child)
        site.close_sockets()
        for child in children:
            child.wait_ready()
        site.remove_keys()
        stores_file = site.stores(scenario.stores)
        undo = cleanup.pop_all()
        return Farm(
            scenario,
            addresses,
            planted,
            site.ca_file,
            tuple(children),
            undo,
            stores_file,
        )


def _opened(folder: Path | None, log: Path | None, cleanup: ExitStack) -> Path:
    """Make the folder if it is missing, and the log; return the folder.

    Raises:
        LabError: one cannot be written.
    """
    try:
        if log is not None:
            log.open("ab").close()
        if folder is None:
            temporary = tempfile.TemporaryDirectory(prefix="tls-stress-lab-")
            return Path(cleanup.enter_context(temporary))
        if not folder.exists():  # what existed before stays
            folder.mkdir(mode=0o700)
            cleanup.callback(folder.rmdir)
    except OSError as error:
        what = "log" if log is not None and error.filename == str(log) else "folder"
        raise LabError(
            f"the lab cannot use the {what} {error.filename}: {error.strerror}",
            "The folder it is in must exist and be writable.",
        ) from error
    return folder
