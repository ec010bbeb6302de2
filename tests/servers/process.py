"""A server program as a child process: started, awaited, and ended by its own id."""

from __future__ import annotations

import random
import socket
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE_S = 10.0
# Below the range that Linux takes local ports from, so that no client connection is in the way.
PORTS = range(18_000, 32_000)


class ServerProcess:
    """One running server; leaves nothing behind when closed.

    Args:
        command: the program and its arguments; it must stay in the foreground.
        folder: where its output goes, as `output.log`.
        ports: where it listens; it is ready once each of them accepts a connection.

    Raises:
        RuntimeError: it does not start; with its output.
    """

    def __init__(self, command: Sequence[str], folder: Path, ports: Iterable[int] = ()) -> None:
        self.output = folder / "output.log"
        with self.output.open("ab") as sink:
            self._child = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
            )
        try:
            for port in ports:
                self.wait_for_port(port)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process id, for reading its use of resources."""
        return self._child.pid

    def wait_for_port(self, port: int, host: str = "127.0.0.1") -> None:
        """Return once a connection is accepted.

        Raises:
            RuntimeError: the server died or did not listen in time; with its output.
        """
        for _ in range(int(PATIENCE_S / 0.02)):
            with suppress(OSError), socket.create_connection((host, port), timeout=1):
                return
            if not self.runs(0.02):
                break
        raise RuntimeError(f"{self._child.args!r} does not listen: {self.output.read_text()}")

    def runs(self, within_s: float) -> bool:
        """Whether it is still running after this long; returns at once when it ends."""
        try:
            self._child.wait(within_s)
        except subprocess.TimeoutExpired:
            return True
        return False

    def close(self) -> None:
        """End it, politely first."""
        self._child.terminate()
        if self.runs(3):
            self._child.kill()
            self._child.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Ports that nobody listens on just now, all different."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((host, port))
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError(f"no {count} free ports between {PORTS.start} and {PORTS.stop}")
