"""A far side in a process of its own, at the other end of a socket pair."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import TypeVar

import pytest

from stress.host.python import python_command
from stress.model.plan import Plan
from stress.model.run import Vantage
from stress.planning.request import Request
from stress.runner.run import prepare
from stress.vantage import messages
from stress.vantage.cluster import SocketLink
from stress.vantage.messages import FromPart, ToPart, encode, from_part
from tests.cli.conftest import ask, farm, farm_words, listener, run_file, spawn

__all__ = ["ask", "farm", "farm_words", "listener", "run_file", "spawn"]

_Message = TypeVar("_Message", bound=FromPart)


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
                python_command("stress.vantage.cluster", str(theirs.fileno())),
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
