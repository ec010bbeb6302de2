"""The far side: makes one part of a run, as the initiator says, and sends its run file home.

The part is an ordinary run of this machine's engine. What differs: all parts start at one moment;
goals are judged at home, over all parts; and when the initiator is gone or silent, the part ends as
interrupted, with its file whole. It never blocks the engine: everything is sent by a thread of its
own, and what cannot be sent is left out of the news, not of the file.
"""

from __future__ import annotations

import hashlib
import lzma
import math
import os
import signal
import socket
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Full, Queue
from threading import Event, Thread
from time import monotonic_ns, time_ns
from typing import TypeVar

import trio

from stress.engine.preflight import (
    FILES_ASIDE,
    HANDSHAKES_PER_CORE,
    HostCapacity,
    examine,
    versions,
)
from stress.errors import StressError, UsageError
from stress.host.addresses import source_address
from stress.host.limits import has_route, raise_open_files
from stress.model.observer import Observer
from stress.model.record import Record
from stress.model.run import Progress
from stress.planning.addresses import resolve
from stress.planning.load import files_needed
from stress.runner.merge import merge
from stress.runner.observers import Display
from stress.runner.run import RunLocation, VantagePart, record
from stress.store.reader import open_run
from stress.store.writer import leave_behind
from stress.vantage import messages
from stress.vantage.link import VantageLink
from stress.vantage.messages import FromPart, ToPart, encode, to_part

LOOK_S = 0.5
SILENT_LOOKS, PATIENT_LOOKS = 8, 120
"""After so many looks without a message in between, the initiator counts as gone: it sends one as
often. Looks are counted, not seconds: a machine too busy to look is too busy to hear. Before the
start nothing is sent, so there is no hurry."""
HURRY_S, LAST_S = 1.0, 0.25
"""When it is gone, attempts in flight get so long, so that the part ends within 5 s; the shorter
time where it took some seconds to notice."""
NEWS_S = 0.5
"""Between figures, where no attempts are passed on: some 300 bytes each, 2.5 MB an hour."""
_MOST_UNSENT = 64
_GONE = b""
"""What the sending thread is told at the end."""

_Message = TypeVar("_Message")


def folder() -> Path:
    """Where parts write their files, until these have come home (XDG Base Directory)."""
    given = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".local/state") / "tls-stress/vantages"


def serve(link: VantageLink) -> bool:
    """Make one part, in the main thread; returns whether the initiator was there to the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # outside of the engine, which has its own handler
    part = _Part(link)
    for thread in (part.listen, part.watch, part.speak):
        Thread(target=thread, daemon=True).start()
    with suppress(EOFError):
        try:
            part.perform()
        except StressError as error:
            part.say(messages.Refused(error.message, error.hint))
        except EOFError:
            raise
        except Exception as error:  # noqa: BLE001 - told at home in a sentence, whatever it is
            part.say(messages.Refused(f"{type(error).__name__} in tls-stress: {error}", None))
    if not part.gone:
        part.outbox.put(_GONE)
        part.spoken.wait()
    return not part.gone


@dataclass(slots=True, eq=False)
class _Part(Observer):
    """One part, from the first message to the last."""

    link: VantageLink
    outbox: Queue[bytes] = field(default_factory=lambda: Queue(_MOST_UNSENT))
    spoken: Event = field(default_factory=Event)
    """Nothing more is to be sent."""
    gone: bool = False
    """The initiator."""
    _inbox: Queue[ToPart | None] = field(default_factory=Queue)
    """Messages that the main thread waits for; None: the initiator is gone."""
    _heard: bool = False
    """Since the last look."""
    _begun: bool = False
    _running: bool = False
    """The engine is, and listens to signals."""
    _reason: str | None = None
    _pausing: bool = False
    _wants_records: bool = False
    _unsent: list[Record] = field(default_factory=list)
    _latest: Progress | None = None
    _told_s: float = -math.inf

    # -- threads ---------------------------------------------------------------------------------

    def listen(self) -> None:
        """Follow the initiator."""
        with suppress(EOFError, OSError):
            while True:
                message = to_part.decode(self.link.receive())
                self._heard = True
                if isinstance(message, messages.Ping):
                    with suppress(Full):
                        pong = messages.Pong(message.sent_ns, time_ns())
                        self.outbox.put_nowait(encode(pong))
                elif isinstance(message, messages.Pause):
                    self._pausing = message.paused
                elif not isinstance(message, messages.Stop):
                    self._inbox.put(message)
                elif message.reason is not None:
                    self._reason = message.reason
                else:
                    self._interrupt()
        self._lose(HURRY_S)

    def watch(self) -> None:
        """Notice that the link is cut, which no operating system tells at once."""
        silent = 0
        while not self.spoken.wait(LOOK_S):
            silent, self._heard = 0 if self._heard else silent + 1, False
            if silent >= (SILENT_LOOKS if self._begun else PATIENT_LOOKS):
                self._lose(LAST_S)

    def speak(self) -> None:
        """Send what is to be sent, in order."""
        with suppress(OSError):
            while (data := self.outbox.get()) != _GONE:
                self.link.send(data)
        self.spoken.set()

    def say(self, message: FromPart) -> None:
        """Send a message; waits while many are not sent yet."""
        while not self.gone and not self.spoken.is_set():
            with suppress(Full):
                self.outbox.put(encode(message), timeout=HURRY_S)
                return

    def _lose(self, patience_s: float) -> None:
        """The initiator is gone: end as if interrupted twice, the second time in a hurry."""
        if self.gone:
            return
        self.gone = True
        self._inbox.put(None)
        self._interrupt()
        Event().wait(patience_s)
        self._interrupt()

    def _interrupt(self) -> None:
        """Interrupt the engine as Ctrl-C does; before the start, call it off."""
        if self._running:
            os.kill(os.getpid(), signal.SIGINT)
        elif not self._begun:
            self._inbox.put(None)

    # -- what the run sees -------------------------------------------------------------------------

    def on_records(self, records: list[Record]) -> None:  # type: ignore[override]  # it is a list
        """Keep them for the next news."""
        if self._wants_records:
            self._unsent += records

    def on_progress(self, progress: Progress) -> str | None:
        """Tell it home, if it is time and there is room, and pass on why the run shall stop."""
        self._latest = progress
        if self._unsent or progress.elapsed_s - self._told_s >= NEWS_S:
            with suppress(Full):
                self.outbox.put_nowait(encode(messages.News(progress, self._unsent)))
                self._unsent, self._told_s = [], progress.elapsed_s
        return self._reason

    def wants_pause(self) -> bool:
        """Whether the user paused all parts."""
        return self._pausing

    # -- the run -----------------------------------------------------------------------------------

    def perform(self) -> None:
        """Examine, prepare, wait for the start, run, and send the file home.

        Raises:
            EOFError: the initiator is gone.
            StressError: this machine cannot do it.
        """
        self.say(self._examined(self._expect(messages.Examine)))
        assigned = self._expect(messages.Assign)
        self._wants_records = assigned.records
        place = folder()
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make the folder {place} there: {error.strerror}") from None
        needed = files_needed(assigned.plan.load)
        try:
            raise_open_files(needed)
        except (OSError, ValueError, OverflowError):
            raise UsageError(
                f"that machine refuses {needed:,} open files per process",
                "Lower --concurrency, or raise the limit there.",
            ) from None

        from stress.engine.coordinator import LEAD_NS  # noqa: PLC0415 - with the engine

        def begin() -> int | None:
            self.say(messages.PartReady(str(place / f"{assigned.name}.db")))
            while (message := self._inbox.get()) is not None:
                if isinstance(message, messages.Go):
                    self._begun = self._running = True
                    start_ns = message.at_ns - time_ns() + monotonic_ns()
                    self.say(messages.Started(max(0, monotonic_ns() + LEAD_NS - start_ns)))
                    return start_ns
            return None

        path = record(
            assigned.plan,
            RunLocation(place, assigned.name),
            Display(lambda _: None, watching=(self,), judges_goals=False),
            part=VantagePart(assigned.vantage, begin),
        )
        self._running = False
        self.say(messages.News(self._latest, self._unsent))  # since the last one
        self.send_home(assigned, path)

    def send_home(self, assigned: messages.Assign, path: Path) -> None:
        """Send the file of the run, without what shall stay here.

        Raises:
            EOFError: it did not arrive; it stays here.
            StressError: there is no room to make ready what travels.
        """
        if self.gone:  # nothing travels, and the file here stays as it is
            raise EOFError
        travels, stays = path, None
        try:
            if not assigned.rows_home:
                small = RunLocation(path.parent, f"{assigned.name}-small")
                travels = merge([str(path)], small, lambda _: None, thin=True)
                with open_run(travels) as run:
                    stays = path if run.elsewhere else None
            key_log = None if assigned.secrets_home else path.with_suffix(".keys")
            leave_behind(travels, rows=stays, secrets=key_log)
            with travels.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
                self.say(messages.Ended(file.tell(), digest, xz=stays is not None))
                file.seek(0)
                packer = lzma.LZMACompressor() if stays else zlib.compressobj(1)
                while data := file.read(messages.PIECE_BYTES):
                    if packed := packer.compress(data):
                        self.say(messages.FilePiece(packed))
                self.say(messages.FilePiece(packer.flush()))
                self.say(messages.FilePiece(b""))
            self._expect(messages.Keep)
            if stays is None:
                path.unlink()
        finally:
            if travels != path:
                travels.unlink()

    def _examined(self, question: messages.Examine) -> messages.Examined:
        """What this machine can do, and what DNS answers here."""
        plan = question.plan
        capacity = HostCapacity.here()
        preflight = examine(capacity)
        blocking = [fact for fact in preflight.facts if fact.blocks]
        if blocking:
            told = ", ".join(f"{fact.name} {fact.value} ({fact.means})" for fact in blocking)
            raise UsageError(f"that machine cannot do even a small run: {told}")
        addresses, ttl_s = plan.addresses, plan.resolve_again_s
        if question.lookup:
            found = trio.run(resolve, plan.target, plan.resolver)
            routed = tuple(one for one in found.addresses if has_route(one.ip))
            addresses, ttl_s = routed or found.addresses, found.ttl_s
        dialled = [plan.proxy.address] if plan.proxy else addresses
        local = {source_address(one.ip, one.port) for one in dialled}
        files = capacity.machine.open_files
        cores = capacity.machine.cores
        return messages.Examined(
            host=socket.gethostname(),
            networks=tuple(sorted(filter(None, local))),
            versions=versions(plan),
            cores=cores,
            in_flight=None if files is None else max(1, (files - FILES_ASIDE) * cores),
            rate=float(cores * HANDSHAKES_PER_CORE),
            capacity=preflight.limit,
            addresses=addresses,
            ttl_s=ttl_s,
        )

    def _expect(self, kind: type[_Message]) -> _Message:
        """The next message, which must be of this kind.

        Raises:
            EOFError: the initiator is gone, or wants no more.
        """
        message = self._inbox.get()
        if not isinstance(message, kind):
            raise EOFError  # noqa: TRY004 - it is the end of our conversation
        return message
