"""A far side in a process of its own, and a transport that is nothing but a socket pair."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TypeVar

import pytest

from stress.model.plan import Plan
from stress.model.run import Vantage
from stress.planning.request import Request
from stress.runner.run import prepare
from stress.vantage import messages
from stress.vantage.messages import FromPart, ToPart, encode, from_part
from tests.cli.conftest import ask, farm, farm_words, listener, run_file, spawn

__all__ = ["ask", "farm", "farm_words", "listener", "run_file", "spawn"]

ROOT = Path(__file__).resolve().parents[2]
_LENGTH = struct.Struct("!I")
_Message = TypeVar("_Message", bound=FromPart)


class SocketLink:
    """A link over a socket: all that another transport has to do."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._reading = end.makefile("rb")
        self._sending = Lock()

    def send(self, message: bytes) -> None:
        with self._sending:
            self._end.sendall(_LENGTH.pack(len(message)) + message)

    def receive(self) -> bytes:
        head = self._reading.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            raise EOFError
        return self._reading.read(_LENGTH.unpack(head)[0])

    def close(self) -> None:
        self._reading.close()
        self._end.close()


SERVE = """
import os, socket, sys
from stress.vantage.far import serve
from tests.vantage.conftest import SocketLink
link = SocketLink(socket.socket(fileno=int(sys.argv[1])))
os._exit(0 if serve(link) else 7)
"""


@dataclass
class FarSide:
    """A part in another process, and our end of the link to it."""

    process: subprocess.Popen[bytes]
    link: SocketLink
    silent: Event = field(default_factory=Event)
    """We no longer say that we are here."""

    def beat(self) -> None:
        with suppress(OSError):
            while not self.silent.wait(0.5):
                self.say(messages.Ping(0))

    def say(self, message: ToPart) -> None:
        self.link.send(encode(message))

    def hear(self, kind: type[_Message]) -> _Message:
        """The next message of this kind."""
        while True:
            message = from_part.decode(self.link.receive())
            assert not isinstance(message, messages.Refused), message
            if isinstance(message, kind):
                return message

    def prepare(
        self, plan: Plan, name: str = "part", *, records: bool = True, rows_home: bool = True
    ) -> messages.PartReady:
        """Everything before the start."""
        self.say(messages.Examine(plan, lookup=False))
        there = self.hear(messages.Examined)
        seen = Vantage("fra", there.host, 0, there.networks, there.versions, (), 5, 7)
        self.say(messages.Assign(plan, seen, name, records, rows_home, True))
        return self.hear(messages.PartReady)


@pytest.fixture
def far_side(tmp_path: Path) -> Iterator[Callable[[], FarSide]]:
    """Starts a far side; its state folder is in `tmp_path`."""
    started: list[FarSide] = []

    def start() -> FarSide:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", SERVE, str(theirs.fileno())],
                cwd=ROOT,
                env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
                pass_fds=[theirs.fileno()],
            )
        started.append(FarSide(process, SocketLink(ours)))
        Thread(target=started[-1].beat, daemon=True).start()
        return started[-1]

    yield start
    for one in started:
        one.silent.set()
        one.link.close()
        one.process.kill()
        one.process.wait()


@pytest.fixture
def plan_40(farm_words: tuple[str, ...]) -> Plan:
    """40 handshakes with the farm, of which one in eight fails."""
    target, _, address, _, ca = farm_words
    return prepare(
        Request(targets=(target,), addresses_inline=(address,), ca=ca, count=40, processes=1)
    )
