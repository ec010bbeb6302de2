"""One process of the farm, seen from the parent: its start, its answers, its end."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

from stress.errors import LabError
from stress.lab import control
from stress.lab.blueprint import Process

READY_S = 30.0
ANSWER_S = 10.0
END_S = 5.0


class Child:
    """A process that serves what it is told, until it is ended or we are gone.

    Args:
        orders: what it shall serve; its sockets must be open and may be closed afterwards.
        log: file for its standard error, empty while all is well.

    Raises:
        LabError: no process can be started.
    """

    def __init__(self, orders: Process, log: Path) -> None:
        self._log = log
        self._last: control.Count | None = None
        sockets = [front.descriptor for pool in orders.pools for front in pool.fronts]
        try:
            with log.open("wb") as errors:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "stress.lab.host"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    pass_fds=sockets,
                    bufsize=0,
                    env=os.environ | {"PYTHONPATH": os.pathsep.join(_import_path())},
                )
        except OSError as error:
            raise LabError(f"the lab's process cannot be started: {error.strerror}") from error
        self._say(control.to_line(orders))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_ready(self) -> None:
        """Wait until it serves.

        Raises:
            LabError: it ended instead, or takes too long.
        """
        self._last = self._hear(READY_S)

    def count(self) -> control.Count:
        """What its nodes have seen so far; after its end, what they had seen by then.

        Raises:
            LabError: it ended by itself, or does not answer.
        """
        if not self._ended:
            self._say(control.QUESTION)
            self._last = self._hear(ANSWER_S)
        assert self._last is not None, "a child is ready before it is asked"
        return self._last

    def end(self) -> None:
        """End it; a second time does nothing."""
        if self._ended:
            return
        try:
            if self._last is not None and self._process.poll() is None:
                self.count()
        except LabError:  # it is ended all the same; its last count stays what it was
            pass
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    @property
    def _ended(self) -> bool:
        return self._process.stdin is None or self._process.stdin.closed

    def _say(self, line: bytes) -> None:
        assert self._process.stdin is not None
        try:
            view = memoryview(line)
            while view:  # unbuffered pipes take what they have room for
                view = view[self._process.stdin.write(view) or 0 :]
        except BrokenPipeError as error:
            raise self._complaint("ended by itself") from error

    def _hear(self, patience_s: float) -> control.Count:
        assert self._process.stdout is not None
        descriptor, heard = self._process.stdout.fileno(), b""
        deadline_s = time.monotonic() + patience_s
        while not heard.endswith(b"\n"):
            left_s = max(0.0, deadline_s - time.monotonic())
            if not select.select([descriptor], [], [], left_s)[0]:
                raise self._complaint(f"did not answer within {patience_s:g} s")
            chunk = os.read(descriptor, 65_536)
            if not chunk:
                raise self._complaint("ended by itself")
            heard += chunk
        return control.read_count(heard)

    def _complaint(self, what: str) -> LabError:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        hint = f"It said last: {lines[-1][:80]}" if lines else None
        return LabError(f"the lab's process {self.pid} {what}", hint)


def _import_path() -> list[str]:
    """Where we import from, so that the process finds the same; an empty entry means here."""
    return [entry or str(Path.cwd()) for entry in sys.path]
