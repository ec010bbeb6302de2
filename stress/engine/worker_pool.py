"""The worker processes as the coordinator sees them: start, send, receive, shut down."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from dataclasses import dataclass, field

import trio

from stress.engine import messages
from stress.engine.messages import FromWorker, ToWorker, frame
from stress.host.python import python_command, python_environment

EXIT_S = 2.0
"""How long a worker may take to exit after its socket was closed."""


@dataclass(slots=True)
class WorkerHandle:
    """One worker."""

    process: trio.Process
    stream: trio.SocketStream
    number: int
    ready: trio.Event = field(default_factory=trio.Event)
    started: int = 0
    in_flight: int = 0
    done: bool = False
    rejection: messages.Rejected | None = None
    _segment: int = -1
    """The last segment that is done."""
    _waiting: trio.lowlevel.ParkingLot = field(default_factory=trio.lowlevel.ParkingLot)

    async def wait_for_segment(self, number: int) -> None:
        """Wait until the segment is done, or the worker is gone."""
        while self._segment < number:
            await self._waiting.park()

    def update(self, message: FromWorker) -> None:
        """Follow what the worker reports about itself."""
        if isinstance(message, messages.Ready):
            self.ready.set()
        elif isinstance(message, messages.SegmentDone):
            self._segment = message.number
            self._waiting.unpark_all()
        elif isinstance(message, messages.Rejected):
            self.rejection = message
            self.ready.set()
        elif isinstance(message, messages.WorkerDone):
            self.done = True
        else:
            self.started, self.in_flight = message.started, message.in_flight

    def disconnect(self) -> None:
        """Note that no more messages will come, so that nobody waits for one."""
        self.in_flight = 0
        self.ready.set()
        self._segment = sys.maxsize
        self._waiting.unpark_all()

    @property
    def has_died(self) -> bool:
        """True when it disconnected without finishing and without rejecting its assignment."""
        return not self.done and self.rejection is None


class WorkerPool:
    """All workers of a run."""

    def __init__(self) -> None:
        self.workers: list[WorkerHandle] = []
        self._sending = trio.Lock()

    async def start(self, assignments: list[messages.Assignment]) -> None:
        """Start one process for each assignment, connected to us by a socket pair.

        Each has a process group of its own: Ctrl-C at the terminal then reaches only this process,
        which tells the workers how to stop.
        """
        for number, assignment in enumerate(assignments):
            ours, theirs = socket.socketpair()
            with theirs:
                process = await trio.lowlevel.open_process(
                    python_command("stress.engine.worker.process", str(theirs.fileno())),
                    env=python_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    process_group=0,
                )
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
            async with self._sending:  # a signal may want to tell it to stop meanwhile
                self.workers.append(WorkerHandle(process, stream, number))
                await stream.send_all(frame(assignment))

    async def wait_until_ready(self) -> messages.Rejected | None:
        """Wait until all workers are ready; returns why one of them cannot run its assignment."""
        for worker in self.workers:
            await worker.ready.wait()
        return next((each.rejection for each in self.workers if each.rejection), None)

    async def broadcast(self, message: ToWorker) -> None:
        """Send a message to all workers that have not finished."""
        async with self._sending:
            for worker in self.workers:
                if not worker.done:
                    with contextlib.suppress(trio.BrokenResourceError):  # its reader notices
                        await worker.stream.send_all(frame(message))

    async def shut_down(self) -> None:
        """Let the workers exit, then kill those that did not. No process or socket is left."""
        with trio.CancelScope(shield=True):
            for worker in self.workers:
                await worker.stream.aclose()
            with trio.move_on_after(EXIT_S):
                for worker in self.workers:
                    await worker.process.wait()
            for worker in self.workers:
                worker.process.kill()
                await worker.process.wait()

    @property
    def started(self) -> int:
        """Attempts started so far, as last reported by each worker."""
        return sum(worker.started for worker in self.workers)

    @property
    def in_flight(self) -> int:
        """Attempts in flight, as last reported by each worker."""
        return sum(worker.in_flight for worker in self.workers)
