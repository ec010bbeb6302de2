"""The worker processes as the parent knows them: started, spoken to, heard, and seen off."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from stress.engine.messages import (
    Assignment,
    Done,
    Frames,
    FromWorker,
    Landed,
    Ready,
    Refused,
    ToWorker,
    frame,
    from_worker,
)
from stress.errors import UsageError

READ_BYTES = 1 << 20
GOODBYE_S = 2.0
"""How long a worker may take to leave after its socket was closed."""
_ALL = sys.maxsize


@dataclass(slots=True)
class Member:
    """One worker."""

    process: trio.Process
    home: trio.SocketStream
    number: int
    ready: trio.Event = field(default_factory=trio.Event)
    started: int = 0
    in_flight: int = 0
    done: bool = False
    refusal: Refused | None = None
    _landed: int = -1
    _landing: trio.Event = field(default_factory=trio.Event)

    def land(self, number: int) -> None:
        """Segments up to this one have landed."""
        self._landed = number
        self._landing.set()
        self._landing = trio.Event()

    async def landed_at(self, number: int) -> None:
        """Wait until the segment has landed."""
        while self._landed < number:
            await self._landing.wait()

    def leave(self) -> None:
        """It will say nothing more, whatever it was doing: nobody shall wait for it."""
        self.in_flight = 0
        self.ready.set()
        self.land(_ALL)

    def note(self, word: FromWorker) -> None:
        """Follow what it says of itself."""
        if isinstance(word, Ready):
            self.ready.set()
        elif isinstance(word, Landed):
            self.land(word.number)
        elif isinstance(word, Refused):
            self.refusal = word
            self.ready.set()
        elif isinstance(word, Done):
            self.done = True
        else:
            self.started, self.in_flight = word.started, word.in_flight

    @property
    def has_died(self) -> bool:
        """True after the last word when it was neither a farewell nor a refusal."""
        return not self.done and self.refusal is None


class WorkerPool:
    """All workers of a run."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self._voice = trio.Lock()

    async def enlist(self, assignments: list[Assignment]) -> None:
        """Start one worker for each assignment."""
        for number, assignment in enumerate(assignments):
            member = await _start(number)
            self.members.append(member)
            await member.home.send_all(frame(assignment))

    async def assemble(self) -> None:
        """Wait until all are ready.

        Raises:
            UsageError: one cannot do its assignment.
        """
        for member in self.members:
            await member.ready.wait()
            if member.refusal is not None:
                raise UsageError(member.refusal.message, member.refusal.hint)

    async def tell(self, word: ToWorker) -> None:
        """Say the same to all who are still there."""
        async with self._voice:
            for member in self.members:
                if not member.done:
                    with contextlib.suppress(trio.BrokenResourceError):  # `hear` notices the dead
                        await member.home.send_all(frame(word))

    async def hear(self, member: Member, listener: Callable[[Member, FromWorker], None]) -> None:
        """Pass on what one worker says until it is done, or dead."""
        frames = Frames()
        while not member.done:
            try:
                data = await member.home.receive_some(READ_BYTES)
            except trio.BrokenResourceError:
                data = b""
            if not data:
                break
            for body in frames.feed(data):
                word: FromWorker = from_worker.decode(body)
                member.note(word)
                listener(member, word)

    async def see_off(self) -> None:
        """Let the workers leave; who does not is made to. No process and no socket is left."""
        with trio.CancelScope(shield=True):
            for member in self.members:
                await member.home.aclose()
            with trio.move_on_after(GOODBYE_S):
                for member in self.members:
                    await member.process.wait()
            for member in self.members:
                member.process.kill()
                await member.process.wait()

    @property
    def started(self) -> int:
        """Attempts begun so far, by the latest word of each."""
        return sum(member.started for member in self.members)

    @property
    def in_flight(self) -> int:
        """Attempts in flight, by the latest word of each."""
        return sum(member.in_flight for member in self.members)


async def _start(number: int) -> Member:
    """Start one worker, joined to us by a socket pair and in a process group of its own.

    Of its own, so that Ctrl-C at the terminal reaches us alone: we tell the workers how to stop.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "stress.engine.worker.process", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            process_group=0,
        )
    ours.settimeout(0)
    return Member(process, trio.SocketStream(trio.socket.from_stdlib_socket(ours)), number)
