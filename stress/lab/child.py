"""One process of the farm, seen from the parent: its start, its counts, its end."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from stress.errors import LabError
from stress.lab.blueprint import COUNT_REQUEST, NodeCounts, Process, to_line

READY_S = 30.0
ANSWER_S = 10.0
END_S = 5.0


class Child:
    """A process that serves until it is ended or we are gone.

    Args:
        orders: what it serves; its sockets must be open and may be closed afterwards.
        log: file for its standard error, empty while all is well.

    Raises:
        LabError: no process can be started.
    """

    def __init__(self, orders: Process, log: Path) -> None:
        self._log = log
        self._last: NodeCounts | None = None
        sockets = [front.descriptor for pool in orders.pools for front in pool.fronts]
        # It imports from where we do; an empty entry means the current folder.
        import_path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        try:
            with log.open("wb") as errors:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "stress.lab.host"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    pass_fds=sockets,
                    bufsize=0,
                    env=os.environ | {"PYTHONPATH": import_path},
                )
        except OSError as error:
            raise LabError(f"the lab's process cannot be started: {error.strerror}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        self._send(to_line(orders))

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
        while not line.endswith(b"\n"):
            left_s = max(0.0, deadline_s - time.monotonic())
            if not select.select([descriptor], [], [], left_s)[0]:
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
